/**
 * One granted host directory, read-only, served to a guest that may be hostile while others rename in
 * it. Lives in the parent, never in the process that runs the guest.
 *
 * What is neither a directory nor a regular file with exactly one name, all on the file system of the
 * grant, does not exist for the guest: symbolic links, devices, sockets, FIFOs, mount points, and
 * files with several hard links, because one of the names may be outside.
 */
import { HoldfastError } from '@holdfast/core';
import type { FileError, FileResult, FileStat } from '@holdfast/wasm';
import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  opendirSync,
  openSync,
  readlinkSync,
  readSync,
} from 'node:fs';
import { join } from 'node:path';
import { assertOpenBeneath, loadOpenBeneath } from './open-beneath.ts';

export interface BrokerLimits {
  /** Files open at once. */
  readonly openFiles: number;
  /** Read by one run in all. */
  readonly readBytes: number;
  /** Names of one directory. */
  readonly listEntries: number;
}

/** What one answer carries at most; a guest asks again for more. */
export const MAX_READ_BYTES = 1_048_576;
/** PATH_MAX */
const MAX_PATH_BYTES = 4_096;

export interface BrokerEntry {
  readonly name: string;
  readonly kind: 'file' | 'directory';
  readonly inode: bigint;
}

/** Paths are lists of names, as `GuestFileSystem` has them; they are checked here again. */
export interface DirectoryBroker extends Disposable {
  stat(path: readonly string[]): FileResult<FileStat>;
  list(path: readonly string[]): FileResult<readonly BrokerEntry[]>;
  open(path: readonly string[]): FileResult<number>;
  statFile(handle: number): FileResult<FileStat>;
  read(handle: number, offset: number, length: number): FileResult<Uint8Array>;
  close(handle: number): void;
}

const refuse = (error: FileError): { readonly ok: false; readonly error: FileError } => ({ ok: false, error });
const answer = <T>(value: T): { readonly ok: true; readonly value: T } => ({ ok: true, value });

const isName = (name: string): boolean =>
  name !== '' && name !== '.' && name !== '..' && !name.includes('/') && !name.includes('\0');

function joinPath(path: readonly string[]): string | undefined {
  if (!path.every(isName)) return undefined;
  const joined = path.length === 0 ? '.' : path.join('/');
  return Buffer.byteLength(joined) < MAX_PATH_BYTES ? joined : undefined;
}

const describe = (stats: BigIntStats): FileStat => ({
  kind: stats.isDirectory() ? 'directory' : 'file',
  sizeBytes: stats.isDirectory() ? 0 : Number(stats.size),
  inode: stats.ino,
  modifiedNs: stats.mtimeNs,
});

const pathOf = (descriptor: number): string => readlinkSync(`/proc/self/fd/${descriptor}`);

/**
 * Whether the name by which a file was opened still stands. Called after its link count was seen to
 * be one: only then is that one name this one, and not that of a file outside which somebody linked
 * in and is unlinking again.
 *
 * The kernel lowers the count first and removes the name then, both with the directory locked. So the
 * directory is read in between, which waits for that lock, and the path compared after it.
 */
function stillHasItsName(fd: number, directory: number, name: string): boolean {
  {
    using entries = opendirSync(`/proc/self/fd/${directory}`);
    entries.readSync();
  }
  const [parent, path] = [pathOf(directory), pathOf(fd)];
  return path === join(parent, name) && pathOf(directory) === parent;
}

/**
 * @param hostPath whatever the operator named, links in it included: this one path is trusted
 * @throws `ERR_WASM_DIRECTORY` when it is no readable directory
 */
