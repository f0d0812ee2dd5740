/** Reads files of a work tree that may be hostile: never through a symlink, never a pipe or a device, never more than a limit. */
import { constants } from 'node:fs';
import { open, readlink, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import type { TreeFile } from '../git/git-repository.ts';

export type ReadFile =
  | { readonly bytes: Buffer }
  /** `failed`: it should have been readable, so the scan is not complete. `gone`: deleted, not yet committed. */
  | { readonly skipped: string; readonly failed: boolean }
  | { readonly gone: true };

export class TreeReader {
  readonly #root: string;
  readonly #maxBytes: number;
  /** Directories that were found to be inside the root. */
  readonly #inside = new Map<string, boolean>();

  constructor(root: string, maxBytes: number) {
    this.#root = root;
    this.#maxBytes = maxBytes;
  }

  async read(file: TreeFile): Promise<ReadFile> {
    if (file.kind === 'submodule') return { skipped: 'a submodule: scan its repository', failed: false };
    if (file.kind === 'repository') return { skipped: 'another repository', failed: false };
    const path = join(this.#root, file.path);
    try {
      if (!(await this.#isInside(dirname(path)))) return { gone: true };
      return await this.#readInside(path);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
      if (code === 'ENOENT' || code === 'ENOTDIR') return { gone: true };
      if (code === 'ELOOP') return { bytes: await readlink(path, { encoding: 'buffer' }) };
      if (code === 'ENXIO') return { skipped: 'no regular file', failed: false }; // a socket
      return { skipped: `it could not be read (${code})`, failed: true };
    }
  }

  async #readInside(path: string): Promise<ReadFile> {
    await using handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const status = await handle.stat();
    if (!status.isFile()) return { skipped: 'no regular file', failed: false };
    if (status.size > this.#maxBytes) return { skipped: tooLarge(this.#maxBytes), failed: false };
    return { bytes: await handle.readFile() };
  }

  /** A tracked directory may have been replaced by a symlink to anywhere. */
  async #isInside(directory: string): Promise<boolean> {
    let inside = this.#inside.get(directory);
    if (inside === undefined) {
      const real = await realpath(directory);
      inside = real === this.#root || real.startsWith(`${this.#root}/`);
      this.#inside.set(directory, inside);
    }
    return inside;
  }
}

export const tooLarge = (maxBytes: number): string => `it is larger than ${maxBytes / 1_048_576} MiB`;
