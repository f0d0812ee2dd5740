/** How a host stands, from its newest statuses (C-39): pure, so that summary, list and page agree. */
import type { HostView } from '@holdfast/api';

export type CheckStatus = HostView['checks'][number];
/** C-39. */
export const STALE_AFTER_MS = 24 * 3_600_000;
/** A host is silent after this many missed check-ins. */
export const SILENT_AFTER_INTERVALS = 3;

/** The statuses of one host, or of many, in numbers. */
export interface Tally {
  /** All but `not_applicable`. */
  readonly applicable: number;
  /** Of these, looked at lately and with a result. */
  readonly measured: number;
  readonly good: number;
  readonly failing: number;
}

const isFresh = ({ stale }: CheckStatus): boolean => !stale;
const isGood = ({ status }: CheckStatus): boolean => status === 'pass' || status === 'excepted';

export function tallyOf(checks: readonly CheckStatus[]): Tally {
  const applicable = checks.filter(({ status }) => status !== 'not_applicable');
  const fresh = applicable.filter(isFresh);
  return {
    applicable: applicable.length,
    measured: fresh.filter(({ status }) => status !== 'unknown' && status !== 'error').length,
    good: fresh.filter(isGood).length,
    failing: fresh.filter(({ status }) => status === 'fail').length,
  };
}

/** The same counts made by the database over `check_status`; `$1`: what is older is stale. */
export const TALLY_SQL = `count(*) FILTER (WHERE status <> 'not_applicable') AS applicable,
  count(*) FILTER (WHERE status NOT IN ('not_applicable', 'unknown', 'error') AND at >= $1) AS measured,
  count(*) FILTER (WHERE status IN ('pass', 'excepted') AND at >= $1) AS good,
  count(*) FILTER (WHERE status = 'fail' AND at >= $1) AS failing`;

/**
 * C-39: share of good ones among the newest status of every (check, host) that applies; what is
 * stale, unknown or in error is not good. `null` when nothing was measured: no data is not 0 %.
 */
export function scoreOf({ applicable, measured, good }: Tally): number | null {
  return measured === 0 ? null : Math.round((1000 * good) / applicable) / 10;
}

export interface HostSigns {
  readonly nowMs: number;
  readonly lastSeenMs: number | null;
  readonly enrolledMs: number;
  readonly checkinIntervalMs: number;
  readonly frozen: boolean;
  readonly healing: boolean;
  readonly tally: Tally;
}

/** The most urgent first: a host that cannot be heard is not good, whatever it said last. */
export function stateOfHost(signs: HostSigns): HostView['state'] {
  const heardMs = signs.lastSeenMs ?? signs.enrolledMs;
  if (signs.nowMs - heardMs > SILENT_AFTER_INTERVALS * signs.checkinIntervalMs) return 'silent';
  if (signs.frozen) return 'frozen';
  if (signs.healing) return 'healing';
  const { failing, applicable, good } = signs.tally;
  if (failing > 0) return 'drift';
  return applicable > 0 && good === applicable ? 'good' : 'unknown';
}
