/** The kernel's clocks. CLOCK_MONOTONIC is one for all processes of a boot, so ages survive restarts of the guard. */
import { readFileSync } from 'node:fs';
import type { Clock } from '@holdfast/core';

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => Number(process.hrtime.bigint() / 1_000n) / 1_000,
};

/** Which boot the monotonic clock belongs to: random(4). */
export function readBootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}
