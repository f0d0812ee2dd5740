import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { judgeClock } from './clock-sanity.ts';

const samples = (...offsets: number[]) =>
  offsets.map((offsetMs, index) => ({ source: `source-${index}`, offsetMs, roundTripMs: 10 }));

const cases: { name: string; offsets: number[]; want: string; offsetMs: number | null }[] = [
  { name: 'no answer is unknown', offsets: [], want: 'unknown', offsetMs: null },
  { name: 'two answers are too few', offsets: [0, 0], want: 'unknown', offsetMs: null },
  { name: 'three answers are enough', offsets: [1, 2, 3], want: 'sane', offsetMs: 2 },
  { name: 'an offset of exactly 5,000 ms is sane', offsets: [5_000, 5_000, 5_000], want: 'sane', offsetMs: 5_000 },
  { name: 'an offset of 5,001 ms is not', offsets: [5_001, 5_001, 5_001], want: 'not-sane', offsetMs: 5_001 },
  {
    name: 'being behind counts like being ahead',
    offsets: [-5_001, -5_001, -5_001],
    want: 'not-sane',
    offsetMs: -5_001,
  },
  { name: 'a spread of exactly 5,000 ms is sane', offsets: [-2_500, 0, 2_500], want: 'sane', offsetMs: 0 },
  { name: 'a spread of 5,001 ms is not', offsets: [-2_500, 0, 2_501], want: 'not-sane', offsetMs: 0 },
  { name: 'of four answers the middle two are averaged', offsets: [0, 10, 20, 30], want: 'sane', offsetMs: 15 },
  { name: 'no more than five are counted', offsets: [1, 1, 1, 1, 1, 90_000], want: 'sane', offsetMs: 1 },
  { name: 'what is no number is no answer', offsets: [Number.NaN, Infinity, 0, 0], want: 'unknown', offsetMs: null },
];

describe('judgeClock', () => {
  for (const { name, offsets, want, offsetMs } of cases) {
    it(`P-10: ${name}`, () => {
      const verdict = judgeClock(samples(...offsets));
      assert.equal(verdict.status, want);
      assert.equal(verdict.offsetMs, offsetMs);
    });
  }
  it('P-10: an answer that came before it was asked for is none', () => {
    const [first, ...others] = samples(0, 0, 0);
    assert.ok(first);
    assert.equal(judgeClock([{ ...first, roundTripMs: -1 }, ...others]).status, 'unknown');
  });
  it('P-10: one source that answers three times is one answer', () => {
    const one = { source: 'a', offsetMs: 0, roundTripMs: 1 };
    assert.equal(judgeClock([one, one, one]).status, 'unknown');
  });
});
