/**
 * Refuses what was already seen (G-05, G-06). All times are of one monotonic clock, so a stepped wall
 * clock neither re-opens nor closes the window. Pure memory: who uses it stores each admitted nonce
 * before acting on it, and restores them at start.
 */

/** G-05. */
export const DEFAULT_REPLAY_WINDOW_MS = 300_000;
/** G-06, per namespace. */
export const DEFAULT_REPLAY_CAPACITY = 100_000;
/** How far ahead of ours a caller's reading of the same clock may be: scheduling and rounding, no more. */
export const MAX_AHEAD_MS = 5_000;
/** Namespaces are named by us, never by a caller; more than this is a bug and denies. */
const MAX_NAMESPACES = 1_000;

export type Admission = 'fresh' | 'replayed' | 'too-old' | 'from-the-future' | 'exhausted';

export interface SeenNonce {
  readonly namespace: string;
  readonly nonce: string;
  /** When it may be forgotten. */
  readonly expiresMs: number;
}

export class ReplayGuard {
  readonly windowMs: number;
  readonly #capacity: number;
  readonly #namespaces = new Map<string, Map<string, number>>();

  constructor(options: { readonly windowMs?: number; readonly capacity?: number } = {}) {
    this.windowMs = options.windowMs ?? DEFAULT_REPLAY_WINDOW_MS;
    this.#capacity = options.capacity ?? DEFAULT_REPLAY_CAPACITY;
  }

  /** When a nonce first seen at `nowMs` may be forgotten: no request carrying it can be young enough any more. */
  expiryOf(nowMs: number): number {
    return nowMs + this.windowMs + MAX_AHEAD_MS;
  }

  /** Answers whether a request may go on, and if so remembers its nonce. */
  admit(namespace: string, nonce: string, issuedMs: number, nowMs: number): Admission {
    if (!Number.isFinite(issuedMs) || nowMs - issuedMs > this.windowMs) return 'too-old';
    if (issuedMs - nowMs > MAX_AHEAD_MS) return 'from-the-future';
    const seen = this.#namespaces.get(namespace);
    if (seen === undefined) {
      if (this.#namespaces.size >= MAX_NAMESPACES) return 'exhausted';
      this.#namespaces.set(namespace, new Map([[nonce, this.expiryOf(nowMs)]]));
      return 'fresh';
    }
    this.#forgetExpired(seen, nowMs);
    if (seen.has(nonce)) return 'replayed';
    // G-06: a full memory denies in this namespace; forgetting early would let a replay in.
    if (seen.size >= this.#capacity) return 'exhausted';
    seen.set(nonce, this.expiryOf(nowMs));
    return 'fresh';
  }

  /** Remembers what an earlier run admitted. Call before the first `admit`, oldest first. */
  restore(nonces: Iterable<SeenNonce>): void {
    for (const { namespace, nonce, expiresMs } of nonces) {
      const seen = this.#namespaces.get(namespace) ?? new Map<string, number>();
      this.#namespaces.set(namespace, seen);
      seen.set(nonce, expiresMs);
    }
  }

  /** How many nonces a namespace holds. */
  sizeOf(namespace: string): number {
    return this.#namespaces.get(namespace)?.size ?? 0;
  }

  #forgetExpired(seen: Map<string, number>, nowMs: number): void {
    // Insertion order is expiry order: every nonce lives equally long on a clock that never steps.
    for (const [nonce, expiresMs] of seen) {
      if (expiresMs > nowMs) return;
      seen.delete(nonce);
    }
  }
}
