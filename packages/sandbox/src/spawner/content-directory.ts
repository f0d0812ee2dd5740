/**
 * The files that sandboxes bind, above all the launcher, which runs before any filter is on: whoever
 * could write here would be inside of every sandbox. Files are named by their content, so that several
 * spawners can share a directory, and appear whole or not at all.
 */
import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HoldfastError } from '@holdfast/core';
import { sha256Hex } from '@holdfast/crypto';
import { formatGroupName, parseGroupName } from '../cgroup/group-name.ts';
import { hasEnded, readIdentity } from '../cgroup/spawner-identity.ts';

/** What others may do in it is pass. */
const DIRECTORY_MODE = 0o711;
const WRITABLE_BY_OTHERS = 0o022;

export class ContentDirectory {
  readonly #directory: string;
  readonly #identity = readIdentity();
  #written = 0;

  /**
   * Makes the directory when it is not there, and removes what killed spawners had not finished.
   *
   * @throws `ERR_SANDBOX_DIRECTORY` when it cannot be made, is not ours, or others may write in it
   */
  constructor(directory: string) {
    this.#directory = directory;
    this.#attempt(() => mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE }));
    const found = lstatSync(directory);
    if (!found.isDirectory() || found.uid !== process.geteuid?.()) this.#refuse('it is not a directory of our own');
    if ((found.mode & WRITABLE_BY_OTHERS) !== 0) this.#refuse('others may write in it');
    this.#attempt(() => {
      for (const name of readdirSync(directory)) {
        const writer = parseGroupName(name);
        if (writer !== undefined && hasEnded(writer, this.#identity)) rmSync(join(directory, name), { force: true });
      }
    });
  }

  /** @returns the path. @throws `ERR_SANDBOX_DIRECTORY` when it cannot be written; nothing is left then */
  write(bytes: Uint8Array, mode: number): string {
    const path = join(this.#directory, sha256Hex(bytes));
    if (holds(path, bytes)) return path;
    const unfinished = join(this.#directory, formatGroupName(this.#identity, ++this.#written));
    this.#attempt(() => {
      try {
        writeFileSync(unfinished, bytes);
        chmodSync(unfinished, mode); // whatever our umask is
        renameSync(unfinished, path);
      } catch (error) {
        rmSync(unfinished, { force: true });
        throw error;
      }
    });
    return path;
  }

  #attempt(work: () => unknown): void {
    try {
      work();
    } catch (cause) {
      this.#refuse(cause instanceof Error && 'code' in cause ? String(cause.code) : 'failed', cause);
    }
  }

  #refuse(reason: string, cause?: unknown): never {
    throw new HoldfastError('the directory of the spawner cannot be used', {
      code: 'ERR_SANDBOX_DIRECTORY',
      fields: { directory: this.#directory, reason },
      cause,
    });
  }
}

/** Looked at and not believed: a crash of the machine can leave a name without its content. */
function holds(path: string, bytes: Uint8Array): boolean {
  try {
    return readFileSync(path).equals(bytes);
  } catch {
    return false; // not there
  }
}
