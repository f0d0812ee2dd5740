/**
 * A lock on a directory that the kernel gives up when its holder dies, however it dies. Node has no
 * flock(2); SQLite's exclusive lock is an fcntl(2) lock on the file, held by this process alone and
 * never inherited by its children.
 */
import { HoldfastError } from '@holdfast/core';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

export interface DirectoryLock extends Disposable {
  readonly path: string;
}

/** @throws `ERR_STORE_ALREADY_RUNNING` when a live process (this one included) holds it */
export function lockDirectory(directory: string): DirectoryLock {
  const path = join(directory, 'supervisor.lock');
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    database.close();
    throw new HoldfastError('another process runs a database here', { code: 'ERR_STORE_ALREADY_RUNNING', cause });
  }
  let held = true;
  return {
    path,
    [Symbol.dispose](): void {
      if (!held) return;
      held = false;
      database.close();
    },
  };
}
