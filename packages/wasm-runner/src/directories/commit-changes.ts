/**
 * Writes what a guest changed in its copy back to the host's directory, when a person asked for that.
 * Every name is resolved by the kernel below the directory, no link is followed, and a file appears
 * whole or not at all. What others changed meanwhile under the same name is overwritten.
 */
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  rmdirSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { HoldfastError } from '@holdfast/core';
import { loadOpenBeneath } from '../broker/open-beneath.ts';
import type { DirectoryChange } from '../runner.ts';

/**
 * @param changes of one directory, in the order of the result
 * @throws `ERR_WASM_DIRECTORY` at the first that cannot be written; those before it are written
 */
export function commitChanges(hostPath: string, changes: readonly DirectoryChange[]): void {
  const openBeneath = loadOpenBeneath();
  const root = openSync(hostPath, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    for (const [written, change] of changes.entries()) {
      const name = change.path.at(-1);
      const parent = openBeneath(root, change.path.slice(0, -1).join('/') || '.');
      try {
        if (name === undefined || typeof parent === 'string') throw new Error('its directory is not there');
        apply(`/proc/self/fd/${parent}`, name, change);
      } catch (cause) {
        throw new HoldfastError('a change could not be written', {
          code: 'ERR_WASM_DIRECTORY',
          fields: { written, wanted: changes.length },
          cause,
        });
      } finally {
        if (typeof parent === 'number') closeSync(parent);
      }
    }
  } finally {
    closeSync(root);
  }
}

function apply(directory: string, name: string, { kind, change, bytes }: DirectoryChange): void {
  const path = `${directory}/${name}`;
  const before = lstatSync(path, { throwIfNoEntry: false });
  if (change === 'removed') {
    if (before !== undefined) (kind === 'file' ? unlinkSync : rmdirSync)(path);
  } else if (kind === 'directory') {
    if (before?.isDirectory() !== true) mkdirSync(path);
  } else {
    const temporary = `${directory}/.holdfast-${randomUUID()}`;
    const fd = openSync(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW);
    try {
      writeFileSync(fd, bytes ?? new Uint8Array());
      if (before?.isFile() === true) {
        fchownSync(fd, before.uid, before.gid);
        fchmodSync(fd, before.mode & 0o777); // without set-user-id: the content is the guest's now
      }
      fsyncSync(fd);
      renameSync(temporary, path);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    } finally {
      closeSync(fd);
    }
  }
}
