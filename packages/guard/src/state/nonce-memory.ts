/** The replay guard over its durable memory (G-05, G-06): a nonce is on disk before its request goes on. */
import type { Clock } from '@holdfast/core';
import { type Admission, ReplayGuard, type SeenNonce } from '@holdfast/policy';
import type { GuardDatabase } from './guard-database.ts';

export class NonceMemory {
  readonly #database: GuardDatabase;
  readonly #clock: Clock;
  readonly #bootId: string;
  readonly #guard: ReplayGuard;
  #writesSincePrune = 0;

  constructor(database: GuardDatabase, clock: Clock, bootId: string, guard = new ReplayGuard()) {
    this.#database = database;
    this.#clock = clock;
    this.#bootId = bootId;
    this.#guard = guard;
    const nowMs = clock.monotonicMs();
    // Of another boot the ages mean nothing here: such a nonce is kept as if seen now.
    database.sql
      .prepare('UPDATE nonces SET boot_id = ?, expires_ms = ? WHERE boot_id <> ?')
      .run(bootId, guard.expiryOf(nowMs), bootId);
    const rows = database.sql.prepare('SELECT namespace, nonce, expires_ms FROM nonces ORDER BY expires_ms').all();
    guard.restore(
      rows.map((row): SeenNonce => ({
        namespace: String(row['namespace']),
        nonce: String(row['nonce']),
        expiresMs: Number(row['expires_ms']),
      })),
    );
  }

  /**
   * @param issuedMs on the host's monotonic clock, as the caller read it
   * @returns `unavailable` when the nonce cannot be written down: then the request does not go on
   */
  admit(namespace: string, nonce: string, issuedMs: number): Admission | 'unavailable' {
    const nowMs = this.#clock.monotonicMs();
    const { lost } = this.#database;
    if (lost !== null && lost.bootId === this.#bootId && issuedMs <= lost.monotonicMs) return 'too-old';
    const admission = this.#guard.admit(namespace, nonce, issuedMs, nowMs);
    if (admission !== 'fresh') return admission;
    try {
      this.#database.sql
        .prepare('INSERT OR REPLACE INTO nonces (namespace, nonce, boot_id, expires_ms) VALUES (?, ?, ?, ?)')
        .run(namespace, nonce, this.#bootId, this.#guard.expiryOf(nowMs));
      this.#prune(nowMs);
    } catch {
      return 'unavailable';
    }
    return 'fresh';
  }

  #prune(nowMs: number): void {
    this.#writesSincePrune += 1;
    if (this.#writesSincePrune < 100) return;
    this.#writesSincePrune = 0;
    this.#database.sql.prepare('DELETE FROM nonces WHERE boot_id = ? AND expires_ms <= ?').run(this.#bootId, nowMs);
  }
}
