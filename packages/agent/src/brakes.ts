/**
 * When healing holds back (C-25): a cool-down per action that grows while attempts are in vain, a
 * stop for a check that drifts again and again, and a stop of everything when too much is mended at
 * once. Pure: moments in, an answer out.
 */
import { ageMs, type Moment } from './ports.ts';

const MINUTE_MS = 60_000;
/** C-25: drifts are counted over this time, and too many stop healing for `FLAPPING_STOP_MS`. */
const FLAPPING_SPAN_MS = 30 * MINUTE_MS;
const FLAPPING_STOP_MS = 60 * MINUTE_MS;
/** C-25: remediations of the whole host are counted over this time, and too many stop all healing. */
const RUSH_SPAN_MS = 10 * MINUTE_MS;
const RUSH_STOP_MS = 30 * MINUTE_MS;

/**
 * Time to let pass after the last of `attempts` attempts of one action that did not succeed: the
 * cool-down thrice, then 10 min thrice, then 30 min thrice, then 2 h (C-25).
 */
export function spacingMs(attempts: number, coolDownMs: number): number {
  if (attempts < 3) return coolDownMs;
  if (attempts < 6) return Math.max(coolDownMs, 10 * MINUTE_MS);
  if (attempts < 9) return Math.max(coolDownMs, 30 * MINUTE_MS);
  return Math.max(coolDownMs, 120 * MINUTE_MS);
}

/**
 * @param attempts moments of attempts since the last success
 * @param last when the action was last attempted, successfully or not
 * @returns milliseconds until the action may be tried; 0 when now
 */
export function coolDownLeftMs(
  attempts: readonly Moment[],
  last: Moment | null,
  now: Moment,
  coolDownMs: number,
): number {
  if (last === null) return 0;
  return Math.max(0, spacingMs(attempts.length, coolDownMs) - ageMs(last, now));
}

/**
 * Whether a check flaps: some run of more than `limit` drifts fell within 30 minutes, and the last
 * of it is less than an hour ago.
 *
 * @param drifts moments at which the check began to fail, oldest first
 */
export function isFlapping(drifts: readonly Moment[], now: Moment, limit: number): boolean {
  return hasRun(drifts, now, { count: limit + 1, spanMs: FLAPPING_SPAN_MS, stopMs: FLAPPING_STOP_MS });
}

/**
 * Whether healing stands still: `limit` remediations fell within 10 minutes, and the last of them is
 * less than half an hour ago.
 *
 * @param remediations moments of all attempts on this host, oldest first
 */
export function isRushing(remediations: readonly Moment[], now: Moment, limit: number): boolean {
  return hasRun(remediations, now, { count: limit, spanMs: RUSH_SPAN_MS, stopMs: RUSH_STOP_MS });
}

interface Run {
  readonly count: number;
  readonly spanMs: number;
  readonly stopMs: number;
}

/** Whether `count` moments lie within `spanMs`, the last of them less than `stopMs` ago. */
function hasRun(moments: readonly Moment[], now: Moment, { count, spanMs, stopMs }: Run): boolean {
  const ages = moments.map((moment) => ageMs(moment, now));
  return ages.some((age, index) => {
    const first = ages[index - count + 1];
    return first !== undefined && age < stopMs && first - age <= spanMs;
  });
}
