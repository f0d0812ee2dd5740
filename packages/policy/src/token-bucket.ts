/** Token buckets, one per key, on the monotonic clock (P-09). Bounded: full buckets are forgotten. */
import type { Bucket } from './policy-schema.ts';

const MS_PER_MINUTE = 60_000;

export class TokenBuckets {
  readonly #levels = new Map<string, { tokens: number; atMs: number }>();
  readonly #maxKeys: number;

  /** @param maxKeys how many keys may be below their burst at once; past that, new keys are refused */
  constructor(maxKeys = 10_000) {
    this.#maxKeys = maxKeys;
  }

  /** Takes one token of `key` if there is one. */
  take(key: string, bucket: Bucket, monotonicMs: number): boolean {
    const perMs = bucket.perMinute / MS_PER_MINUTE;
    const level = this.#levels.get(key);
    if (level === undefined) {
      if (this.#levels.size >= this.#maxKeys && !this.#forgetFull(bucket, monotonicMs)) return false;
      this.#levels.set(key, { tokens: bucket.burst - 1, atMs: monotonicMs });
      return true;
    }
    const refilled = level.tokens + Math.max(0, monotonicMs - level.atMs) * perMs;
    level.tokens = Math.min(bucket.burst, refilled);
    level.atMs = monotonicMs;
    if (level.tokens < 1) return false;
    level.tokens -= 1;
    return true;
  }

  #forgetFull(bucket: Bucket, monotonicMs: number): boolean {
    const fullAfterMs = (bucket.burst / bucket.perMinute) * MS_PER_MINUTE;
    for (const [key, level] of this.#levels) if (monotonicMs - level.atMs >= fullAfterMs) this.#levels.delete(key);
    return this.#levels.size < this.#maxKeys;
  }
}
