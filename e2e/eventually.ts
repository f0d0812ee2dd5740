/** Waiting for what other processes do: asks again until the answer is there. The bound is a time-out, not a promise. */
import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 250;
export const DEFAULT_TIMEOUT_MS = 90_000;

/**
 * Resolves with the first answer of `probe` that is not `undefined`. A probe may throw while the
 * other side is starting; the last reason is in the error when it never answers.
 */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined> | T | undefined,
  timeoutMs = DEFAULT_TIMEOUT_MS,
): Promise<T> {
  const endMs = performance.now() + timeoutMs;
  let cause: unknown;
  for (;;) {
    try {
      const answer = await probe();
      if (answer !== undefined) return answer;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (performance.now() > endMs) throw new Error(`not within ${timeoutMs / 1_000} s: ${what}`, { cause });
    await delay(POLL_MS);
  }
}
