/**
 * At most one process appends to a log.
 *
 * The lock is SQLite's own exclusive lock on an empty file, which is the kernel's (fcntl) lock: it
 * is gone with the process however that ended, so a kill leaves nothing stale, and no pid can be
 * mistaken for another's. Node has no flock; a pid file would need guesses about reused pids.
 */
import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { HoldfastError } from '@holdfast/core';

/** @throws `ERR_AUDIT_LOCKED` when another process, or this one, holds it */
export function lockLog(path: string): Disposable {
  closeSync(openSync(path, 'a', 0o600));
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
