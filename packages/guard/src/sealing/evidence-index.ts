/**
 * Finds sealed evidence by id and by audit sequence without reading the audit log. Only an index: the
 * log and the evidence store hold the truth, and what is missing here is read from the log again.
 */
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { BundleId } from '@holdfast/core';
import { stateFault } from '../state/state-directory.ts';

const SCHEMA = `
CREATE TABLE IF NOT EXISTS evidence (
  bundle_id TEXT PRIMARY KEY, request_digest TEXT, digest TEXT, seq INTEGER UNIQUE, path TEXT
) STRICT;
`;

export interface IndexedEvidence {
  readonly bundleId: BundleId;
  /** Digest of what was asked to be sealed; `null` when only the result is known. */
  readonly requestDigest: string | null;
  readonly digest: string;
  readonly seq: number;
}

export class EvidenceIndex implements Disposable {
  readonly #sql: DatabaseSync;
  readonly #find: StatementSync;
  readonly #after: StatementSync;
  readonly #intend: StatementSync;
  readonly #seal: StatementSync;
  readonly #publish: StatementSync;

  constructor(directory: string) {
    try {
      this.#sql = new DatabaseSync(join(directory, 'evidence-index.sqlite'), { timeout: 1_000 });
      // No sync at each commit: whatever a power cut takes is in the audit log.
      this.#sql.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;');
      this.#sql.exec(SCHEMA);
    } catch (cause) {
      throw stateFault('the evidence index cannot be opened', cause);
    }
    this.#find = this.#sql.prepare('SELECT * FROM evidence WHERE bundle_id = ?');
    this.#after = this.#sql.prepare(
      'SELECT bundle_id, seq, path FROM evidence WHERE seq > ? AND path IS NOT NULL ORDER BY seq LIMIT ?',
    );
    this.#intend = this.#sql.prepare('INSERT OR IGNORE INTO evidence (bundle_id, request_digest) VALUES (?, ?)');
    this.#seal = this.#sql.prepare(
      `INSERT INTO evidence (bundle_id, request_digest, digest, seq) VALUES (?, ?, ?, ?)
       ON CONFLICT (bundle_id) DO UPDATE SET digest = excluded.digest, seq = excluded.seq`,
    );
    this.#publish = this.#sql.prepare('UPDATE evidence SET path = ? WHERE bundle_id = ?');
  }

  /** What is sealed under the id; `undefined` while nothing is. */
  find(bundleId: string): IndexedEvidence | undefined {
    const row = this.#find.get(bundleId);
    if (row === undefined || row['seq'] === null) return undefined;
    return {
      bundleId: row['bundle_id'] as BundleId, // as written below
      requestDigest: row['request_digest'] as string | null,
      digest: String(row['digest']),
      seq: Number(row['seq']),
    };
  }

  /** What was asked to be sealed under the id, whether or not it came to that. */
  requestDigestOf(bundleId: string): string | null {
    const digest = this.#find.get(bundleId)?.['request_digest'];
    return typeof digest === 'string' ? digest : null;
  }

  /** Remembers what is asked for before it is staged. */
  intend(bundleId: BundleId, requestDigest: string): void {
    this.#intend.run(bundleId, requestDigest);
  }

  recordSealed({ bundleId, requestDigest, digest, seq }: IndexedEvidence): void {
    this.#seal.run(bundleId, requestDigest, digest, seq);
  }

  recordPublished(bundleId: BundleId, path: string): void {
    this.#publish.run(path, bundleId);
  }

  /** Published evidence with a later audit sequence, oldest first. */
  listAfter(seq: number, limit: number): { seq: number; bundleId: string; path: string }[] {
    return this.#after
      .all(seq, limit)
      .map((row) => ({ seq: Number(row['seq']), bundleId: String(row['bundle_id']), path: String(row['path']) }));
  }

  /** Sealed and, as far as this index knows, not published. */
  listUnpublished(): BundleId[] {
    const rows = this.#sql.prepare('SELECT bundle_id FROM evidence WHERE seq IS NOT NULL AND path IS NULL').all();
    return rows.map((row) => row['bundle_id'] as BundleId); // as written above
  }

  /** The latest audit sequence this index has seen; 0 when it is new. */
  lastSeq(): number {
    const row = this.#sql.prepare('SELECT MAX(seq) AS seq FROM evidence').get();
    return Number(row?.['seq'] ?? 0);
  }

  [Symbol.dispose](): void {
    this.#sql.close();
  }
}
