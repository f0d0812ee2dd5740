/** Golden prices: what a guest pays for calls is a public contract, like the price of its instructions. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { AREA, openDataProbe, type Probe, RIGHT_READ, RIGHT_WRITE } from './guest-probe.ts';

const { result: R, path: P, otherPath: O, data: D } = AREA;

const PRICES: readonly { readonly name: string; readonly price: bigint; readonly play: (guest: Probe) => unknown }[] = [
  { name: 'sched_yield', price: 100n, play: (guest) => guest.call('sched_yield') },
  { name: 'a call that is refused', price: 100n, play: (guest) => guest.call('fd_close', 99) },
  { name: '4,096 bytes written', price: 616n, play: (guest) => guest.write(1, 'x'.repeat(4_096)) },
  { name: '12 bytes read of 4,096 wanted', price: 106n, play: (guest) => guest.read(4, 4_096) },
  { name: '4,096 random bytes', price: 4_196n, play: (guest) => guest.call('random_get', D, 4_096) },
  {
    name: 'a stat two names deep',
    price: 162n,
    play: (guest) => guest.call('path_filestat_get', 3, 0, ...guest.put(P, 'sub/inner.txt'), R),
  },
  { name: 'opening', price: 542n, play: (guest) => guest.open(3, 'hello.txt') },
  {
    name: 'renaming',
    price: 983n,
    play: (guest) => guest.call('path_rename', 3, ...guest.put(P, 'hello.txt'), 3, ...guest.put(O, 'new')),
  },
  { name: 'a listing of four entries', price: 277n, play: (guest) => guest.call('fd_readdir', 3, D, 4_096, 0n, R) },
  {
    name: 'growing a file by 8,000 bytes',
    price: 1_099n,
    play: (guest) => guest.call('fd_filestat_set_size', 4, 8_000n),
  },
  { name: 'polling ten subscriptions', price: 500n, play: (guest) => guest.call('poll_oneoff', D, P, 10, R) },
];

describe('the price of calls', () => {
  for (const { name, price, play } of PRICES) {
    it(`X-16: ${name} costs ${price}, every time`, () => {
      for (let round = 0; round < 2; round += 1) {
        const guest = openDataProbe(true);
        assert.equal(guest.open(3, 'hello.txt', { rights: RIGHT_READ | RIGHT_WRITE }), 4);
        const before = guest.fuel();
        play(guest);
        assert.equal(before - guest.fuel(), price);
      }
    });
  }
});
