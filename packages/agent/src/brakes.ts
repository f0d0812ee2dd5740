/**
 * When healing holds back (C-25): a cool-down per action that grows while attempts are in vain, and
 * a stop for a check that drifts again and again. Pure: moments in, an answer out.
 */
import { ageMs, type Moment } from './ports.ts';

const MINUTE_MS = 60_000;
/** C-25: drifts are counted over this time, and too many stop healing for `FLAPPING_STOP_MS`. */
const FLAPPING_SPAN_MS = 30 * MINUTE_MS;
const FLAPPING_STOP_MS = 60 * MINUTE_MS;

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
  const ages = drifts.map((drift) => ageMs(drift, now));
  return ages.some((age, index) => {
    const first = ages[index - limit];
    return first !== undefined && age < FLAPPING_STOP_MS && first - age <= FLAPPING_SPAN_MS;
  });
}
