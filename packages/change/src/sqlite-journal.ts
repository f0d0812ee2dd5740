/**
 * The change journal in one SQLite file: WAL, `synchronous=FULL`, one transaction per write (P-12).
 *
 * The file is held exclusively: a second engine on the same journal would revert the first one's
 * changes under its hands. SQLite's lock is the kernel's and is gone with the process, however it
 * ended. Sync calls on purpose: a write is one commit, and the engine does nothing before it.
 */
import { chmodSync, closeSync, existsSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { HoldfastError, isHoldfastError, type Secret } from '@holdfast/core';
import { capturedBox } from './captured-box.ts';
import { type ChangeJournal, MAX_SETTLED_ENTRIES } from './change-journal.ts';
import { type ChangeEntry, isSettled } from './change-record.ts';

const SCHEMA_VERSION = 1;
const SCHEMA = `
  CREATE TABLE change (
    position  INTEGER PRIMARY KEY AUTOINCREMENT,
    change_id TEXT NOT NULL UNIQUE,
    settled   INTEGER NOT NULL CHECK (settled IN (0, 1)),
    entry     TEXT NOT NULL CHECK (json_valid(entry)),
    captured  BLOB
  ) STRICT;
  CREATE INDEX change_open ON change (position) WHERE settled = 0;
`;

export interface SqliteJournal extends ChangeJournal, Disposable {}

/**
 * Opens the journal, making it when it is not there.
 *
 * @param kek the host's key-encryption key, 32 bytes
 * @throws `ERR_CHANGE_JOURNAL` when the file is damaged, of another version, or open elsewhere
 */
export function openSqliteJournal(path: string, kek: Secret<Uint8Array>): SqliteJournal {
  const box = capturedBox(kek);
  const db = guarded(() => openDatabase(path));
  const statements = guarded(() => ({
    add: db.prepare('INSERT INTO change (change_id, settled, entry, captured) VALUES (?, ?, ?, ?)'),
    replace: db.prepare('UPDATE change SET settled = ?, entry = ?, captured = ? WHERE change_id = ?'),
    has: db.prepare('SELECT 1 FROM change WHERE change_id = ?'),
    get: db.prepare('SELECT entry, captured FROM change WHERE change_id = ?'),
    listOpen: db.prepare('SELECT entry, captured FROM change WHERE settled = 0 ORDER BY position'),
    listRecent: db.prepare('SELECT entry, captured FROM change ORDER BY position DESC LIMIT ?'),
  }));

  const encode = (entry: ChangeEntry): [settled: number, text: string, captured: Uint8Array | null] => {
    const { captured, ...shown } = entry;
    const sealed = captured === null ? null : box.seal(entry.changeId, captured);
    return [isSettled(entry) ? 1 : 0, JSON.stringify(shown), sealed];
  };
  const decode = (row: Record<string, unknown>): ChangeEntry => {
    // The table's types (STRICT) and `encode`, the only writer, make these what they are said to be.
    const shown = JSON.parse(row['entry'] as string) as Omit<ChangeEntry, 'captured'>;
    const sealed = row['captured'] as Uint8Array | null;
    return { ...shown, captured: sealed === null ? null : box.open(shown.changeId, sealed) };
  };

  return {
    async add(entry) {
      guarded(() => {
        if (statements.has.get(entry.changeId) !== undefined) {
          throw new HoldfastError('the change id is taken', { code: 'ERR_CHANGE_CONFLICT' });
        }
        statements.add.run(entry.changeId, ...encode(entry));
      });
    },
    async replace(entry) {
      const { changes } = guarded(() => statements.replace.run(...encode(entry), entry.changeId));
      if (changes !== 1) throw new HoldfastError('no such change', { code: 'ERR_CHANGE_UNKNOWN' });
    },
    async get(changeId) {
      const row = guarded(() => statements.get.get(changeId));
      return row === undefined ? undefined : decode(row);
    },
    async listOpen() {
      return guarded(() => statements.listOpen.all()).map(decode);
    },
    async listRecent(limit) {
      return guarded(() => statements.listRecent.all(limit)).map(decode);
    },
    [Symbol.dispose]() {
      if (db.isOpen) db.close();
    },
  };
}

function openDatabase(path: string): DatabaseSync {
  // SQLite makes its files with the mode of the database file: make that one private first.
  // Never open one that is there: closing our descriptor would drop SQLite's lock on it (fcntl(2)).
  if (!existsSync(path)) closeSync(openSync(path, 'wx', 0o600));
  chmodSync(path, 0o600);
  const db = new DatabaseSync(path, { timeout: 0 });
  try {
    // locking_mode before journal_mode: then the WAL index lives in memory and no second process gets in.
    db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
    // Captured state is erased when a change ends: its pages are overwritten, not just unlinked.
    db.exec('PRAGMA secure_delete = ON; PRAGMA trusted_schema = OFF;');
    db.exec('BEGIN IMMEDIATE');
    const version = db.prepare('PRAGMA user_version').get()?.['user_version'];
    if (version === 0) db.exec(`${SCHEMA}; PRAGMA user_version = ${SCHEMA_VERSION};`);
    else if (version !== SCHEMA_VERSION) throw new Error(`journal of version ${String(version)}`);
    db.prepare(
      `DELETE FROM change WHERE settled = 1 AND position <= (SELECT max(position) FROM change) - ${MAX_SETTLED_ENTRIES}`,
    ).run();
    db.exec('COMMIT');
    return db;
  } catch (cause) {
    db.close();
    throw cause;
  }
}

/** SQLite's own messages may quote paths and SQL: they stay in `cause`. */
function guarded<T>(call: () => T): T {
  try {
    return call();
  } catch (cause) {
    if (isHoldfastError(cause)) throw cause;
    throw new HoldfastError('the change journal cannot be used', { code: 'ERR_CHANGE_JOURNAL', cause });
  }
}
