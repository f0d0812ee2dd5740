/**
 * Keeps the findings of one check small enough to be sealed: the guard takes requests of 64 KiB
 * (G-01) and evidence 200 findings. What does not fit is counted, never dropped in silence, and the
 * status stays that of all findings.
 */
import type { Json } from '@holdfast/core';
import type { Finding, FindingStatus, Severity } from '@holdfast/evidence';
import { SEVERITIES } from '@holdfast/evidence';

/** Of `FindingSchema`'s 200; two are kept for the ones that count the rest. */
const MAX_FINDINGS = 198;
/** Findings and observed values together stay well under 64 KiB. */
const MAX_FINDINGS_BYTES = 36 * 1024;
const MAX_OBSERVED_BYTES = 12 * 1024;

/** Worst first (C-06). */
export const STATUS_ORDER: readonly FindingStatus[] = [
  'error',
  'unknown',
  'fail',
  'excepted',
  'pass',
  'not_applicable',
];

/** C-06: the worst of the findings; none at all is unknown. */
export function worstStatus(findings: readonly Finding[]): FindingStatus {
  return STATUS_ORDER.find((status) => findings.some((finding) => finding.status === status)) ?? 'unknown';
}

/** C-06: the maximum; of no findings, `high`, for nobody knows. */
export function worstSeverity(findings: readonly Finding[]): Severity {
  if (findings.length === 0) return 'high';
  return SEVERITIES.findLast((severity) => findings.some((finding) => finding.severity === severity)) ?? 'high';
}

/** The worst findings that fit, in their order, then at most two that count the others. */
export function fitFindings(findings: readonly Finding[]): Finding[] {
  const kept = new Set<Finding>();
  let bytes = 0;
  const byBadness = findings.toSorted((a, b) => STATUS_ORDER.indexOf(a.status) - STATUS_ORDER.indexOf(b.status));
  for (const original of byBadness) {
    const size = sizeOf(original);
    if (kept.size >= MAX_FINDINGS || bytes + size > MAX_FINDINGS_BYTES) continue;
    kept.add(original);
    bytes += size;
  }
  if (kept.size === findings.length) return [...findings];

  // One large diff must not push its own finding out: try those again without it.
  const slim = new Map<Finding, Finding>();
  for (const original of byBadness) {
    if (kept.has(original) || original.diff === null || kept.size + slim.size >= MAX_FINDINGS) continue;
    const lean = { ...original, diff: null };
    const size = sizeOf(lean);
    if (bytes + size > MAX_FINDINGS_BYTES) continue;
    slim.set(original, lean);
    bytes += size;
  }
  const shown = findings.flatMap((finding) => (kept.has(finding) ? [finding] : (slim.get(finding) ?? [])));
  const rest = findings.filter((finding) => !kept.has(finding) && !slim.has(finding));
  return [...shown, ...counted(rest, true), ...counted(rest, false)];
}

/** What was observed, by subject; a note when it is too much. */
export function observedOf(findings: readonly Finding[]): Json {
  const observed = Object.fromEntries(findings.map(({ kind, subject, observed }) => [`${kind} ${subject}`, observed]));
  return sizeOf(observed) <= MAX_OBSERVED_BYTES ? observed : { findings: findings.length, tooLarge: true };
}

function counted(rest: readonly Finding[], good: boolean): Finding[] {
  const some = rest.filter(({ status }) => good === (status === 'pass' || status === 'not_applicable'));
  const [first] = some;
  if (first === undefined) return [];
  return [
    {
      subject: good ? 'others as expected' : 'others not as expected',
      kind: good ? 'more-as-expected' : 'more-findings',
      status: worstStatus(some),
      severity: worstSeverity(some),
      message: `${some.length} more findings do not fit into one report`,
      observed: some.length,
      expected: null,
      diff: null,
      controls: first.controls,
      remediation: null,
    },
  ];
}

const sizeOf = (value: Json | Finding): number => Buffer.byteLength(JSON.stringify(value));
