import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatAge, formatClock, formatCount, formatInstant, toneOf } from './format.ts';

const now = new Date(2026, 2, 1, 14, 5, 9).getTime();
const ago = (ms: number): string => new Date(now - ms).toISOString();

describe('how times and states read', () => {
  const ages: [ms: number, text: string][] = [
    [0, 'just now'],
    [999, 'just now'],
    [1_000, '1 second ago'],
    [59_000, '59 seconds ago'],
    [60_000, '1 minute ago'],
    [3_600_000, '1 hour ago'],
    [-600_000, 'in 10 minutes'],
  ];
  for (const [ms, text] of ages) it(`W-02: ${text}`, () => assert.equal(formatAge(ago(ms), now), text));

  it('W-02: one spelling of an instant; the time alone while it is of today', () => {
    assert.equal(formatInstant(ago(0)), '2026-03-01 14:05:09');
    assert.equal(formatClock(ago(0), now), '14:05:09');
    assert.equal(formatClock(ago(86_400_000), now), '2026-02-28 14:05:09');
  });

  it('W-02: counts', () => {
    assert.deepEqual(
      [formatCount(1, 'host'), formatCount(0, 'host'), formatCount(12_345, 'host')],
      ['1 host', '0 hosts', '12,345 hosts'],
    );
  });

  it('C-39: what is not known never looks good', () => {
    for (const state of ['unknown', 'error', 'stale', 'silent', 'frozen', 'something new', ''])
      assert.notEqual(toneOf(state), 'good');
    assert.equal(toneOf('toString'), 'none');
  });
});
