/**
 * One agent per state directory (C-27). The lock is an exclusive SQLite transaction: the kernel lets
 * go of it when the process ends, however it ends, so that no stale lock can keep an agent out.
 */
import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import { HoldfastError } from '@holdfast/core';

/** @throws `ERR_AGENT_ALREADY_RUNNING` */
export function lockStateDirectory(directory: string): Disposable {
  const db = new DatabaseSync(join(directory, 'lock.sqlite'));
  try {
    db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE;');
  } catch (cause) {
    db.close();
    throw new HoldfastError('another agent uses this state directory', { code: 'ERR_AGENT_ALREADY_RUNNING', cause });
  }
  return { [Symbol.dispose]: () => db.close() };
}
