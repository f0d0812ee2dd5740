import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { VirtualTime } from '../test/virtual-time.ts';
import { jitteredMs, Wake } from './loop.ts';

describe('the loop', () => {
  it('C-27: the interval stays within ± 10 %, both ends asserted', () => {
    assert.equal(jitteredMs(60_000, 0), 54_000);
    assert.equal(jitteredMs(60_000, 0.5), 60_000);
    assert.equal(jitteredMs(60_000, 1 - 2 ** -32), 66_000);
    fc.assert(
      fc.property(
        fc.integer({ min: 10_000, max: 3_600_000 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (interval, random) => {
          const actual = jitteredMs(interval, random);
          return actual >= 0.9 * interval - 1 && actual <= 1.1 * interval + 1;
        },
      ),
    );
  });

  it('C-27: a call while nobody waits ends the next wait, once', async () => {
    const time = new VirtualTime();
    const wake = new Wake();
    const { signal } = new AbortController();
    wake.call();
    wake.call();
    await wake.wait(60_000, time.sleep, signal);
    let ended = false;
    const second = wake.wait(60_000, time.sleep, signal).then(() => {
      ended = true;
    });
    await time.advance(59_999);
    assert.equal(ended, false);
    await time.advance(1);
    await second;
    assert.equal(ended, true);
  });

  it('C-27: an abort ends a wait with its reason', async () => {
    const controller = new AbortController();
    const wait = new Wake().wait(60_000, new VirtualTime().sleep, controller.signal);
    const reason = new Error('stop');
    controller.abort(reason);
    await assert.rejects(wait, (error) => error === reason);
  });
});
