import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { coolDownLeftMs, isFlapping, isRushing, spacingMs } from './brakes.ts';
import { ageMs, type Moment } from './ports.ts';

const MINUTE = 60_000;
const at = (minutes: number, bootId = 'boot-a'): Moment => ({
  wallMs: Date.UTC(2026, 0, 1) + minutes * MINUTE,
  monotonicMs: minutes * MINUTE,
  bootId,
});

describe('the brakes', () => {
  it('C-25: three attempts at the cool-down, three at 10 min, three at 30 min, then every 2 h', () => {
    const minutes = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 50].map((attempts) => spacingMs(attempts, 5 * MINUTE) / MINUTE);
    assert.deepEqual(minutes, [5, 5, 5, 10, 10, 10, 30, 30, 30, 120, 120]);
  });

  it('C-25: the cool-down holds until its last millisecond, also after a success', () => {
    const last = at(0);
    const left = (now: Moment): number => coolDownLeftMs([], last, now, 300_000);
    assert.equal(left({ ...at(5), monotonicMs: 299_999 }), 1);
    assert.equal(left(at(5)), 0);
    assert.equal(coolDownLeftMs([], null, at(0), 300_000), 0);
  });

  it('P-09: a stepped wall clock neither ends nor prolongs a cool-down within one boot', () => {
    for (const stepMs of [-86_400_000, 86_400_000]) {
      const now = { ...at(1), wallMs: at(1).wallMs + stepMs };
      assert.equal(coolDownLeftMs([], at(0), now, 300_000), 240_000);
    }
  });

  it('P-09: over a reboot the wall clock counts, and one set back makes no age negative', () => {
    assert.equal(ageMs(at(10), { ...at(25, 'boot-b'), monotonicMs: 3 }), 15 * MINUTE);
    assert.equal(ageMs(at(10), { ...at(5, 'boot-b'), monotonicMs: 3 }), 0);
  });

  const cases: { name: string; drifts: number[]; now: number; want: boolean }[] = [
    { name: 'three drifts in 30 minutes are borne', drifts: [0, 10, 30], now: 30, want: false },
    { name: 'the fourth within 30 minutes is flapping', drifts: [0, 10, 20, 30], now: 30, want: true },
    { name: 'four in a little more than 30 minutes are borne', drifts: [0, 10, 20, 30.1], now: 30.1, want: false },
    { name: 'it is suspended for almost an hour', drifts: [0, 1, 2, 3], now: 62.9, want: true },
    { name: 'and no longer', drifts: [0, 1, 2, 3], now: 63, want: false },
    { name: 'no drift is no flapping', drifts: [], now: 0, want: false },
  ];
  for (const { name, drifts, now, want } of cases) {
    it(`C-25: ${name}`, () =>
      assert.equal(
        isFlapping(
          drifts.map((minute) => at(minute)),
          at(now),
          3,
        ),
        want,
      ));
  }

  it('C-25: five remediations within ten minutes stop healing until half an hour after the last of them', () => {
    const five = [0, 2, 4, 6, 10].map((minute) => at(minute));
    assert.ok(isRushing(five, at(10), 5));
    assert.ok(isRushing(five, { ...at(40), monotonicMs: 40 * MINUTE - 1 }, 5));
    assert.ok(!isRushing(five, at(40), 5));
    assert.ok(!isRushing(five.slice(1), at(10), 5), 'four');
    assert.ok(
      !isRushing(
        [0, 2, 4, 6, 10.01].map((minute) => at(minute)),
        at(11),
        5,
      ),
      'in a little more than ten',
    );
  });
});
