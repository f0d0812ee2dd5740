/**
 * The files that the scanners of dependencies look at: a directory on disk, or a map in memory. Both
 * read only; nothing outside the root is read, whatever links point there.
 */
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { join, posix, relative, sep } from 'node:path';
import { inputError } from './input-error.ts';

/** Larger than any lockfile known (some 10 MB); beyond it is no manifest, lockfile or source of a program. */
export const MAX_FILE_BYTES = 64 * 1024 * 1024;
/** Installed and recorded things are not the project's own. */
const NOT_OURS: ReadonlySet<string> = new Set(['node_modules', '.git', '.hg', '.gate', '.venv', 'venv', 'target']);

/** Paths are relative to the root, with `/`, without `.` and `..`. Both implementations pass `source-files.test.ts`. */
export interface SourceFiles {
  /** The project's own files, sorted; without what is installed. MUST NOT follow links to directories. */
  list(signal: AbortSignal): Promise<readonly string[]>;
  /** `null` if there is no such file under the root. @throws `ERR_SCAN_INPUT` if it is too large or unreadable */
  read(path: string): Promise<Uint8Array | null>;
  /** The same file by its one real path, with links resolved; `null` as in `read`. */
  resolve(path: string): Promise<string | null>;
}

export interface DirectoryOptions {
  /** The tracked files, when a version control system knows them; without, the directory is walked. */
  readonly tracked?: readonly string[];
}

export function openDirectory(root: string, options: DirectoryOptions = {}): SourceFiles {
  async function resolve(path: string): Promise<string | null> {
    if (!isInside(path)) return null;
    try {
      const base = await realpath(root);
      const real = await realpath(join(root, path));
      if (real !== base && !real.startsWith(base + sep)) return null;
      return (await stat(real)).isFile() ? relative(base, real).split(sep).join('/') : null;
    } catch (error) {
      if (isAbsent(error)) return null;
      throw inputError(path, 'cannot be read', error);
    }
  }
  return {
    resolve,
    async list(signal) {
      if (options.tracked !== undefined) return options.tracked.filter(isInside).toSorted();
      const found: string[] = [];
      await walk(root, '', found, signal);
      return found.toSorted();
    },
    async read(path) {
      const real = await resolve(path);
      if (real === null) return null;
      const file = join(root, real);
      try {
        if ((await stat(file)).size > MAX_FILE_BYTES) throw inputError(path, 'is larger than 64 MiB');
        return await readFile(file);
      } catch (error) {
        if (isAbsent(error)) return null;
        throw inputError(path, 'cannot be read', error);
      }
    },
  };
}

/** The second implementation: what a map says, for scans of what is on no disk. */
export function memoryFiles(files: Readonly<Record<string, string | Uint8Array>>): SourceFiles {
  return {
    list: async () =>
      Object.keys(files)
        .filter((path) => !path.split('/').some((part) => NOT_OURS.has(part)))
        .toSorted(),
    async read(path) {
      const content = Object.hasOwn(files, path) ? files[path] : undefined;
      if (content === undefined) return null;
      return typeof content === 'string' ? new TextEncoder().encode(content) : content;
    },
    resolve: async (path) => (Object.hasOwn(files, path) ? path : null),
  };
}

/** The text of a file. @throws `ERR_SCAN_INPUT` if it is not UTF-8 */
export async function readText(files: SourceFiles, path: string): Promise<string | null> {
  const bytes = await files.read(path);
  if (bytes === null) return null;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw inputError(path, 'is not UTF-8', cause);
  }
}

async function walk(root: string, directory: string, found: string[], signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  let entries;
  try {
    entries = await readdir(join(root, directory), { withFileTypes: true });
  } catch (cause) {
    throw inputError(directory === '' ? '.' : directory, 'cannot be listed', cause);
  }
  for (const entry of entries) {
    const path = posix.join(directory, entry.name);
    if (entry.isDirectory()) {
      if (!NOT_OURS.has(entry.name)) await walk(root, path, found, signal);
    } else if (entry.isFile() || entry.isSymbolicLink()) found.push(path);
  }
}

const isInside = (path: string): boolean => path !== '' && !path.startsWith('/') && !path.split('/').includes('..');

/** ELOOP: a link that points at itself is no file. ENAMETOOLONG: no such file can exist. */
const ABSENT: ReadonlySet<unknown> = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG', 'EISDIR']);
const isAbsent = (error: unknown): boolean => error instanceof Error && 'code' in error && ABSENT.has(error.code);
