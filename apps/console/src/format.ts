/** How times and states read to a person. */
import type { Severity } from '@holdfast/evidence/statement';

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

/** `in 3 days`, `today`, `2 days ago`; of calendar days. */
export const formatDays = (days: number): string => (days === 0 ? 'today' : RELATIVE.format(days, 'day'));

const two = (value: number): string => String(value).padStart(2, '0');
const dayOf = (date: Date): string => `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
const timeOf = (date: Date): string => `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;

/** `2026-03-01 14:05:09`, local: one spelling everywhere, that sorts and can be searched for. */
export function formatInstant(instant: string): string {
  const date = new Date(instant);
  return `${dayOf(date)} ${timeOf(date)}`;
}

/** The time alone while it is of today. */
export function formatClock(instant: string, nowMs: number): string {
  const date = new Date(instant);
  return dayOf(date) === dayOf(new Date(nowMs)) ? timeOf(date) : formatInstant(instant);
}

/** `1 host`, `12,345 hosts`. */
export function formatCount(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString('en')} ${count === 1 ? one : many}`;
}

export type Tone = 'good' | 'bad' | 'warn' | 'busy' | 'none';

export const MARKS: Readonly<Record<Tone, string>> = { good: '✓', bad: '✕', warn: '!', busy: '↻', none: '·' };

/** One tone per state, everywhere: colour never says more than the word beside it. */
const TONES: ReadonlyMap<string, Tone> = new Map(
  Object.entries({
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
    GO: 'good',
    APPROVED: 'good',
    resolved: 'good',
    lifted: 'good',
    closed: 'good',
    'exit 0': 'good',
    NO_GO: 'bad',
    P0: 'bad',
    lapsed: 'bad',
    overdue: 'bad',
    uncovered: 'bad',
    BLOCKED: 'bad',
    open: 'warn',
    accepted: 'warn',
    standing: 'warn',
    'not-evidenced': 'bad',
    P1: 'warn',
    GO_WITH_CONDITIONS: 'warn',
    INCONCLUSIVE: 'warn',
    STALE: 'warn',
    CHANGES_REQUESTED: 'warn',
    timeout: 'warn',
    interrupted: 'warn',
    'not-started': 'warn',
    IN_PROGRESS: 'busy',
    DONE: 'busy',
  } satisfies Record<string, Tone>),
);

export function toneOf(state: string): Tone {
  return TONES.get(state) ?? 'none';
}

export const SEVERITY_ORDER: Readonly<Record<Severity, number>> = { critical: 4, high: 3, medium: 2, low: 1, info: 0 };

export function formatJson(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value, undefined, 2);
}
