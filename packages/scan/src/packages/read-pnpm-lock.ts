/** `pnpm-lock.yaml`, lockfile versions 6 and 9 (pnpm 8 and later; github.com/pnpm/spec). */
import { inputError } from './input-error.ts';
import { definePackage, type Package } from './package.ts';
import { parseYaml, type Table, tableOf, tablesIn, textOf } from './parse-document.ts';
import { npmSource } from './read-npm-lock.ts';

export function readPnpmLock(text: string, lockfile: string): Package[] {
  const lock = parseYaml(text, lockfile);
  const format = Number.parseInt(String(lock['lockfileVersion']), 10);
  if (format !== 6 && format !== 9) {
    throw inputError(lockfile, 'has another lockfile version than 6 or 9; install once with pnpm 8 or later');
  }
  const direct = directVersions(lock);
  return tablesIn(lock['packages']).map(([key, entry]) => {
    const resolution = tableOf(entry['resolution']);
    const from = textOf(resolution['tarball']) ?? textOf(resolution['repo']);
    const [name, rest] = splitKey(key, entry, lockfile);
    const version = textOf(entry['version']) ?? rest;
    return definePackage({
      ecosystem: 'npm',
      name,
      version,
      direct: direct.has(`${name}@${rest}`),
      dev: entry['dev'] === true,
      integrity: textOf(resolution['integrity']),
      // Version 9 no longer says whether a package builds; then nothing is claimed.
      installScript: entry['requiresBuild'] === true ? true : format === 6 ? false : null,
      source: resolution['repo'] === undefined ? npmSource(from, rest) : 'git',
      lockfile,
    });
  });
}

/** `/name@1.2.3(peer@1.0.0)`, from version 9 without the slash: name and version. */
function splitKey(key: string, entry: Table, lockfile: string): [name: string, version: string] {
  const plain = stripPeers(key.startsWith('/') ? key.slice(1) : key);
  const at = plain.indexOf('@', 1);
  const name = textOf(entry['name']) ?? (at === -1 ? null : plain.slice(0, at));
  if (name === null) throw inputError(lockfile, 'a package has a key that is no `name@version`');
  return [name, at === -1 ? (textOf(entry['version']) ?? '') : plain.slice(at + 1)];
}

/** The direct dependencies of every package of the workspace; a lone one has them at the top. */
function directVersions(lock: Table): Set<string> {
  const importers = lock['importers'] === undefined ? [lock] : tablesIn(lock['importers']).map(([, one]) => one);
  const found = new Set<string>();
  for (const importer of importers) {
    for (const kind of ['dependencies', 'devDependencies', 'optionalDependencies']) {
      for (const [name, entry] of tablesIn(importer[kind])) {
        const version = textOf(entry['version']);
        if (version === null) continue;
        const plain = stripPeers(version);
        // An alias names the published package and its version.
        found.add(plain.indexOf('@', 1) > 0 ? plain.replace(/^\//, '') : `${name}@${plain}`);
      }
    }
  }
  return found;
}

const stripPeers = (text: string): string => text.replace(/\(.*$/s, '');
