/**
 * Keeps a confirm-or-revert change (P-15) when it is safe to keep, and otherwise does nothing: then
 * the guard takes it back by itself. Safe means that a server that could be reached before can be
 * reached now, over a new connection.
 */
import type { ChangeReport } from '@holdfast/api';
import type { Clock } from '@holdfast/core';
import type { GuardPort, ServerPort, Sleep } from './ports.ts';

/** Part of the time to confirm that is used; the rest is for the confirmation itself. */
const USED_PART = 0.8;
const PROBE_INTERVAL_MS = 1_000;

export interface ConfirmationDeps {
  readonly guard: Pick<GuardPort, 'confirm'>;
  readonly server: Pick<ServerPort, 'probe'>;
  readonly clock: Clock;
  readonly sleep: Sleep;
}

/**
 * @param wasReachable whether the server could be reached before the change
 * @returns the ended change, or `null` when it was left to revert
 */
export async function confirmWhenSafe(
  change: ChangeReport,
  wasReachable: boolean,
  deps: ConfirmationDeps,
  signal: AbortSignal,
): Promise<ChangeReport | null> {
  const { guard, server, clock, sleep } = deps;
  const deadlineMs = clock.monotonicMs() + (change.confirmWithinMs ?? 0) * USED_PART;
  let isSafe = !wasReachable;
  while (!isSafe) {
    isSafe = await probeUntil(server, clock, sleep, deadlineMs, signal);
    if (isSafe) break;
    if (clock.monotonicMs() + PROBE_INTERVAL_MS >= deadlineMs) return null;
    await sleep(PROBE_INTERVAL_MS, signal);
  }
  return guard.confirm(change.changeId, signal);
}

/** One probe, given up at the deadline: a filter that drops packets would else hold it for the whole time-out. */
async function probeUntil(
  server: Pick<ServerPort, 'probe'>,
  clock: Clock,
  sleep: Sleep,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  const ended = new AbortController();
  const limit = AbortSignal.any([signal, ended.signal]);
  try {
    const tooLate = sleep(Math.max(0, deadlineMs - clock.monotonicMs()), limit).then(() => false);
    return await Promise.race([server.probe(limit), tooLate.catch(() => false)]);
  } finally {
    ended.abort();
    signal.throwIfAborted();
  }
}
