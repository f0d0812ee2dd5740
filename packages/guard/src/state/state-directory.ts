/**
 * The directory of what the guard must not forget: made and checked at start, held by one guard at a
 * time. The lock is the kernel's (through SQLite's exclusive transaction): it dies with its holder.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { HoldfastError, Secret } from '@holdfast/core';

const PRIVATE_DIRECTORY = 0o700;
const EVIDENCE_DIRECTORY = 0o750;
const OTHERS = 0o077;
const KEK_BYTES = 32;

export function stateFault(reason: string, cause?: unknown): HoldfastError {
  return new HoldfastError(`the state directory cannot be used: ${reason}`, {
    code: 'ERR_GUARD_STATE',
    fields: { reason },
    cause,
  });
}

/** Makes the directory private to us, or refuses it. @throws `ERR_GUARD_STATE` */
export function prepareStateDirectory(directory: string): void {
  try {
    // What is above it is shared with the agent and the evidence store; only the directory itself is private.
    mkdirSync(dirname(directory), { recursive: true, mode: 0o755 });
    if (lstatSync(directory, { throwIfNoEntry: false }) === undefined)
      mkdirSync(directory, { mode: PRIVATE_DIRECTORY });
    const stat = lstatSync(directory);
    if (!stat.isDirectory()) throw stateFault('not a directory');
    if (stat.uid !== process.geteuid?.()) throw stateFault('owned by somebody else');
    if ((stat.mode & OTHERS) !== 0) throw stateFault('open to others');
  } catch (cause) {
    throw cause instanceof HoldfastError ? cause : stateFault('cannot be made', cause);
  }
}

/**
 * Makes the evidence directory ours to write and the agent's group's to read, whoever made it and
 * however: a service manager gives directories modes of its own.
 *
 * @throws `ERR_GUARD_STATE`
 */
export function prepareEvidenceDirectory(directory: string, gid: number): void {
  try {
    mkdirSync(directory, { recursive: true, mode: EVIDENCE_DIRECTORY });
    const descriptor = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    try {
      fchownSync(descriptor, process.geteuid?.() ?? 0, gid);
      fchmodSync(descriptor, EVIDENCE_DIRECTORY);
    } finally {
      closeSync(descriptor);
    }
  } catch (cause) {
    throw stateFault('the evidence directory cannot be made', cause);
  }
}

/** @throws `ERR_GUARD_ALREADY_RUNNING` */
export function lockStateDirectory(directory: string): Disposable {
  const database = new DatabaseSync(join(directory, 'lock.sqlite'), { timeout: 0 });
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    database.close();
    throw new HoldfastError('another guard holds the state directory', { code: 'ERR_GUARD_ALREADY_RUNNING', cause });
  }
  return { [Symbol.dispose]: () => database.close() };
}

/**
 * The key that seals captured state at rest. Made on first use; a file that is not exactly a key of
 * ours is refused, never replaced: what it sealed would be lost.
 *
 * @throws `ERR_GUARD_STATE`
 */
export function loadKeyEncryptionKey(directory: string): Secret<Uint8Array> {
  const path = join(directory, 'journal.kek');
  try {
    return new Secret(readKey(path));
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'ENOENT')) throw cause;
  }
  const temporary = `${path}.new`;
  const file = openSync(
    temporary,
    constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW,
    0o600,
  );
  try {
    writeSync(file, randomBytes(KEK_BYTES));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
  const parent = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(parent);
  } finally {
    closeSync(parent);
  }
  return new Secret(readKey(path));
}

function readKey(path: string): Uint8Array {
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(file);
    const isOurs = stat.isFile() && stat.uid === process.geteuid?.() && (stat.mode & OTHERS) === 0;
    const bytes = Buffer.alloc(KEK_BYTES);
    if (!isOurs || stat.size !== KEK_BYTES || readSync(file, bytes) !== KEK_BYTES)
      throw stateFault('the journal key is not usable');
    return bytes;
  } finally {
    closeSync(file);
  }
}
