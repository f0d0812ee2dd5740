/** A finding with its fingerprint: the same rule, place and subject give the same one on every machine. */
import { canonicalJson } from '@holdfast/core';
import { hash } from 'node:crypto';
import type { ScanFinding } from '../scan-report.ts';

/** The report's limits; what strangers wrote (summaries, paths) is cut to them. */
const MAX_CHARS = 2_000;

export type FindingFacts = Pick<ScanFinding, 'rule' | 'severity' | 'message' | 'location'> &
  Partial<Pick<ScanFinding, 'aliases' | 'line' | 'reachability' | 'suppressed'>> & {
    /** Tells apart what has rule and place in common; a line number would change with every edit. */
    readonly subject?: string;
  };

export function makeFinding({ subject, ...facts }: FindingFacts): ScanFinding {
  return {
    fingerprint: hash('sha256', canonicalJson([facts.rule, facts.location, subject ?? ''])),
    aliases: [],
    line: null,
    reachability: null,
    suppressed: null,
    ...facts,
    message: facts.message.slice(0, MAX_CHARS),
    location: facts.location.slice(0, MAX_CHARS),
  };
}

/** By location, then rule: two runs over the same tree give the same bytes. */
export const sortFindings = (findings: readonly ScanFinding[]): ScanFinding[] =>
  findings.toSorted(
    (a, b) => compare(a.location, b.location) || compare(a.rule, b.rule) || (a.line ?? 0) - (b.line ?? 0),
  );

const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b));
