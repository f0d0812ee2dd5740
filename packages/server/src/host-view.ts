/** How a host stands, from its newest statuses (C-39): pure, so that summary, list and page agree. */
import type { HostView } from '@holdfast/api';

export type CheckStatus = HostView['checks'][number];
/** C-39. */
export const STALE_AFTER_MS = 24 * 3_600_000;
/** A host is silent after this many missed check-ins. */
export const SILENT_AFTER_INTERVALS = 3;

const isGood = ({ status, stale }: CheckStatus): boolean => !stale && (status === 'pass' || status === 'excepted');

/**
 * C-39: share of good ones among the newest status of every (check, host) that applies; what is
 * stale, unknown or in error is not good. `null` when nothing was measured: no data is not 0 %.
 */
export function scoreOf(checks: readonly CheckStatus[]): number | null {
  const applicable = checks.filter(({ status }) => status !== 'not_applicable');
  const measured = applicable.some(({ status, stale }) => !stale && status !== 'unknown' && status !== 'error');
  if (!measured) return null;
  return Math.round((1000 * applicable.filter(isGood).length) / applicable.length) / 10;
}

export interface HostSigns {
  readonly nowMs: number;
  readonly lastSeenMs: number | null;
  readonly enrolledMs: number;
  readonly checkinIntervalMs: number;
  readonly frozen: boolean;
  readonly healing: boolean;
  readonly checks: readonly CheckStatus[];
}

/** The most urgent first: a host that cannot be heard is not good, whatever it said last. */
export function stateOfHost(signs: HostSigns): HostView['state'] {
  const heardMs = signs.lastSeenMs ?? signs.enrolledMs;
  if (signs.nowMs - heardMs > SILENT_AFTER_INTERVALS * signs.checkinIntervalMs) return 'silent';
  if (signs.frozen) return 'frozen';
  if (signs.healing) return 'healing';
  if (signs.checks.some(({ status, stale }) => status === 'fail' && !stale)) return 'drift';
  const applicable = signs.checks.filter(({ status }) => status !== 'not_applicable');
  return applicable.length > 0 && applicable.every(isGood) ? 'good' : 'unknown';
}
