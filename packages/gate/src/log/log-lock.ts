/**
 * At most one process appends to a gate's log.
 *
 * The lock is SQLite's own exclusive lock on an empty file, which is the kernel's (fcntl) lock: it is
 * gone with the process however that ended, so a kill leaves nothing stale and no pid can be
 * mistaken for another's.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { DatabaseSync } from 'node:sqlite';
import { HoldfastError } from '@holdfast/core';

/** An append takes milliseconds; whoever holds the lock this long hangs. */
const MAX_WAIT_MS = 30_000;
const RETRY_MS = 5;
/** SQLite's primary result code for a lock that another holds: https://www.sqlite.org/rescode.html#busy */
const SQLITE_BUSY = 5;

/**
 * Waits until nobody else appends.
 *
 * @throws `ERR_GATE_LOG_WRITE` when the lock cannot be had; `signal.reason` when aborted
 */
export async function lockLog(path: string, signal: AbortSignal): Promise<Disposable> {
  for (let waitedMs = 0; waitedMs < MAX_WAIT_MS; waitedMs += RETRY_MS) {
    signal.throwIfAborted();
    const lock = tryLock(path);
    if (lock !== undefined) return lock;
    await delay(RETRY_MS, undefined, { signal }).catch(() => undefined); // the next round throws the reason
  }
  throw new HoldfastError('another process holds the lock of the gate', {
    code: 'ERR_GATE_LOG_WRITE',
    fields: { reason: 'locked' },
  });
}

function tryLock(path: string): Disposable | undefined {
  let db: DatabaseSync | undefined;
  try {
    // Only SQLite opens the file: closing any other descriptor of it would drop the lock (fcntl(2)).
    db = new DatabaseSync(path, { timeout: 0 });
    db.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    db?.close();
    if (cause instanceof Error && 'errcode' in cause && cause.errcode === SQLITE_BUSY) return undefined;
    throw new HoldfastError('the lock of the gate cannot be taken', {
      code: 'ERR_GATE_LOG_WRITE',
      fields: { reason: 'lock' },
      cause,
    });
  }
  const held = db;
  return { [Symbol.dispose]: () => held.close() };
}
