/** A log line that proves by arriving that logging works (C-10). */
import { setTimeout as delay } from 'node:timers/promises';
import { hasCode } from '@holdfast/core';
import type { HostReader, Journal } from '@holdfast/host';

/** Asking often at first costs little and makes the usual case fast. */
const FIRST_WAIT_MS = 10;
const MAX_WAIT_MS = 250;

/**
 * Writes one line with an unguessable token and waits for it at the sink.
 *
 * @param withinMs how long the line may take
 * @returns the milliseconds it took, or `null` when it did not arrive in time
 */
export async function sendCanary(
  { journal, clock }: Pick<HostReader, 'journal' | 'clock'>,
  randomBytes: (sizeBytes: number) => Uint8Array,
  withinMs: number,
  signal: AbortSignal,
): Promise<number | null> {
  const token = Buffer.from(randomBytes(16)).toString('hex');
  const startedMs = clock.monotonicMs();
  let written = false;
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(waitMs * 2, MAX_WAIT_MS)) {
    written ||= await tryWrite(journal, `canary ${token}`, signal);
    // A minute of room: the sink's clock may differ from ours, and the token is new anyway.
    if (written && (await journal.contains(token, withinMs + 60_000, signal))) return clock.monotonicMs() - startedMs;
    const leftMs = withinMs - (clock.monotonicMs() - startedMs);
    if (leftMs <= 0) return null;
    await delay(Math.min(waitMs, leftMs), undefined, { signal });
  }
}

/** A log that takes no lines is what we look for, not a failure to look; one that just starts takes them soon. */
async function tryWrite(journal: Journal, line: string, signal: AbortSignal): Promise<boolean> {
  try {
    await journal.write(line, signal);
    return true;
  } catch (error) {
    if (hasCode(error, 'ERR_HOST_JOURNAL_UNWRITABLE')) return false;
    throw error;
  }
}
