/** Writes a small file so that a reader, and a restart after a crash, sees the old or the new one and nothing between. */
import { chmodSync, chownSync, closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { dirname, join } from 'node:path';

export interface FileOwner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Temporary file beside it, fsync, rename, fsync of the directory.
 *
 * @param mode permission bits, exact: the umask does not narrow them
 * @param owner left to the running user when absent
 */
export function writeFileAtomically(path: string, text: string, mode: number, owner?: FileOwner): void {
  const temporary = join(dirname(path), `.${randomUUID()}.tmp`);
  try {
    // `wx`: never through a symlink or into a file that somebody else put there.
    const file = openSync(temporary, 'wx', mode);
    try {
      const bytes = Buffer.from(text);
      for (let written = 0; written < bytes.length;) written += writeSync(file, bytes, written);
      chmodSync(temporary, mode);
      if (owner !== undefined) chownSync(temporary, owner.uid, owner.gid);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  const directory = openSync(dirname(path), 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
