/** What a list shows of a bundle, how it is filtered, and how many there are of which (P-29). Pure. */
import { type BundleId, parseBundleId, type Sha256Hex } from '@holdfast/core';
import { kindOf } from './build-statement.ts';
import type { EvidenceKind, Outcome, Severity, Statement } from './statement.ts';

export interface EvidenceSummary {
  readonly bundleId: BundleId;
  readonly path: string;
  readonly sizeBytes: number;
  readonly digest: Sha256Hex;
  readonly kind: EvidenceKind;
  readonly hostId: string;
  readonly check: string | null;
  readonly operation: string | null;
  readonly outcome: Outcome;
  readonly severity: Severity;
  readonly started: string;
  readonly ended: string;
  readonly simulated: boolean;
  readonly remediationId: string | null;
}

/** All that are given must hold. */
export interface EvidenceFilter {
  /** `started` at or after, RFC 3339 in UTC with milliseconds. */
  readonly from?: string;
  /** `started` before. */
  readonly to?: string;
  readonly kind?: EvidenceKind;
  readonly check?: string;
  readonly operation?: string;
  readonly outcome?: Outcome;
  readonly hostId?: string;
  /** At most this many, the newest. */
  readonly limit?: number;
}

export interface EvidenceStatistics {
  readonly total: number;
  readonly bytes: number;
  readonly byOutcome: Readonly<Record<string, number>>;
  /** By check, or by operation where there is no check. */
  readonly byCheck: Readonly<Record<string, number>>;
  readonly oldest: string | null;
  readonly newest: string | null;
}

export const EMPTY_STATISTICS: EvidenceStatistics = {
  total: 0,
  bytes: 0,
  byOutcome: {},
  byCheck: {},
  oldest: null,
  newest: null,
};

export function summarise(
  statement: Statement,
  file: Pick<EvidenceSummary, 'path' | 'sizeBytes' | 'digest'>,
): EvidenceSummary {
  const { predicate } = statement;
  return {
    bundleId: parseBundleId(predicate.bundleId),
    ...file,
    kind: kindOf(statement),
    hostId: predicate.hostId,
    check: predicate.check,
    operation: predicate.operation,
    outcome: predicate.outcome,
    severity: predicate.severity,
    started: predicate.started,
    ended: predicate.ended,
    simulated: predicate.simulated,
    remediationId: predicate.remediationId,
  };
}

/** Half-open in time: a bundle that started at `to` is outside. */
export function matches(filter: EvidenceFilter, bundle: EvidenceSummary): boolean {
  return (
    (filter.from === undefined || bundle.started >= filter.from) &&
    (filter.to === undefined || bundle.started < filter.to) &&
    (filter.kind === undefined || bundle.kind === filter.kind) &&
    (filter.check === undefined || bundle.check === filter.check) &&
    (filter.operation === undefined || bundle.operation === filter.operation) &&
    (filter.outcome === undefined || bundle.outcome === filter.outcome) &&
    (filter.hostId === undefined || bundle.hostId === filter.hostId)
  );
}

export function addToStatistics(statistics: EvidenceStatistics, bundle: EvidenceSummary): EvidenceStatistics {
  const { started, outcome } = bundle;
  const about = bundle.check ?? bundle.operation ?? 'none';
  return {
    total: statistics.total + 1,
    bytes: statistics.bytes + bundle.sizeBytes,
    byOutcome: { ...statistics.byOutcome, [outcome]: (statistics.byOutcome[outcome] ?? 0) + 1 },
    byCheck: { ...statistics.byCheck, [about]: (statistics.byCheck[about] ?? 0) + 1 },
    oldest: statistics.oldest === null || started < statistics.oldest ? started : statistics.oldest,
    newest: statistics.newest === null || started > statistics.newest ? started : statistics.newest,
  };
}
