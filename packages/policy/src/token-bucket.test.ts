import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { TokenBuckets } from './index.ts';

describe('TokenBuckets', () => {
  it('gives the burst, then the refill, and no more', () => {
    const buckets = new TokenBuckets();
    const bucket = { burst: 2, perMinute: 60 };
    assert.deepEqual(
      [0, 0, 0, 999, 1_000, 1_000].map((at) => buckets.take('a', bucket, at)),
      [true, true, false, false, true, false],
    );
    assert.equal(buckets.take('b', bucket, 1_000), true);
  });

  it('refuses new keys when too many are being limited, and takes them again when those are full', () => {
    const buckets = new TokenBuckets(2);
    const bucket = { burst: 1, perMinute: 60 };
    assert.equal(buckets.take('a', bucket, 0), true);
    assert.equal(buckets.take('b', bucket, 0), true);
    assert.equal(buckets.take('c', bucket, 999), false);
    assert.equal(buckets.take('c', bucket, 1_000), true);
  });

  it('never gives more than burst and refill together', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(5_000), { maxLength: 200 }), (steps) => {
        const buckets = new TokenBuckets();
        const bucket = { burst: 5, perMinute: 30 };
        let nowMs = 0;
        let given = 0;
        for (const step of steps) {
          nowMs += step;
          if (buckets.take('a', bucket, nowMs)) given += 1;
          assert.ok(given <= bucket.burst + (nowMs * bucket.perMinute) / 60_000);
        }
      }),
    );
  });
});
