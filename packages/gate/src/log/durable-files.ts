/** Files that survive a power cut: temporary file, fsync, rename, fsync of the directory. Never through a symlink. */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, rename, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { HoldfastError } from '@holdfast/core';

/** Also in the `.gitignore` beside the log. */
export const TEMPORARY_SUFFIX = '.tmp';

/** Writes `bytes` to `path` so that after a crash there is either all of it or what was there before. */
export async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = join(dirname(path), `.${randomBytes(8).toString('hex')}${TEMPORARY_SUFFIX}`);
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  const file = await open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o666); // the umask decides
  try {
    try {
      await file.writeFile(bytes);
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

/** Makes a directory, with those above it, and their names durable. */
export async function makeDirectory(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true });
  if (first === undefined) return;
  for (let made = path; made.length >= first.length; made = dirname(made)) await syncDirectory(dirname(made));
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
 * Reads a regular file of at most `maxBytes`.
 *
 * @returns `undefined` when there is nothing at `path`
 * @throws `ERR_GATE_LOG_INVALID` when it is something else or too large
 */
export async function readRegularFile(path: string, maxBytes: number): Promise<Uint8Array | undefined> {
  let file: FileHandle;
  try {
    // O_NONBLOCK: a FIFO must not make us wait for its writer.
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
    if (errnoOf(error) === 'ELOOP') throw notAFile('a file of it is a symlink');
    throw error;
  }
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw notAFile('a file of it is not a regular file');
    if (stat.size > maxBytes) throw notAFile('a file of it is too large');
    return await file.readFile();
  } finally {
    await file.close();
  }
}

export function errnoOf(error: unknown): string | undefined {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}

function notAFile(reason: string): HoldfastError {
  return new HoldfastError(`the log of the gate cannot be read: ${reason}`, {
    code: 'ERR_GATE_LOG_INVALID',
    fields: { rule: 'R-10', reason },
  });
}
