/** Fixed one-minute windows per key, in memory: the first form of T-12. Bounded, whoever comes. */
import { HoldfastError } from '@holdfast/core';

const WINDOW_MS = 60_000;
/** Beyond this many addresses in a window the oldest is forgotten. */
const MAX_KEYS = 10_000;

export class RateLimit {
  readonly #max: number;
  readonly #monotonicMs: () => number;
  readonly #windows = new Map<string, { startMs: number; count: number }>();

  constructor(max: number, monotonicMs: () => number) {
    this.#max = max;
    this.#monotonicMs = monotonicMs;
  }

  #window(key: string): { startMs: number; count: number } {
    const nowMs = this.#monotonicMs();
    const current = this.#windows.get(key);
    if (current !== undefined && nowMs - current.startMs < WINDOW_MS) return current;
    const fresh = { startMs: nowMs, count: 0 };
    this.#windows.delete(key);
    this.#windows.set(key, fresh);
    const oldest = this.#windows.keys().next();
    if (this.#windows.size > MAX_KEYS && oldest.done !== true) this.#windows.delete(oldest.value);
    return fresh;
  }

  /** @throws `ERR_SERVER_RATE_LIMITED` when the window is used up; counts nothing */
  check(key: string): void {
    if (this.#window(key).count >= this.#max)
      throw new HoldfastError('too many requests', { code: 'ERR_SERVER_RATE_LIMITED' });
  }

  /** Counts one. */
  hit(key: string): void {
    this.#window(key).count += 1;
  }
}
