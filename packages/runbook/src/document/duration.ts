/** Durations as people write them in runbooks: `30 s`, `15 min`, `1 h`, `next business day`. */

/** What `next business day` comes to at most: from Friday's morning to Monday's evening. */
const NEXT_BUSINESS_DAY_MS = 4 * 24 * 3_600_000;

const UNITS: readonly (readonly [spelling: RegExp, ms: number])[] = [
  [/^ms$/, 1],
  [/^(?:s|sec|seconds?)$/, 1_000],
  [/^(?:min|minutes?)$/, 60_000],
  [/^(?:h|hours?)$/, 3_600_000],
];

/**
 * Milliseconds of a duration; a leading `<`, `within` or `after` is read over.
 *
 * @returns `null` if `text` is no duration, or is zero
 */
export function parseDuration(text: string): number | null {
  const match = /^(?:(?:<|within|after) ?)?(?:([0-9]{1,6}) ?([a-z]{1,7})|(next business day))$/i.exec(text.trim());
  if (match === null) return null;
  if (match[3] !== undefined) return NEXT_BUSINESS_DAY_MS;
  const unit = UNITS.find(([spelling]) => spelling.test(match[2]!.toLowerCase()));
  const ms = unit === undefined ? 0 : Number(match[1]) * unit[1];
  return ms > 0 ? ms : null;
}
