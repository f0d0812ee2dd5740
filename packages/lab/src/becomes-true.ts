/** Waits for the machine: processes end, units start and mounts are let go in their own time. */
import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 20;

/**
 * Asks until `condition` holds, at least once.
 *
 * @returns whether it came true within `withinMs`
 * @throws `signal.reason` when aborted
 */
export async function becomesTrue(
  condition: () => boolean | Promise<boolean>,
  withinMs: number,
  signal?: AbortSignal,
): Promise<boolean> {
  const endMs = performance.now() + withinMs;
  for (;;) {
    signal?.throwIfAborted();
    if (await condition()) return true;
    if (performance.now() > endMs) return false;
    await delay(POLL_MS);
  }
}
