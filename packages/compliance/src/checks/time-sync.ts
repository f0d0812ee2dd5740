/** The clock agrees with its time sources (C-13, P-10). */
import type { Finding } from '@holdfast/evidence';
import { z } from 'zod';
import type { Check } from '../check.ts';
import { judgeClock, MAX_SKEW_MS, MAX_TIME_SOURCES, MIN_TIME_ANSWERS } from '../clock-sanity.ts';
import { attempt, fail, pass, unknown } from '../finding.ts';
import { itself, unique } from '../values.ts';

const SUBJECT = 'clock';

export const TimeSyncExpectation = z.strictObject({
  /** Host names or addresses of time servers. */
  sources: unique(z.string().regex(/^[A-Za-z0-9_:.[\]-]{1,253}$/), MAX_TIME_SOURCES, itself).refine(
    (sources) => sources.length >= MIN_TIME_ANSWERS,
    'names fewer than 3 sources',
  ),
  maxSkewMs: z.int().min(100).max(60_000).default(MAX_SKEW_MS),
});
export type TimeSyncExpectation = z.infer<typeof TimeSyncExpectation>;

export const timeSync: Check<TimeSyncExpectation> = {
  name: 'time_sync',
  title: 'The clock is within the allowed skew of the median of its time sources',
  expectation: TimeSyncExpectation,
  timeoutMs: 5_000,

  async run({ sources, maxSkewMs }, { host }, signal): Promise<readonly Finding[]> {
    const read = await attempt(() => host.timeSources.sample(sources, signal), signal);
    if (!read.ok) return [unknown('medium', 'clock-unreadable', SUBJECT, `Time sources cannot be asked: ${read.why}`)];
    const verdict = judgeClock(read.value, { maxSkewMs });
    if (verdict.status === 'unknown') return [unknown('medium', 'clock-unknown', SUBJECT, verdict.reason)];
    const comparison = {
      observed: { offsetMs: verdict.offsetMs, spreadMs: verdict.spreadMs, answers: verdict.answers },
      expected: { maxSkewMs, answers: MIN_TIME_ANSWERS },
    };
    if (verdict.status === 'sane') return [pass('clock-ok', SUBJECT, verdict.reason, comparison)];
    return [fail('high', 'clock-not-sane', SUBJECT, verdict.reason, comparison)];
  },
};
