import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { hasCode } from './errors.ts';
import { isInsideWindow, nextWindowStart, parseMaintenanceWindow } from './maintenance-window.ts';

const clock = (value: number): string =>
  `${String(Math.floor(value / 60)).padStart(2, '0')}:${String(value % 60).padStart(2, '0')}`;
const at = (text: string): number => Date.parse(text);

describe('maintenance windows', () => {
  // 2026-01-05 is a Monday. Berlin skips 02:00–03:00 on 2026-03-29 and repeats it on 2026-10-25.
  const cases: { name: string; window: string; now: string; inside: boolean }[] = [
    { name: 'the start is inside', window: '02:00-04:00 UTC', now: '2026-01-05T02:00:00.000Z', inside: true },
    {
      name: 'just before the start is outside',
      window: '02:00-04:00 UTC',
      now: '2026-01-05T01:59:59.999Z',
      inside: false,
    },
    {
      name: 'the last millisecond is inside',
      window: '02:00-04:00 UTC',
      now: '2026-01-05T03:59:59.999Z',
      inside: true,
    },
    { name: 'the end is outside', window: '02:00-04:00 UTC', now: '2026-01-05T04:00:00.000Z', inside: false },
    { name: 'the zone counts', window: '02:00-04:00 Europe/Berlin', now: '2026-01-05T01:30:00Z', inside: true },
    { name: 'before midnight', window: '22:00-02:00 UTC', now: '2026-01-05T23:59:59Z', inside: true },
    { name: 'after midnight', window: '22:00-02:00 UTC', now: '2026-01-06T01:59:59Z', inside: true },
    {
      name: 'the end after midnight is outside',
      window: '22:00-02:00 UTC',
      now: '2026-01-06T02:00:00Z',
      inside: false,
    },
    { name: 'noon is outside of the night', window: '22:00-02:00 UTC', now: '2026-01-06T12:00:00Z', inside: false },
    {
      name: 'until 00:00 is until the end of the day',
      window: '22:00-00:00 UTC',
      now: '2026-01-05T23:59:59Z',
      inside: true,
    },
    { name: 'until 24:00 likewise', window: '22:00-24:00 UTC', now: '2026-01-06T00:00:00Z', inside: false },
    { name: 'a weekday is inside', window: 'Mon-Fri 22:00-02:00 UTC', now: '2026-01-05T22:30:00Z', inside: true },
    { name: 'the weekend is outside', window: 'Mon-Fri 22:00-02:00 UTC', now: '2026-01-10T22:30:00Z', inside: false },
    {
      name: 'Saturday morning belongs to Friday',
      window: 'Mon-Fri 22:00-02:00 UTC',
      now: '2026-01-10T01:00:00Z',
      inside: true,
    },
    {
      name: 'Monday morning belongs to Sunday',
      window: 'Mon-Fri 22:00-02:00 UTC',
      now: '2026-01-05T01:00:00Z',
      inside: false,
    },
    { name: 'days wrap around the week', window: 'Sat-Mon 01:00-02:00 UTC', now: '2026-01-05T01:30:00Z', inside: true },
    { name: 'days in a list', window: 'Tue,Thu-Fri 01:00-02:00 UTC', now: '2026-01-07T01:30:00Z', inside: false },
    { name: 'always is always', window: '00:00-24:00 UTC', now: '2026-01-05T00:00:00Z', inside: true },
    {
      name: 'always during the skipped hour',
      window: '00:00-24:00 Europe/Berlin',
      now: '2026-03-29T01:00:00Z',
      inside: true,
    },
    {
      name: 'the day of one weekday ends at local midnight',
      window: 'Sun 00:00-24:00 Europe/Berlin',
      now: '2026-03-29T22:00:00Z',
      inside: false,
    },
    { name: 'and lasts until it', window: 'Sun 00:00-24:00 Europe/Berlin', now: '2026-03-29T21:59:59Z', inside: true },
    {
      name: 'a start in the skipped hour opens when the clock has skipped it',
      window: '02:30-03:15 Europe/Berlin',
      now: '2026-03-29T01:00:00Z',
      inside: true,
    },
    {
      name: 'and closes by the clock',
      window: '02:30-03:15 Europe/Berlin',
      now: '2026-03-29T01:15:00Z',
      inside: false,
    },
    {
      name: 'a window wholly in the skipped hour does not open',
      window: '02:15-02:45 Europe/Berlin',
      now: '2026-03-29T01:00:00Z',
      inside: false,
    },
    {
      name: 'in the repeated hour it opens the first time',
      window: '02:15-02:45 Europe/Berlin',
      now: '2026-10-25T00:30:00Z',
      inside: true,
    },
    {
      name: 'and not the second time',
      window: '02:15-02:45 Europe/Berlin',
      now: '2026-10-25T01:30:00Z',
      inside: false,
    },
    {
      name: 'a window over the repeated hour is an hour longer',
      window: '01:00-04:00 Europe/Berlin',
      now: '2026-10-25T02:59:59Z',
      inside: true,
    },
  ];
  for (const { name, window, now, inside } of cases) {
    it(`P-11: ${name} (${window} at ${now})`, () => {
      assert.equal(isInsideWindow(parseMaintenanceWindow(window), at(now)), inside);
    });
  }

  const refused = [
    '',
    '02:00-04:00',
    '02:00-02:00 UTC',
    '00:00-00:00 UTC',
    '99:99-04:00 UTC',
    '02:00-99:99 UTC',
    '24:00-02:00 UTC',
    '02:60-04:00 UTC',
    '02:00-24:01 UTC',
    '2:00-4:00 UTC',
    '02:00-04:00  UTC',
    ' 02:00-04:00 UTC',
    '02:00-04:00 UTC\n',
    '02:00-04:00 Mars/Olympus',
    '02:00-04:00 +02:00',
    '02:00-04:00 2026-01-01T00:00[UTC]',
    'mon 02:00-04:00 UTC',
    'Mon- 02:00-04:00 UTC',
    'Mon-Tue-Wed 02:00-04:00 UTC',
    ',Mon 02:00-04:00 UTC',
    `${'Mon,'.repeat(1_000)}Mon 02:00-04:00 UTC`,
  ];
  for (const text of refused) {
    it(`P-11: refuses ${JSON.stringify(text.slice(0, 40))}`, () => {
      assert.throws(
        () => parseMaintenanceWindow(text),
        (error) => hasCode(error, 'ERR_INPUT_INVALID'),
      );
    });
  }

  const next: { window: string; now: string; start: string }[] = [
    { window: '02:00-04:00 UTC', now: '2026-01-05T00:00:00Z', start: '2026-01-05T02:00:00Z' },
    { window: '02:00-04:00 UTC', now: '2026-01-05T02:00:00Z', start: '2026-01-06T02:00:00Z' },
    { window: 'Sun 02:00-04:00 UTC', now: '2026-01-05T00:00:00Z', start: '2026-01-11T02:00:00Z' },
    { window: 'Sun 02:15-02:45 Europe/Berlin', now: '2026-03-25T00:00:00Z', start: '2026-04-05T00:15:00Z' },
  ];
  for (const { window, now, start } of next) {
    it(`P-11: ${window} opens next after ${now} at ${start}`, () => {
      assert.equal(nextWindowStart(parseMaintenanceWindow(window), at(now)), at(start));
    });
  }

  it('P-11: whatever the time and zone, the next start is after now and inside', () => {
    const days = fc.constantFrom('', 'Mon ', 'Sat-Sun ', 'Mon-Fri ', 'Wed,Fri ');
    const minute = fc.integer({ min: 0, max: 24 * 60 - 1 });
    const zone = fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kathmandu');
    const wallMs = fc.integer({ min: at('2024-01-01T00:00Z'), max: at('2028-01-01T00:00Z') });
    fc.assert(
      fc.property(days, minute, minute, zone, wallMs, (onDays, from, to, timeZone, nowMs) => {
        fc.pre(from !== to);
        const window = parseMaintenanceWindow(`${onDays}${clock(from)}-${clock(to)} ${timeZone}`);
        const startMs = nextWindowStart(window, nowMs);
        assert.ok(startMs > nowMs);
        assert.ok(isInsideWindow(window, startMs));
      }),
    );
  });
});