export function openDirectoryBroker(hostPath: string, limits: BrokerLimits): DirectoryBroker {
  const openBeneath = loadOpenBeneath();
  let root: number;
  try {
    root = openSync(hostPath, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (cause) {
    throw new HoldfastError('the directory cannot be opened', { code: 'ERR_WASM_DIRECTORY', cause });
  }
  const device = fstatSync(root, { bigint: true }).dev;
  const handles = new Map<number, number>();
  let nextHandle = 1;
  let readLeft = limits.readBytes;

  const exists = (stats: BigIntStats): boolean =>
    stats.dev === device && (stats.isDirectory() || (stats.isFile() && stats.nlink === 1n));

  /** Opens, looks, and hands the descriptor to `use`; it is closed again whatever happens. */
  function at<T>(path: readonly string[], use: (fd: number, stats: BigIntStats) => FileResult<T>): FileResult<T> {
    const parent = joinPath(path.slice(0, -1));
    const name = joinPath(path.slice(-1));
    if (parent === undefined || name === undefined) return refuse('invalid');
    const directory = openBeneath(root, parent);
    if (typeof directory === 'string') return refuse(directory);
    const fd = openBeneath(directory, name);
    try {
      if (typeof fd === 'string') return refuse(fd);
      const stats = fstatSync(fd, { bigint: true });
      if (!exists(stats)) return refuse('not-found');
      if (stats.isFile() && !stillHasItsName(fd, directory, name)) return refuse('not-found');
      return use(fd, stats);
    } catch {
      return refuse('io'); // gone between two calls, or unreadable for us: the same to a guest
    } finally {
      if (typeof fd === 'number') closeSync(fd);
      closeSync(directory);
    }
  }

  const fdOf = (handle: number): number | undefined => handles.get(handle);

  try {
    assertOpenBeneath(openBeneath, root);
  } catch (error) {
    closeSync(root);
    throw error;
  }
  return {
    stat: (path) => at(path, (_fd, stats) => answer(describe(stats))),

    list: (path) =>
      at(path, (fd, stats) => {
        if (!stats.isDirectory()) return refuse('not-a-directory');
        const entries: BrokerEntry[] = [];
        // The magic link is the directory itself, whatever its name is by now.
        using directory = opendirSync(`/proc/self/fd/${fd}`);
        for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
          if (entries.length === limits.listEntries) return refuse('too-large');
          if (!entry.isFile() && !entry.isDirectory()) continue;
          const seen = lstatSync(`/proc/self/fd/${fd}/${entry.name}`, { bigint: true, throwIfNoEntry: false });
          if (seen === undefined || !exists(seen)) continue;
          entries.push({ name: entry.name, kind: seen.isDirectory() ? 'directory' : 'file', inode: seen.ino });
        }
        return answer(entries);
      }),

    open: (path) =>
      at(path, (fd, stats) => {
        if (!stats.isFile()) return refuse('is-a-directory');
        if (handles.size >= limits.openFiles) return refuse('quota');
        // Only now that it is known to be a regular file: opening anything else to read may do something.
        const file = openSync(`/proc/self/fd/${fd}`, constants.O_RDONLY | constants.O_NONBLOCK);
        handles.set(nextHandle, file);
        return answer(nextHandle++);
      }),

    statFile(handle) {
      const fd = fdOf(handle);
      return fd === undefined ? refuse('invalid') : answer(describe(fstatSync(fd, { bigint: true })));
    },

    read(handle, offset, length) {
      const fd = fdOf(handle);
      if (fd === undefined || !Number.isSafeInteger(offset) || offset < 0) return refuse('invalid');
      if (!Number.isSafeInteger(length) || length < 0) return refuse('invalid');
      if (readLeft === 0 && length > 0) return refuse('quota');
      const buffer = new Uint8Array(Math.min(length, MAX_READ_BYTES, readLeft));
      try {
        const count = readSync(fd, buffer, 0, buffer.length, offset);
        readLeft -= count;
        return answer(buffer.subarray(0, count));
      } catch {
        return refuse('io');
      }
    },

    close(handle) {
      const fd = fdOf(handle);
      if (fd !== undefined) closeSync(fd);
      handles.delete(handle);
    },

    [Symbol.dispose]() {
      for (const fd of handles.values()) closeSync(fd);
      handles.clear();
      closeSync(root);
    },
  };
}
