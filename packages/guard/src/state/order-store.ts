/**
 * Orders this host has taken up, for ever: an order id has one effect and one report (C-35). Durable
 * when a call returns.
 */
import type { SQLOutputValue } from 'node:sqlite';
import { type OrderReport, OrderReportSchema } from '@holdfast/api';
import type { GuardDatabase } from './guard-database.ts';

export interface StoredOrder {
  readonly orderId: string;
  /** Of the envelope's text. */
  readonly digest: string;
  readonly nonce: string;
  /** `null` for an order that was refused. */
  readonly changeId: string | null;
  /** `null` while it runs. */
  readonly report: OrderReport | null;
}

export class OrderStore {
  readonly #database: GuardDatabase;

  constructor(database: GuardDatabase) {
    this.#database = database;
  }

  find(orderId: string): StoredOrder | undefined {
    const row = this.#database.sql.prepare('SELECT * FROM orders WHERE order_id = ?').get(orderId);
    return row === undefined ? undefined : parseRow(row);
  }

  findByChange(changeId: string): StoredOrder | undefined {
    const row = this.#database.sql.prepare('SELECT * FROM orders WHERE change_id = ?').get(changeId);
    return row === undefined ? undefined : parseRow(row);
  }

  /** Whether an order with this nonce was taken up, or might have been before the store was lost. */
  isNonceSeen(nonce: string, issuedMs: number): boolean {
    const { lost } = this.#database;
    if (lost !== null && issuedMs <= lost.wallMs) return true; // G-06
    return this.#database.sql.prepare('SELECT 1 FROM orders WHERE nonce = ?').get(nonce) !== undefined;
  }

  /** Takes an order up. @throws when its id or nonce is there already, or the disk fails */
  add({ orderId, digest, nonce, changeId, report }: StoredOrder): void {
    this.#database.sql
      .prepare('INSERT INTO orders (order_id, digest, nonce, change_id, report) VALUES (?, ?, ?, ?, ?)')
      .run(orderId, digest, nonce, changeId, report === null ? null : JSON.stringify(report));
  }

  complete(orderId: string, report: OrderReport): void {
    this.#database.sql.prepare('UPDATE orders SET report = ? WHERE order_id = ?').run(JSON.stringify(report), orderId);
  }

  /** Taken up and without a report. */
  listRunning(): StoredOrder[] {
    return this.#database.sql.prepare('SELECT * FROM orders WHERE report IS NULL').all().map(parseRow);
  }
}

function parseRow(row: Record<string, SQLOutputValue>): StoredOrder {
  const report = row['report'];
  return {
    orderId: String(row['order_id']),
    digest: String(row['digest']),
    nonce: String(row['nonce']),
    changeId: typeof row['change_id'] === 'string' ? row['change_id'] : null,
    report: typeof report === 'string' ? OrderReportSchema.parse(JSON.parse(report)) : null,
  };
}
