/**
 * Walks a path component by component below a root directory, holding each directory by descriptor,
 * so that neither a symlink nor a rename meanwhile leads out of the root (the guarantees of
 * openat2(2) `RESOLVE_IN_ROOT`, which Node does not have). Symlinks in the middle of a path are
 * followed inside the root (`/bin`, `/var/run`); the last component is left to the caller.
 */
import { closeSync, constants, openSync, readlinkSync } from 'node:fs';

import { HoldfastError } from '@holdfast/core';

/** Linux, all architectures. Takes search permission only, so that an unprivileged reader gets as far as any program. */
const O_PATH = 0o10000000;
/** path_resolution(7): the kernel itself stops after 40. */
export const MAX_SYMLINKS = 40;
const DIRECTORY = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;

const errno = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

/** The directory of a path, held open, and the name in it. */
export class Parent implements Disposable {
  readonly #fd: number;
  readonly name: string;

  constructor(fd: number, name: string) {
    this.#fd = fd;
    this.name = name;
  }

  /** A path that means `name` in this very directory, whatever happens to its own path. */
  at(name = this.name): string {
    return `/proc/self/fd/${this.#fd}/${name}`;
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

/**
 * @param path as `parseHostPath` takes it
 * @returns `undefined` when a directory on the way does not exist or is none
 * @throws `ERR_HOST_FILE_REFUSED` for more than 40 symlinks, `ERR_HOST_FILE_UNREADABLE`
 */
export function openParent(root: string, path: string): Parent | undefined {
  const left = components(path);
  let symlinks = 0;
  const name = left.pop() ?? '.';
  /** Root first; `..` in a symlink steps back, and stops at the root. */
  const held = [openSync(root, O_PATH | constants.O_DIRECTORY)];
  const top = (): number => held.at(-1) as number; // the root is never popped
  try {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      if (next === '..') {
        if (held.length > 1) closeSync(held.pop() as number);
        continue;
      }
      const here = `/proc/self/fd/${top()}/${next}`;
      try {
        held.push(openSync(here, DIRECTORY));
      } catch (cause) {
        if (errno(cause) === 'ENOENT') return undefined;
        // With O_DIRECTORY a symlink fails with ENOTDIR, as any other file does.
        if (errno(cause) !== 'ENOTDIR' && errno(cause) !== 'ELOOP') throw unreadable(cause);
        const target = readlink(here);
        if (target === undefined) return undefined;
        symlinks += 1;
        if (symlinks > MAX_SYMLINKS) throw refused('too many symlinks');
        if (target.startsWith('/')) for (const fd of held.splice(1)) closeSync(fd);
        left.unshift(...components(target));
      }
    }
    return new Parent(held.pop() as number, name);
  } finally {
    for (const fd of held) closeSync(fd);
  }
}

const components = (path: string): string[] => path.split('/').filter((name) => name !== '' && name !== '.');

/** @returns `undefined` for what is not a symlink */
function readlink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (cause) {
    if (errno(cause) === 'EINVAL' || errno(cause) === 'ENOENT') return undefined;
    throw unreadable(cause);
  }
}

function refused(reason: string): HoldfastError {
  return new HoldfastError('the path is refused', { code: 'ERR_HOST_FILE_REFUSED', fields: { reason } });
}

function unreadable(cause: unknown): HoldfastError {
  return new HoldfastError('a directory on the way cannot be entered', { code: 'ERR_HOST_FILE_UNREADABLE', cause });
}
