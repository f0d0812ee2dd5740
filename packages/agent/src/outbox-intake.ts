/** Takes what the guard has sealed into the upload queue, exactly once over crashes of either (C-32, C-33). */
import type { HealthRegistry } from './health.ts';
import type { GuardPort } from './ports.ts';
import type { Queue } from './queue.ts';

/** The protocol's limit. */
const PAGE = 1_000;

export async function takeInOutbox(
  guard: Pick<GuardPort, 'outbox'>,
  queue: Queue,
  health: HealthRegistry,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const cursor = queue.cursor();
    const { items, nextSeq } = await guard.outbox(cursor, PAGE, signal);
    if (nextSeq <= cursor) return;
    // Insert and cursor are one transaction: killed before it, the same page comes again.
    health.count('evidenceQueued', queue.enqueue(items, nextSeq));
    if (items.length === 0) return;
  }
}
