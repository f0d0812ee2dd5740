/**
 * Maintenance windows: when disruptive changes may run (P-11). Text such as `02:00-04:00 UTC` or
 * `Mon-Fri 22:00-02:00 Europe/Berlin`: optional days, half-open times of the local clock, a time zone.
 *
 * A window belongs to the day it starts on. It opens at the first instant at which the local clock
 * shows the start or later, and closes at the first instant at which it shows the end or later: an
 * hour that a clock change skips is not made up for, one that it repeats does not open a window twice.
 */
import { HoldfastError } from './errors.ts';

/** ISO 8601: Monday is 1. */
const DAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];
const ALL_DAYS: readonly number[] = [1, 2, 3, 4, 5, 6, 7];
const MINUTES_PER_DAY = 24 * 60;
const MAX_WINDOW_CHARS = 200;
/** A weekly window that one clock change swallows opens a week later: two weeks always suffice. */
const SEARCH_DAYS = 15;

export interface MaintenanceWindow {
  /** As written. */
  readonly text: string;
  /** Days on which it starts, 1 (Monday) to 7, sorted. */
  readonly days: readonly number[];
  /** Minutes since local midnight, 0…1439. */
  readonly startMinute: number;
  /** Minutes since local midnight, 1…1440; before the start, it is on the following day. */
  readonly endMinute: number;
  /** IANA name. */
  readonly timeZone: string;
}

/**
 * Parses `[days ]HH:MM-HH:MM zone`. Days are names and ranges joined by commas: `Mon-Fri,Sun`.
 * `00:00-24:00 UTC` is always.
 *
 * @throws `ERR_INPUT_INVALID` for anything else, also when start and end are the same
 */
export function parseMaintenanceWindow(text: string): MaintenanceWindow {
  const match = text.length > MAX_WINDOW_CHARS ? null : /^(?:(\S+) )?(\d\d:\d\d)-(\d\d:\d\d) (\S+)$/.exec(text);
  if (match === null) throw refused('shape');
  const [, days, start, end, timeZone] = match;
  const startMinute = parseTime(start ?? '');
  const endMinute = parseTime(end ?? '');
  if (startMinute === MINUTES_PER_DAY) throw refused('start');
  if (startMinute === endMinute) throw refused('start equals end');
  // 22:00-00:00 says the same as 22:00-24:00.
  const closes = endMinute === 0 ? MINUTES_PER_DAY : endMinute;
  if (startMinute === 0 && endMinute === 0) throw refused('start equals end');
  return {
    text,
    days: days === undefined ? ALL_DAYS : parseDays(days),
    startMinute,
    endMinute: closes,
    timeZone: parseTimeZone(timeZone ?? ''),
  };
}

/** Whether the window is open at `wallMs`. The start is inside, the end is not. */
export function isInsideWindow(window: MaintenanceWindow, wallMs: number): boolean {
  const today = localDate(window, wallMs);
  // A window that crosses midnight may have started yesterday; a skipped calendar day makes it two days ago.
  return [0, 1, 2].some((days) => {
    const opening = openingOn(window, today.subtract({ days }));
    return opening !== undefined && opening.fromMs <= wallMs && wallMs < opening.toMs;
  });
}

/** The first opening strictly after `wallMs`, milliseconds since the epoch. */
export function nextWindowStart(window: MaintenanceWindow, wallMs: number): number {
  const today = localDate(window, wallMs);
  for (let days = 0; days <= SEARCH_DAYS; days += 1) {
    const opening = openingOn(window, today.add({ days }));
    if (opening !== undefined && opening.fromMs > wallMs) return opening.fromMs;
  }
  throw new TypeError('a window that never opens was not made by parseMaintenanceWindow');
}

interface Opening {
  readonly fromMs: number;
  readonly toMs: number;
}

/** @returns `undefined` when the window does not start on `date`, or a clock change skips all of it */
function openingOn(window: MaintenanceWindow, date: Temporal.PlainDate): Opening | undefined {
  if (!window.days.includes(date.dayOfWeek)) return undefined;
  const crosses = window.endMinute <= window.startMinute;
  const fromMs = firstInstantShowing(window.timeZone, date, window.startMinute);
  const toMs = firstInstantShowing(window.timeZone, date, window.endMinute + (crosses ? MINUTES_PER_DAY : 0));
  return fromMs < toMs ? { fromMs, toMs } : undefined;
}

/** The first instant at which clocks in the zone show `minute` of `date` or later. */
function firstInstantShowing(timeZone: string, date: Temporal.PlainDate, minute: number): number {
  const local = date
    .add({ days: Math.floor(minute / MINUTES_PER_DAY) })
    .toPlainDateTime({ hour: Math.floor((minute % MINUTES_PER_DAY) / 60), minute: minute % 60 });
  const earlier = local.toZonedDateTime(timeZone, { disambiguation: 'earlier' });
  if (earlier.toPlainDateTime().equals(local)) return earlier.epochMilliseconds;
  // The clock skips this time: `earlier` lies before the skip, and the skip itself is the answer.
  return (earlier.getTimeZoneTransition('next') ?? earlier).epochMilliseconds;
}

function localDate(window: MaintenanceWindow, wallMs: number): Temporal.PlainDate {
  return Temporal.Instant.fromEpochMilliseconds(wallMs).toZonedDateTimeISO(window.timeZone).toPlainDate();
}

function parseTime(text: string): number {
  const hour = Number(text.slice(0, 2));
  const minute = Number(text.slice(3));
  const total = hour * 60 + minute;
  if (minute > 59 || total > MINUTES_PER_DAY) throw refused('time');
  return total;
}

function parseDays(text: string): number[] {
  const days = new Set<number>();
  for (const part of text.split(',')) {
    const [first, last, ...more] = part.split('-').map((name) => DAYS.indexOf(name) + 1);
    if (first === undefined || more.length > 0 || first === 0 || last === 0) throw refused('days');
    for (let day = first; ; day = (day % DAYS.length) + 1) {
      days.add(day);
      if (day === (last ?? first)) break;
    }
  }
  return [...days].toSorted((a, b) => a - b);
}

function parseTimeZone(text: string): string {
  // Only names: an offset would be silently wrong for half of the year.
  if (!/^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/.test(text)) throw refused('time zone');
  try {
    return Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(text).timeZoneId;
  } catch (cause) {
    throw refused('time zone', cause);
  }
}

function refused(what: string, cause?: unknown): HoldfastError {
  return new HoldfastError(`not a maintenance window: ${what}`, {
    code: 'ERR_INPUT_INVALID',
    fields: { what: `maintenance window: ${what}` },
    cause,
  });
}
