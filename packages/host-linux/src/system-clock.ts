/** The clocks of this machine, and which boot they belong to. */
import { readFileSync } from 'node:fs';

import { type Clock, HoldfastError } from '@holdfast/core';

const NS_PER_MS = 1_000_000n;

/** Wall clock, and CLOCK_MONOTONIC: milliseconds since the machine booted, the same in every process. */
export function systemClock(): Clock {
  return {
    wallMs: () => Date.now(),
    monotonicMs: () => Number(process.hrtime.bigint() / NS_PER_MS),
  };
}

/**
 * Tells this boot from every other: monotonic times compare only within one.
 *
 * @throws `ERR_HOST_PLATFORM_UNREADABLE`
 */
export function bootId(): string {
  let text: string;
  try {
    text = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  } catch (cause) {
    throw new HoldfastError('the boot id cannot be read', { code: 'ERR_HOST_PLATFORM_UNREADABLE', cause });
  }
  if (/^[0-9a-f-]{36}$/.test(text)) return text;
  throw new HoldfastError('the boot id is not one', { code: 'ERR_HOST_PLATFORM_UNREADABLE' });
}
