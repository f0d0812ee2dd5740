/** Asks again until the answer is the wanted one, or the time is over. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '@holdfast/core';

/** Short enough to measure seconds, long enough not to disturb what is measured. */
const INTERVAL_MS = 50;

export interface Polled<T> {
  readonly inTime: boolean;
  readonly value: T;
  readonly tookMs: number;
}

/** @param attempt is asked at least once, and told how long its answer may take */
export async function pollUntil<T>(
  clock: Clock,
  withinMs: number,
  attempt: (leftMs: number) => Promise<{ readonly done: boolean; readonly value: T }>,
  signal: AbortSignal,
): Promise<Polled<T>> {
  const startedMs = clock.monotonicMs();
  for (;;) {
    signal.throwIfAborted();
    const { done, value } = await attempt(Math.max(1, withinMs - (clock.monotonicMs() - startedMs)));
    const tookMs = clock.monotonicMs() - startedMs;
    // Right and too late is wrong.
    if (done || tookMs >= withinMs) return { inTime: done && tookMs <= withinMs, value, tookMs };
    // Its own AbortError is not the reason; the next round throws that.
    await delay(Math.min(INTERVAL_MS, withinMs - tookMs), undefined, { signal }).catch(() => {});
  }
}
