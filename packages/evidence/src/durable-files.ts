/**
 * Files that survive a power cut: temporary file, fsync, rename, fsync of the directory (P-28), with
 * the modes of the evidence store whatever the umask.
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, rename, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { HoldfastError } from '@holdfast/core';

export interface FileModes {
  /** Octal, such as `0o750`. */
  readonly directory: number;
  readonly file: number;
  /** Group given to everything created; `undefined` leaves it as it comes. */
  readonly gid: number | undefined;
}

export const TEMPORARY_SUFFIX = '.tmp';
/** chown(2): this id stays as it is. */
const UNCHANGED = -1;

/** Writes `bytes` to `path` so that after a crash there is either all of it or none of it. Replaces what is there. */
export async function writeDurably(path: string, bytes: Uint8Array, modes: FileModes): Promise<void> {
  const temporary = join(dirname(path), `.${randomBytes(8).toString('hex')}${TEMPORARY_SUFFIX}`);
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  const file = await open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    try {
      await file.writeFile(bytes);
      await applyModes(file, modes.file, modes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => undefined); // the first error is the one to tell
    throw error;
  }
  await syncDirectory(dirname(path));
}

/** Makes one directory and makes its name durable. @returns whether it was not there before */
export async function makeDirectory(path: string, modes: FileModes): Promise<boolean> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
    if ((await lstat(path)).isDirectory()) return false;
    throw new HoldfastError('the evidence store has something else where a directory belongs', {
      code: 'ERR_EVIDENCE_CONFLICT',
      cause: error,
    });
  }
  const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    await applyModes(directory, modes.directory, modes);
    await directory.sync();
  } finally {
    await directory.close();
  }
  return true;
}

export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/**
 * Reads a regular file of at most `maxBytes`, not through a symlink.
 *
 * @returns `undefined` when there is nothing at `path`
 * @throws `ERR_EVIDENCE_MALFORMED` when it is something else or too large
 */
export async function readRegularFile(path: string, maxBytes: number): Promise<Uint8Array | undefined> {
  let file: FileHandle;
  try {
    // O_NONBLOCK: a FIFO must not make us wait for its writer.
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
    if (errnoOf(error) === 'ELOOP') throw notAFile('a symlink');
    throw error;
  }
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw notAFile('not a regular file');
    if (stat.size > maxBytes) throw notAFile('too large');
    return await file.readFile();
  } finally {
    await file.close();
  }
}

export function errnoOf(error: unknown): string | undefined {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}

async function applyModes(handle: FileHandle, mode: number, { gid }: FileModes): Promise<void> {
  if (gid !== undefined) await handle.chown(UNCHANGED, gid);
  await handle.chmod(mode); // after chown, which may clear bits
}

function notAFile(what: string): HoldfastError {
  return new HoldfastError(`not a bundle file: ${what}`, { code: 'ERR_EVIDENCE_MALFORMED', fields: { what } });
}
