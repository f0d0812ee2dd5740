/**
 * At most one process appends to a log.
 *
 * The lock is SQLite's own exclusive lock on an empty file, which is the kernel's (fcntl) lock: it
 * is gone with the process however that ended, so a kill leaves nothing stale, and no pid can be
 * mistaken for another's. Node has no flock; a pid file would need guesses about reused pids.
 */
import { DatabaseSync } from 'node:sqlite';
import { HoldfastError } from '@holdfast/core';

/** @throws `ERR_AUDIT_LOCKED` when another process, or this one, holds it */
export function lockLog(path: string): Disposable {
  // Only SQLite opens the file: closing any other descriptor of it would drop the lock (fcntl(2)).
  const db = new DatabaseSync(path, { timeout: 0 });
  try {
    db.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    db.close();
    throw new HoldfastError('the audit log is open elsewhere', { code: 'ERR_AUDIT_LOCKED', cause });
  }
  return {
    [Symbol.dispose]() {
      if (db.isOpen) db.close();
    },
  };
}
