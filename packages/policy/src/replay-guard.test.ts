import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { MAX_AHEAD_MS, ReplayGuard } from './index.ts';

describe('ReplayGuard', () => {
  it('G-05: the window ends where it says', () => {
    const guard = new ReplayGuard({ windowMs: 1_000 });
    assert.equal(guard.admit('a', 'n1', 0, 1_000), 'fresh');
    assert.equal(guard.admit('a', 'n2', 0, 1_001), 'too-old');
    assert.equal(guard.admit('a', 'n3', 1_001 + MAX_AHEAD_MS, 1_001), 'fresh');
    assert.equal(guard.admit('a', 'n4', 1_002 + MAX_AHEAD_MS, 1_001), 'from-the-future');
    assert.equal(guard.admit('a', 'n5', Number.NaN, 1_001), 'too-old');
  });

  it('G-06: a full namespace denies, itself only, and opens again when its window is over', () => {
    const guard = new ReplayGuard({ windowMs: 1_000, capacity: 2 });
    assert.equal(guard.admit('a', 'n1', 0, 0), 'fresh');
    assert.equal(guard.admit('a', 'n2', 0, 0), 'fresh');
    assert.equal(guard.admit('a', 'n3', 0, 0), 'exhausted');
    assert.equal(guard.admit('a', 'n1', 0, 0), 'replayed');
    assert.equal(guard.admit('b', 'n1', 0, 0), 'fresh');
    const later = 1_000 + MAX_AHEAD_MS;
    assert.equal(guard.admit('a', 'n3', later, later - 1), 'exhausted');
    assert.equal(guard.admit('a', 'n3', later, later), 'fresh');
    assert.equal(guard.sizeOf('a'), 1);
  });

  it('G-06: what an earlier run admitted is still refused', () => {
    const guard = new ReplayGuard({ windowMs: 1_000 });
    guard.restore([{ namespace: 'a', nonce: 'n1', expiresMs: 500 }]);
    assert.equal(guard.admit('a', 'n1', 100, 100), 'replayed');
    assert.equal(guard.admit('a', 'n1', 500, 500), 'fresh');
  });

  it('G-07: under any jitter and any bursts no nonce inside its window is admitted twice, and none is forgotten early', () => {
    const windowMs = 1_000;
    const events = fc.array(
      fc.record({
        step: fc.nat(400),
        nonce: fc.nat(30),
        skew: fc.integer({ min: -2_000, max: 8_000 }),
        space: fc.nat(2),
      }),
      { maxLength: 300 },
    );
    fc.assert(
      fc.property(events, fc.integer({ min: 1, max: 20 }), (sequence, capacity) => {
        const guard = new ReplayGuard({ windowMs, capacity });
        const admitted: { key: string; issuedMs: number; atMs: number }[] = [];
        let nowMs = 0;
        for (const { step, nonce, skew, space } of sequence) {
          nowMs += step;
          const issuedMs = nowMs + skew;
          const key = `${space}/${nonce}`;
          const answer = guard.admit(String(space), String(nonce), issuedMs, nowMs);
          const isRemembered = admitted.some((one) => one.key === key && one.atMs + windowMs + MAX_AHEAD_MS > nowMs);
          if (answer === 'fresh') {
            assert.ok(!isRemembered, 'admitted twice');
            // The very same request again is refused at any later time: remembered, or too old.
            assert.ok(
              !admitted.some((one) => one.key === key && one.issuedMs === issuedMs && nowMs - issuedMs <= windowMs),
            );
            admitted.push({ key, issuedMs, atMs: nowMs });
          }
          assert.ok(guard.sizeOf(String(space)) <= capacity);
        }
        for (const { key, issuedMs, atMs } of admitted) {
          const [space, nonce] = key.split('/') as [string, string];
          if (issuedMs < nowMs - windowMs || atMs > nowMs) continue;
          assert.notEqual(guard.admit(space, nonce, issuedMs, nowMs), 'fresh');
        }
      }),
    );
  });
});
