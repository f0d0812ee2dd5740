/** How times and states read to a person. */
import type { Severity } from '@holdfast/evidence';

const RELATIVE = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
const UNITS: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1_000],
];

/** `3 minutes ago`. */
export function formatAge(instant: string, nowMs: number): string {
  const difference = Date.parse(instant) - nowMs;
  for (const [unit, size] of UNITS) {
    if (Math.abs(difference) >= size) return RELATIVE.format(Math.round(difference / size), unit);
  }
  return 'just now';
}

/** Local date and time with seconds. */
export function formatInstant(instant: string): string {
  return new Date(instant).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
}

export type Tone = 'good' | 'bad' | 'warn' | 'busy' | 'none';

/** One tone per state, everywhere: colour never says more than the word beside it. */
const TONES: Readonly<Record<string, Tone>> = {
  good: 'good',
  pass: 'good',
  committed: 'good',
  fixed: 'good',
  allow: 'good',
  live: 'good',
  done: 'good',
  drift: 'bad',
  fail: 'bad',
  failed: 'bad',
  frozen: 'bad',
  deny: 'bad',
  rejected: 'bad',
  critical: 'bad',
  high: 'bad',
  silent: 'warn',
  unknown: 'warn',
  error: 'warn',
  reverted: 'warn',
  deferred: 'warn',
  alert: 'warn',
  expired: 'warn',
  medium: 'warn',
  stale: 'warn',
  'needs-approval': 'warn',
  waiting: 'warn',
  excepted: 'warn',
  healing: 'busy',
  applying: 'busy',
  verifying: 'busy',
  confirming: 'busy',
  detected: 'busy',
  connecting: 'busy',
};

export function toneOf(state: string): Tone {
  return TONES[state] ?? 'none';
}

export const SEVERITY_ORDER: Readonly<Record<Severity, number>> = { critical: 4, high: 3, medium: 2, low: 1, info: 0 };

export function formatJson(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value, undefined, 2);
}
