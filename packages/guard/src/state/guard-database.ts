/**
 * What the guard has seen and must not see twice: nonces, orders, and commands that are not proven yet. One SQLite file, every write
 * durable when it returns. If the file is gone while the audit log is not, everything issued before
 * that is refused: what cannot be remembered cannot be told from a replay (G-06).
 */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { stateFault } from './state-directory.ts';

const SCHEMA = `
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS nonces (
  namespace TEXT NOT NULL, nonce TEXT NOT NULL, boot_id TEXT NOT NULL, expires_ms REAL NOT NULL,
  PRIMARY KEY (namespace, nonce)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS orders (
  order_id TEXT PRIMARY KEY, digest TEXT NOT NULL, nonce TEXT NOT NULL UNIQUE, change_id TEXT, report TEXT
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS commands (run_id TEXT PRIMARY KEY, run TEXT NOT NULL, ending TEXT) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS orders_by_change ON orders (change_id);
CREATE INDEX IF NOT EXISTS nonces_by_expiry ON nonces (boot_id, expires_ms);
`;

export interface GuardDatabase extends Disposable {
  readonly sql: DatabaseSync;
  /** Everything issued up to then is refused; `null` when nothing was ever lost. */
  readonly lost: { readonly wallMs: number; readonly bootId: string; readonly monotonicMs: number } | null;
}

export interface OpenedAt {
  readonly wallMs: number;
  readonly monotonicMs: number;
  readonly bootId: string;
  /** Whether this host has a past: its audit log holds records. */
  readonly hasHistory: boolean;
}

/** @throws `ERR_GUARD_STATE` when the file is damaged or cannot be opened */
export function openGuardDatabase(directory: string, at: OpenedAt): GuardDatabase {
  let sql: DatabaseSync;
  try {
    sql = openDurable(join(directory, 'guard.sqlite'));
    sql.exec(SCHEMA);
    const row = sql.prepare('SELECT value FROM facts WHERE name = ?').get('created');
    if (row === undefined) {
      const { wallMs, monotonicMs, bootId } = at;
      const value = JSON.stringify({ lost: at.hasHistory ? { wallMs, monotonicMs, bootId } : null });
      sql.prepare('INSERT INTO facts (name, value) VALUES (?, ?)').run('created', value);
    }
  } catch (cause) {
    throw stateFault('the database cannot be opened', cause);
  }
  const created = sql.prepare('SELECT value FROM facts WHERE name = ?').get('created');
  const { lost } = JSON.parse(String(created?.['value'])) as Pick<GuardDatabase, 'lost'>; // written above, by us
  return { sql, lost, [Symbol.dispose]: () => sql.close() };
}

/** Write-ahead log with a sync at each commit: what was written is on disk when the call returns. */
export function openDurable(path: string): DatabaseSync {
  const sql = new DatabaseSync(path, { timeout: 1_000 });
  sql.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF;');
  return sql;
}
