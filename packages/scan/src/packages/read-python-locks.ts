/** `poetry.lock` (1 and 2), `uv.lock` and `Pipfile.lock`; what is asked for directly stands in pyproject.toml. */
import { inputError } from './input-error.ts';
import { definePackage, normalizePythonName, type Package, type PackageSource } from './package.ts';
import { isTable, listOf, parseJson, parseToml, type Table, tableOf, tablesIn, textOf } from './parse-document.ts';

export function readPoetryLock(text: string, lockfile: string, manifest: string | null): Package[] {
  const lock = parseToml(text, lockfile);
  const direct = directNames(manifest, lockfile);
  const oldFiles = tableOf(tableOf(lock['metadata'])['files']);
  return packagesOf(lock, lockfile).map(({ entry, name, version }) => {
    const groups = listOf(entry['groups']);
    const type = textOf(tableOf(entry['source'])['type']);
    return definePackage({
      ecosystem: 'PyPI',
      name,
      version,
      direct: direct.has(normalizePythonName(name)),
      dev: entry['category'] === 'dev' || (groups.length > 0 && !groups.includes('main')),
      integrity: firstHash([...listOf(entry['files']), ...listOf(oldFiles[name])]),
      source: pythonSource(type),
      lockfile,
    });
  });
}

/** The project itself, and others of its workspace. */
const isOurs = (entry: Table): boolean =>
  ['editable', 'virtual', 'directory'].some((kind) => tableOf(entry['source'])[kind] !== undefined);

export function readUvLock(text: string, lockfile: string): Package[] {
  const entries = packagesOf(parseToml(text, lockfile), lockfile, true);
  const direct = new Set(
    entries
      .filter(({ entry }) => isOurs(entry))
      .flatMap(({ entry }) => {
        const groups = [tableOf(entry['dev-dependencies']), tableOf(entry['optional-dependencies'])];
        return listOf(entry['dependencies']).concat(groups.flatMap((group) => Object.values(group).flatMap(listOf)));
      })
      .map((dependency) => normalizePythonName(textOf(tableOf(dependency)['name']) ?? '')),
  );
  return entries
    .filter(({ entry }) => !isOurs(entry))
    .map(({ entry, name, version }) =>
      definePackage({
        ecosystem: 'PyPI',
        name,
        version,
        direct: direct.has(normalizePythonName(name)),
        integrity: firstHash([entry['sdist'], ...listOf(entry['wheels'])]),
        source: pythonSource(Object.keys(tableOf(entry['source']))[0] ?? null),
        lockfile,
      }),
    );
}

export function readPipfileLock(text: string, lockfile: string): Package[] {
  const lock = parseJson(text, lockfile);
  if (lock['default'] === undefined) throw inputError(lockfile, 'has no `default`');
  return (['default', 'develop'] as const).flatMap((section) =>
    tablesIn(lock[section]).flatMap(([name, entry]) => {
      if (entry['path'] !== undefined || entry['editable'] === true) return [];
      const version = textOf(entry['version']);
      const git = textOf(entry['git']);
      if (version === null && git === null && entry['file'] === undefined) {
        throw inputError(lockfile, `no version for ${name}`);
      }
      return [
        definePackage({
          ecosystem: 'PyPI',
          name,
          version: version?.replace(/^===?/, '') ?? textOf(entry['ref']) ?? 'unknown',
          // A Pipfile.lock marks with `index` what the Pipfile names.
          direct: entry['index'] !== undefined,
          dev: section === 'develop',
          integrity: textOf(listOf(entry['hashes'])[0]),
          source: git !== null ? 'git' : entry['file'] !== undefined ? 'url' : 'registry',
          lockfile,
        }),
      ];
    }),
  );
}

interface Entry {
  readonly entry: Table;
  readonly name: string;
  readonly version: string;
}

/** uv gives the project itself no version when that is dynamic. */
function packagesOf(lock: Table, lockfile: string, dynamic = false): Entry[] {
  if (lock['package'] !== undefined && !Array.isArray(lock['package'])) {
    throw inputError(lockfile, '`package` is no list');
  }
  return listOf(lock['package'])
    .filter(isTable)
    .map((entry) => {
      const [name, version] = [textOf(entry['name']), textOf(entry['version'])];
      if (name === null || (version === null && !dynamic)) {
        throw inputError(lockfile, 'a package has no name or no version');
      }
      return { entry, name, version: version ?? '' };
    });
}

function directNames(manifest: string | null, lockfile: string): Set<string> {
  if (manifest === null) return new Set();
  const project = parseToml(manifest, lockfile.replace(/[^/]+$/, 'pyproject.toml'));
  const poetry = tableOf(tableOf(project['tool'])['poetry']);
  const named = [
    poetry,
    { dependencies: poetry['dev-dependencies'] },
    ...tablesIn(poetry['group']).map(([, group]) => group),
  ];
  const listed = listOf(tableOf(project['project'])['dependencies']).map(
    (dependency) => /^[A-Za-z0-9._-]+/.exec(textOf(dependency) ?? '')?.[0] ?? '',
  );
  const names = [...named.flatMap((group) => Object.keys(tableOf(tableOf(group)['dependencies']))), ...listed];
  return new Set(names.map(normalizePythonName));
}

const firstHash = (files: readonly unknown[]): string | null =>
  files.map((file) => textOf(tableOf(file)['hash'])).find((hash) => hash !== null) ?? null;

function pythonSource(type: string | null): PackageSource {
  if (type === 'git') return 'git';
  if (type === 'url' || type === 'file') return 'url';
  return type === 'directory' || type === 'path' ? 'path' : 'registry';
}
