/**
 * Every package that the lockfiles of a tree pin: finds the lockfiles, reads each with
 * its reader, and says which manifests have no lockfile at all, since what those install is unknown.
 */
import { basename, dirname } from 'node:path/posix';
import type { Package } from './package.ts';
import { listOf, parseJson, parseToml, tableOf } from './parse-document.ts';
import { readCargoLock } from './read-cargo-lock.ts';
import { readGoMod } from './read-go-mod.ts';
import { readNpmLock } from './read-npm-lock.ts';
import { readPnpmLock } from './read-pnpm-lock.ts';
import { readPipfileLock, readPoetryLock, readUvLock } from './read-python-locks.ts';
import { readRequirements, REQUIREMENTS_FILE, type Unpinned } from './read-requirements.ts';
import { readText, type SourceFiles } from './source-files.ts';
import { readYarnLock } from './read-yarn-lock.ts';

export interface PackageInventory {
  readonly packages: readonly Package[];
  /** Lockfiles that were read, sorted. */
  readonly lockfiles: readonly string[];
  readonly bytes: number;
  /** Requirements that pin nothing. */
  readonly unpinned: readonly Unpinned[];
  /** Manifests with dependencies that no lockfile pins. */
  readonly unlocked: readonly string[];
}

interface LockfileReader {
  /** The file beside it that says what was asked for, or pins the bytes. */
  readonly beside: string | null;
  read(text: string, file: string, beside: string | null): Package[];
}

const READERS: Readonly<Record<string, LockfileReader>> = {
  'package-lock.json': { beside: null, read: readNpmLock },
  'npm-shrinkwrap.json': { beside: null, read: readNpmLock },
  'yarn.lock': { beside: 'package.json', read: readYarnLock },
  'pnpm-lock.yaml': { beside: null, read: readPnpmLock },
  'go.mod': { beside: 'go.sum', read: readGoMod },
  'Cargo.lock': { beside: null, read: readCargoLock },
  'poetry.lock': { beside: 'pyproject.toml', read: readPoetryLock },
  'uv.lock': { beside: null, read: readUvLock },
  'Pipfile.lock': { beside: null, read: readPipfileLock },
};

const NPM_LOCKS = ['package-lock.json', 'npm-shrinkwrap.json', 'yarn.lock', 'pnpm-lock.yaml'];
const PYTHON_LOCKS = ['poetry.lock', 'uv.lock', 'Pipfile.lock', 'requirements.txt'];
/** A manifest, and what may pin what it asks for, in its directory or above (workspaces). */
const MANIFESTS: Readonly<Record<string, readonly string[]>> = {
  'package.json': NPM_LOCKS,
  'Cargo.toml': ['Cargo.lock'],
  'pyproject.toml': PYTHON_LOCKS,
  Pipfile: PYTHON_LOCKS,
};

/** @throws `ERR_SCAN_INPUT` naming the file, if one does not parse */
export async function readPackages(
  files: SourceFiles,
  ignored: (path: string) => boolean,
  signal: AbortSignal,
): Promise<PackageInventory> {
  const paths = (await files.list(signal)).filter((path) => !ignored(path));
  const known = new Set(paths);
  const packages: Package[] = [];
  const lockfiles: string[] = [];
  const unpinned: Unpinned[] = [];
  const unlocked: string[] = [];
  let bytes = 0;
  for (const path of paths) {
    signal.throwIfAborted();
    const reader = Object.hasOwn(READERS, basename(path)) ? READERS[basename(path)] : undefined;
    const isRequirements = REQUIREMENTS_FILE.test(path);
    if (reader === undefined && !isRequirements) {
      if (isUnlocked(path, known) && (await hasDependencies(files, path))) unlocked.push(path);
      continue;
    }
    const text = await readText(files, path);
    if (text === null) continue; // deleted since it was listed
    lockfiles.push(path);
    bytes += Buffer.byteLength(text);
    if (reader === undefined) {
      const read = readRequirements(text, path);
      packages.push(...read.packages);
      unpinned.push(...read.unpinned);
    } else {
      const beside = reader.beside === null ? null : await readText(files, sibling(path, reader.beside));
      for (const one of reader.read(text, path, beside)) packages.push(one);
    }
  }
  return { packages, lockfiles, bytes, unpinned, unlocked };
}

const sibling = (path: string, name: string): string => (dirname(path) === '.' ? name : `${dirname(path)}/${name}`);

function isUnlocked(path: string, known: ReadonlySet<string>): boolean {
  const locks = Object.hasOwn(MANIFESTS, basename(path)) ? MANIFESTS[basename(path)] : undefined;
  if (locks === undefined) return false;
  for (let directory = dirname(path); ; directory = dirname(directory)) {
    const prefix = directory === '.' ? '' : `${directory}/`;
    if (locks.some((lock) => known.has(prefix + lock))) return false;
    if (directory === '.') return true;
  }
}

/** A manifest may be there for other things: `"type": "module"`, or the settings of a formatter. */
async function hasDependencies(files: SourceFiles, path: string): Promise<boolean> {
  const text = await readText(files, path);
  if (text === null) return false;
  const name = basename(path);
  if (name === 'Pipfile') return true;
  const manifest = name === 'package.json' ? parseJson(text, path) : parseToml(text, path);
  const kinds = ['dependencies', 'devDependencies', 'optionalDependencies', 'dev-dependencies', 'build-dependencies'];
  const poetry = tableOf(tableOf(manifest['tool'])['poetry']);
  return (
    [manifest, poetry].some((table) => kinds.some((kind) => Object.keys(tableOf(table[kind])).length > 0)) ||
    listOf(tableOf(manifest['project'])['dependencies']).length > 0
  );
}
