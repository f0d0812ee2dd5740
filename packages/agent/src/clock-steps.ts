/**
 * Whether somebody set the wall clock (P-09): it is held against the monotonic clock, also over a
 * restart of the agent, as long as the machine did not reboot meanwhile.
 */
import type { Moment } from './ports.ts';

/** P-09. */
const MAX_STEP_MS = 2_000;

/** @returns milliseconds by which the wall clock was moved between the two; 0 within the tolerance or over a reboot */
export function clockStepMs(before: Moment, now: Moment): number {
  if (before.bootId !== now.bootId) return 0;
  const step = now.wallMs - before.wallMs - (now.monotonicMs - before.monotonicMs);
  return Math.abs(step) > MAX_STEP_MS ? Math.round(step) : 0;
}
