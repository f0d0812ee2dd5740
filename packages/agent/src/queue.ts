/**
 * The upload queue: which bundles of evidence the server has yet to acknowledge, in one SQLite file
 * (C-32). It holds paths, not bundles: the guard's evidence store keeps the bytes.
 *
 * Durability: WAL with `synchronous = FULL`, so that what a method did is on disk when it returns.
 * The cursor into the guard's outbox moves in the transaction that inserts, so that a crash at any
 * point neither skips nor doubles a bundle (C-33).
 */
import { DatabaseSync } from 'node:sqlite';
import type { OutboxItem } from './ports.ts';

/** C-32: 2ⁿ minutes, at most an hour. */
const MAX_BACKOFF_MS = 3_600_000;
/** C-32: after so many permanent refusals a person has to look. */
export const MAX_REFUSALS = 10;
const DAY_MS = 86_400_000;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS bundle (
    bundle_id   TEXT PRIMARY KEY,
    seq         INTEGER NOT NULL,
    path        TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('pending', 'uploading', 'uploaded', 'dead', 'lost')),
    tries       INTEGER NOT NULL DEFAULT 0,
    refusals    INTEGER NOT NULL DEFAULT 0,
    due_ms      INTEGER NOT NULL DEFAULT 0,
    enqueued_ms INTEGER NOT NULL,
    ended_ms    INTEGER,
    code        TEXT,
    log_index   INTEGER,
    leaf_hash   TEXT,
    promise     TEXT
  ) STRICT;
  CREATE INDEX IF NOT EXISTS bundle_by_state ON bundle (state, seq);
  CREATE TABLE IF NOT EXISTS number (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
  INSERT OR IGNORE INTO number VALUES ('cursor', 0), ('uploaded', 0);
`;

/** The code of a bundle whose file is there and could not be read (EACCES, EIO, EMFILE). */
export const EVIDENCE_UNREADABLE = 'EVIDENCE_UNREADABLE';

export interface QueuedBundle {
  readonly bundleId: string;
  readonly path: string;
}

/** The server's inclusion promise (P-33); a duplicate's may be absent. */
export interface Receipt {
  readonly index: number | null;
  readonly leafHash: string | null;
  readonly promise: string | null;
}

/** What became of one claimed bundle. */
export type Settlement =
  | { readonly bundleId: string; readonly kind: 'uploaded'; readonly receipt: Receipt }
  /** The server refused these bytes; the tenth time, or when `final`, it is dead. */
  | { readonly bundleId: string; readonly kind: 'refused'; readonly code: string; readonly final: boolean }
  /** The server asked for another try. */
  | { readonly bundleId: string; readonly kind: 'retry'; readonly code: string | null }
  /** Nobody judged it: no connection, or it did not fit. Does not count as a try. */
  | { readonly bundleId: string; readonly kind: 'released' }
  /** Its file is gone. */
  | { readonly bundleId: string; readonly kind: 'lost' };

export interface QueueStats {
  readonly totalPending: number;
  readonly totalUploaded: number;
  readonly dead: number;
  readonly lost: number;
  /** Pending, but the last try could not read the file. */
  readonly unreadable: number;
  /** Pending, but the server refused it at least once. */
  readonly refused: number;
  readonly readyForRetry: number;
  readonly oldestPendingMs: number | null;
}

export interface Queue {
  /** Audit sequence number up to which the guard's outbox was taken in. */
  cursor(): number;
  /** Inserts what is new and moves the cursor, in one transaction. @returns how many were new */
  enqueue(items: readonly OutboxItem[], nextSeq: number): number;
  /** Takes up to `limit` bundles that are due, oldest first; they are `uploading` until settled. */
  claim(limit: number): QueuedBundle[];
  settle(settlements: readonly Settlement[]): void;
  receipt(bundleId: string): Receipt | null;
  stats(): QueueStats;
  /** Forgets bundles uploaded more than `days` ago. @returns how many */
  prune(days: number): number;
  close(): void;
}

/** Wall time, because it must survive a reboot, and a number in [0, 1) for the jitter. */
export interface QueueSources {
  wallMs(): number;
  random(): number;
}

/** @returns minutes doubled per try, at most an hour, within ± 10 % */
export function backoffMs(tries: number, random: number): number {
  return Math.round(Math.min(2 ** tries * 60_000, MAX_BACKOFF_MS) * (0.9 + 0.2 * random));
}

/** Opens or makes the queue. Bundles that were being uploaded when the last process ended are pending again. */
export function openQueue(path: string, sources: QueueSources): Queue {
  const db = new DatabaseSync(path);
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 2000;');
  db.exec(SCHEMA);
  db.exec(`UPDATE bundle SET state = 'pending' WHERE state = 'uploading'`);

  // A due time further away than any backoff comes from a clock that has since been set back.
  const due = `state = 'pending' AND (due_ms <= :now OR due_ms > :now + ${2 * MAX_BACKOFF_MS})`;
  const sql = {
    number: db.prepare('SELECT value FROM number WHERE name = ?'),
    setCursor: db.prepare(`UPDATE number SET value = ? WHERE name = 'cursor'`),
    countUploaded: db.prepare(`UPDATE number SET value = value + 1 WHERE name = 'uploaded'`),
    insert: db.prepare(
      // Not OR IGNORE, which would also pass over a row that breaks a constraint.
      `INSERT INTO bundle (bundle_id, seq, path, state, enqueued_ms) VALUES (?, ?, ?, 'pending', ?)
       ON CONFLICT (bundle_id) DO NOTHING`,
    ),
    claim: db.prepare(
      `UPDATE bundle SET state = 'uploading' WHERE bundle_id IN
         (SELECT bundle_id FROM bundle WHERE ${due} ORDER BY seq LIMIT :limit)
       RETURNING bundle_id AS bundleId, path, seq`,
    ),
    uploaded: db.prepare(
      `UPDATE bundle SET state = 'uploaded', ended_ms = ?, log_index = ?, leaf_hash = ?, promise = ?, code = NULL
       WHERE bundle_id = ? AND state <> 'uploaded'`,
    ),
    again: db.prepare(
      `UPDATE bundle SET state = ?, tries = tries + 1, refusals = refusals + ?, due_ms = ?, code = ? WHERE bundle_id = ?`,
    ),
    // Whoever gives a bundle back or finds it gone has looked at its file: it is not unreadable any more.
    end: db.prepare(
      `UPDATE bundle SET state = ?, ended_ms = ?, code = nullif(code, '${EVIDENCE_UNREADABLE}') WHERE bundle_id = ?`,
    ),
    tries: db.prepare('SELECT tries, refusals FROM bundle WHERE bundle_id = ?'),
    receipt: db.prepare(
      `SELECT log_index AS "index", leaf_hash AS leafHash, promise FROM bundle WHERE bundle_id = ? AND state = 'uploaded'`,
    ),
    stats: db.prepare(
      `SELECT (SELECT count(*) FROM bundle WHERE state IN ('pending', 'uploading')) AS totalPending,
              (SELECT value FROM number WHERE name = 'uploaded') AS totalUploaded,
              (SELECT count(*) FROM bundle WHERE state = 'dead') AS dead,
              (SELECT count(*) FROM bundle WHERE state = 'lost') AS lost,
              (SELECT count(*) FROM bundle WHERE state IN ('pending', 'uploading') AND code = '${EVIDENCE_UNREADABLE}') AS unreadable,
              (SELECT count(*) FROM bundle WHERE state IN ('pending', 'uploading') AND refusals > 0) AS refused,
              (SELECT count(*) FROM bundle WHERE ${due}) AS readyForRetry,
              (SELECT min(enqueued_ms) FROM bundle WHERE state IN ('pending', 'uploading')) AS oldestPendingMs`,
    ),
    prune: db.prepare(`DELETE FROM bundle WHERE state = 'uploaded' AND ended_ms < ?`),
  };

  function transaction<T>(work: () => T): T {
    db.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      db.exec('COMMIT');
      return result;
    } catch (error) {
      // A full disk may have ended the transaction already.
      if (db.isTransaction) db.exec('ROLLBACK');
      throw error;
    }
  }

  function settleOne(settlement: Settlement): void {
    const { bundleId } = settlement;
    const now = sources.wallMs();
    switch (settlement.kind) {
      case 'uploaded': {
        const { index, leafHash, promise } = settlement.receipt;
        if (sql.uploaded.run(now, index, leafHash, promise, bundleId).changes === 1) sql.countUploaded.run();
        return;
      }
      case 'refused':
      case 'retry': {
        const row = sql.tries.get(bundleId);
        if (row === undefined) return;
        const refused = settlement.kind === 'refused' ? 1 : 0;
        const isDead =
          settlement.kind === 'refused' && (settlement.final || Number(row['refusals']) + 1 >= MAX_REFUSALS);
        const dueMs = now + backoffMs(Number(row['tries']), sources.random());
        sql.again.run(isDead ? 'dead' : 'pending', refused, dueMs, settlement.code, bundleId);
        return;
      }
      case 'released':
        sql.end.run('pending', null, bundleId);
        return;
      case 'lost':
        sql.end.run('lost', now, bundleId);
        return;
    }
  }

  return {
    cursor: () => Number(sql.number.get('cursor')?.['value'] ?? 0),
    enqueue: (items, nextSeq) =>
      transaction(() => {
        const now = sources.wallMs();
        let added = 0;
        for (const item of items) added += Number(sql.insert.run(item.bundleId, item.seq, item.path, now).changes);
        sql.setCursor.run(nextSeq);
        return added;
      }),
    claim: (limit) =>
      transaction(() =>
        sql.claim
          .all({ now: sources.wallMs(), limit })
          // RETURNING promises no order.
          .toSorted((a, b) => Number(a['seq']) - Number(b['seq']))
          .map((row) => ({ bundleId: String(row['bundleId']), path: String(row['path']) })),
      ),
    settle: (settlements) =>
      transaction(() => {
        for (const settlement of settlements) settleOne(settlement);
      }),
    receipt: (bundleId) => (sql.receipt.get(bundleId) as Receipt | undefined) ?? null,
    stats: () => ({ ...(sql.stats.get({ now: sources.wallMs() }) as unknown as QueueStats) }),
    prune: (days) => Number(sql.prune.run(sources.wallMs() - days * DAY_MS).changes),
    close: () => db.close(),
  };
}
