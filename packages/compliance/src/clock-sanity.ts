/** Whether this host's clock can be believed (P-10). Pure: the samples are an argument. */
import type { TimeSample } from '@holdfast/host';

/** P-10: up to 5 sources are asked, 3 must answer. */
export const MAX_TIME_SOURCES = 5;
export const MIN_TIME_ANSWERS = 3;
/** P-10: largest offset, and largest spread between answers. */
export const MAX_SKEW_MS = 5_000;

export interface ClockVerdict {
  /** `unknown` counts as not sane wherever something depends on it. */
  readonly status: 'sane' | 'not-sane' | 'unknown';
  /** Median of the answers, source minus host; `null` when too few answered. */
  readonly offsetMs: number | null;
  readonly spreadMs: number | null;
  readonly answers: number;
  /** One sentence, safe to show. */
  readonly reason: string;
}

/**
 * P-10: the median of at least three answers, of at most five sources, each counted once.
 *
 * @param options.maxSkewMs 5,000 unless a baseline is stricter or looser
 */
export function judgeClock(
  samples: readonly TimeSample[],
  options: { readonly maxSkewMs?: number } = {},
): ClockVerdict {
  const maxSkewMs = options.maxSkewMs ?? MAX_SKEW_MS;
  const bySource = new Map<string, number>();
  for (const { source, offsetMs, roundTripMs } of samples) {
    const usable = Number.isFinite(offsetMs) && Number.isFinite(roundTripMs) && roundTripMs >= 0;
    if (usable && !bySource.has(source) && bySource.size < MAX_TIME_SOURCES) bySource.set(source, offsetMs);
  }
  const offsets = [...bySource.values()].toSorted((a, b) => a - b);
  const answers = offsets.length;
  if (answers < MIN_TIME_ANSWERS) {
    const reason = `${answers} of at least ${MIN_TIME_ANSWERS} time sources answered`;
    return { status: 'unknown', offsetMs: null, spreadMs: null, answers, reason };
  }
  const offsetMs = median(offsets);
  const spreadMs = (offsets.at(-1) ?? 0) - (offsets[0] ?? 0);
  const measured = { offsetMs, spreadMs, answers };
  if (Math.abs(offsetMs) > maxSkewMs) {
    return { status: 'not-sane', ...measured, reason: `the clock is off by more than ${maxSkewMs} ms` };
  }
  if (spreadMs > maxSkewMs) {
    return { status: 'not-sane', ...measured, reason: `the time sources differ by more than ${maxSkewMs} ms` };
  }
  return { status: 'sane', ...measured, reason: `the clock is within ${maxSkewMs} ms of ${answers} time sources` };
}

/** @param sorted ascending, not empty */
function median(sorted: readonly number[]): number {
  const upper = sorted[Math.floor(sorted.length / 2)] ?? 0;
  const lower = sorted[Math.floor((sorted.length - 1) / 2)] ?? 0;
  return (upper + lower) / 2;
}
