import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';

import { bootId, systemClock } from './system-clock.ts';

it('P-09: the monotonic clock is that of the boot, so that processes can compare', () => {
  const clock = systemClock();
  const first = clock.monotonicMs();
  assert.ok(first > 0 && clock.monotonicMs() >= first);
  // CLOCK_MONOTONIC stands still while the machine sleeps, uptime does not: never more than that.
  assert.ok(first / 1_000 <= Number(readFileSync('/proc/uptime', 'latin1').split(' ')[0]) + 1);
});

it('the boot id is the same each time', () => {
  assert.match(bootId(), /^[0-9a-f-]{36}$/);
  assert.equal(bootId(), bootId());
});
