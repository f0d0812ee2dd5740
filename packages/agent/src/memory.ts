/**
 * What the agent remembers across restarts, in one SQLite file: the open remediation of each check,
 * when which action was tried (C-25), orders and their results (C-35), and the newest checkpoint of
 * the transparency log (P-34). Losing this file is safe: the guard keeps what must not be lost.
 */
import { DatabaseSync } from 'node:sqlite';
import type { REMEDIATION_STATES } from '@holdfast/api';
import type { Moment, OrderResult } from './ports.ts';

export type RemediationState = (typeof REMEDIATION_STATES)[number];

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS remediation (
    check_name        TEXT PRIMARY KEY,
    remediation_id    TEXT NOT NULL,
    subjects          TEXT NOT NULL,
    state             TEXT NOT NULL,
    change_id         TEXT,
    deferred_until_ms INTEGER
  ) STRICT;
  CREATE TABLE IF NOT EXISTS moment (
    kind TEXT NOT NULL, subject TEXT NOT NULL,
    wall_ms INTEGER NOT NULL, monotonic_ms REAL NOT NULL, boot_id TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS moment_by_subject ON moment (kind, subject);
  CREATE TABLE IF NOT EXISTS orders (
    order_id TEXT PRIMARY KEY, envelope TEXT NOT NULL, received_ms INTEGER NOT NULL,
    result TEXT, reported INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE TABLE IF NOT EXISTS witness (
    id INTEGER PRIMARY KEY CHECK (id = 1), size INTEGER NOT NULL, root TEXT NOT NULL, note TEXT NOT NULL, conflicting_note TEXT
  ) STRICT;
`;

/** The newest moments kept per action or check: enough for every brake. */
const MAX_MOMENTS = 64;
const ORDER_RETENTION_MS = 30 * 86_400_000;

/** The one open remediation of a check. */
export interface OpenRemediation {
  readonly check: string;
  readonly remediationId: string;
  readonly subjects: readonly string[];
  readonly state: RemediationState;
  /** A change of it that awaited confirmation when last seen. */
  readonly changeId: string | null;
  readonly deferredUntilMs: number | null;
}

/**
 * `attempt`: an action was asked for since it last succeeded; `last`: when it was last asked for;
 * `drift`: a check began to fail; `cycle`: the last cycle; `remediation`: any action was asked for.
 */
export type MomentKind = 'attempt' | 'last' | 'drift' | 'cycle' | 'remediation';

export interface PendingOrder {
  readonly orderId: string;
  readonly envelope: string;
}

export interface WitnessedCheckpoint {
  readonly size: number;
  readonly rootHex: string;
  readonly note: string;
  /** A signed note that contradicts this one: proof that the log was rewritten. */
  readonly conflictingNote: string | null;
}

export interface Memory {
  remediations(): OpenRemediation[];
  remediation(check: string): OpenRemediation | null;
  /** Inserts or replaces the open remediation of its check. */
  saveRemediation(remediation: OpenRemediation): void;
  forgetRemediation(check: string): void;
  note(kind: MomentKind, subject: string, at: Moment): void;
  /** Newest last. */
  moments(kind: MomentKind, subject: string): Moment[];
  forgetMoments(kind: MomentKind, subject: string): void;
  /** Takes an order in; one whose result is known is only marked to be reported again. */
  receiveOrder(order: PendingOrder, nowMs: number): void;
  /** Without a result, oldest first. */
  openOrders(): PendingOrder[];
  finishOrder(orderId: string, result: OrderResult): void;
  /** Results the server has not acknowledged, oldest first. */
  unreportedOrders(): { orderId: string; result: OrderResult }[];
  markReported(orderId: string): void;
  pruneOrders(nowMs: number): void;
  witness(): WitnessedCheckpoint | null;
  saveWitness(checkpoint: WitnessedCheckpoint): void;
  close(): void;
}

const nullable = (value: unknown): string | null => (typeof value === 'string' ? value : null);

function remediationOf(row: Record<string, unknown>): OpenRemediation {
  return {
    check: String(row['check_name']),
    remediationId: String(row['remediation_id']),
    subjects: JSON.parse(String(row['subjects'])) as string[],
    state: String(row['state']) as RemediationState,
    changeId: nullable(row['change_id']),
    deferredUntilMs: row['deferred_until_ms'] === null ? null : Number(row['deferred_until_ms']),
  };
}

export function openMemory(path: string): Memory {
  const db = new DatabaseSync(path);
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 2000;');
  db.exec(SCHEMA);
  const sql = {
    all: db.prepare('SELECT * FROM remediation ORDER BY check_name'),
    one: db.prepare('SELECT * FROM remediation WHERE check_name = ?'),
    save: db.prepare('INSERT OR REPLACE INTO remediation VALUES (?, ?, ?, ?, ?, ?)'),
    forget: db.prepare('DELETE FROM remediation WHERE check_name = ?'),
    note: db.prepare('INSERT INTO moment VALUES (?, ?, ?, ?, ?)'),
    trim: db.prepare(
      `DELETE FROM moment WHERE kind = :kind AND subject = :subject AND rowid NOT IN
         (SELECT rowid FROM moment WHERE kind = :kind AND subject = :subject ORDER BY rowid DESC LIMIT ${MAX_MOMENTS})`,
    ),
    moments: db.prepare(
      `SELECT wall_ms AS wallMs, monotonic_ms AS monotonicMs, boot_id AS bootId FROM moment
       WHERE kind = ? AND subject = ? ORDER BY rowid`,
    ),
    forgetMoments: db.prepare('DELETE FROM moment WHERE kind = ? AND subject = ?'),
    receive: db.prepare(
      `INSERT INTO orders (order_id, envelope, received_ms) VALUES (?, ?, ?)
       ON CONFLICT (order_id) DO UPDATE SET reported = 0`,
    ),
    open: db.prepare(
      'SELECT order_id AS orderId, envelope FROM orders WHERE result IS NULL ORDER BY received_ms, order_id',
    ),
    finish: db.prepare('UPDATE orders SET result = ? WHERE order_id = ? AND result IS NULL'),
    unreported: db.prepare(
      'SELECT order_id, result FROM orders WHERE result IS NOT NULL AND reported = 0 ORDER BY received_ms, order_id',
    ),
    reported: db.prepare('UPDATE orders SET reported = 1 WHERE order_id = ?'),
    pruneOrders: db.prepare('DELETE FROM orders WHERE reported = 1 AND received_ms < ?'),
    witness: db.prepare(
      'SELECT size, root AS rootHex, note, conflicting_note AS conflictingNote FROM witness WHERE id = 1',
    ),
    saveWitness: db.prepare('INSERT OR REPLACE INTO witness VALUES (1, ?, ?, ?, ?)'),
  };
  return {
    remediations: () => sql.all.all().map(remediationOf),
    remediation: (check) => {
      const row = sql.one.get(check);
      return row === undefined ? null : remediationOf(row);
    },
    saveRemediation: ({ check, remediationId, subjects, state, changeId, deferredUntilMs }) => {
      sql.save.run(check, remediationId, JSON.stringify(subjects), state, changeId, deferredUntilMs);
    },
    forgetRemediation: (check) => {
      sql.forget.run(check);
    },
    note: (kind, subject, at) => {
      sql.note.run(kind, subject, at.wallMs, at.monotonicMs, at.bootId);
      sql.trim.run({ kind, subject });
    },
    moments: (kind, subject) => sql.moments.all(kind, subject) as unknown as Moment[],
    forgetMoments: (kind, subject) => {
      sql.forgetMoments.run(kind, subject);
    },
    receiveOrder: ({ orderId, envelope }, nowMs) => {
      sql.receive.run(orderId, envelope, nowMs);
    },
    openOrders: () => sql.open.all() as unknown as PendingOrder[],
    finishOrder: (orderId, result) => {
      sql.finish.run(JSON.stringify(result), orderId);
    },
    unreportedOrders: () =>
      sql.unreported.all().map((row) => ({
        orderId: String(row['order_id']),
        result: JSON.parse(String(row['result'])) as OrderResult,
      })),
    markReported: (orderId) => {
      sql.reported.run(orderId);
    },
    pruneOrders: (nowMs) => {
      sql.pruneOrders.run(nowMs - ORDER_RETENTION_MS);
    },
    witness: () => {
      const row = sql.witness.get();
      return row === undefined ? null : { ...(row as unknown as WitnessedCheckpoint) };
    },
    saveWitness: ({ size, rootHex, note, conflictingNote }) => {
      sql.saveWitness.run(size, rootHex, note, conflictingNote);
    },
    close: () => db.close(),
  };
}
