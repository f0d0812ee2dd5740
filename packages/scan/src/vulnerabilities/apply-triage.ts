/**
 * Turns vulnerabilities into findings, with what people decided about them. A decision never
 * outweighs proof: one that says the code is not reached, while it is, takes nothing away.
 */
import { coversPurl, isLapsed } from '../packages/declared-exceptions.ts';
import { makeFinding } from '../packages/make-finding.ts';
import type { ScanFinding } from '../scan-report.ts';
import type { Vulnerability } from './find-vulnerabilities.ts';
import { severityOf } from './severity.ts';
import { type Triage, TRIAGE_FILE, type TriageEntry } from './triage-file.ts';

export type Reachability = NonNullable<ScanFinding['reachability']>;

/** A vulnerability as found, with the decision that is in force, if there is one. */
export interface TriagedVulnerability {
  readonly vulnerability: Vulnerability;
  readonly reachability: Reachability;
  readonly decision: TriageEntry | null;
}

export interface TriagedFindings {
  readonly triaged: readonly TriagedVulnerability[];
  readonly findings: readonly ScanFinding[];
}

export function applyTriage(
  vulnerabilities: readonly { vulnerability: Vulnerability; reachability: Reachability }[],
  triage: Triage,
  nowMs: number,
): TriagedFindings {
  const used = new Set<TriageEntry>();
  const findings: ScanFinding[] = [];
  const triaged: TriagedVulnerability[] = [];
  for (const { vulnerability, reachability } of vulnerabilities) {
    const { ids, package: one } = vulnerability;
    const about = triage.entries.filter((entry) => ids.includes(entry.id) && coversPurl(entry.package, one.purl));
    for (const entry of about) used.add(entry);
    const contradicted = about.filter((entry) => contradicts(entry, reachability));
    findings.push(...contradicted.map((entry) => note('triage-contradicted', 'P1', entry, CONTRADICTED)));
    const decision = about.find((entry) => !isLapsed(entry.expires, nowMs) && !contradicted.includes(entry)) ?? null;
    triaged.push({ vulnerability, reachability, decision });
    findings.push(toFinding(vulnerability, reachability, decision, triage.exploited));
  }
  for (const entry of triage.entries) {
    if (isLapsed(entry.expires, nowMs)) findings.push(note('triage-expired', 'P1', entry, EXPIRED));
    if (!used.has(entry)) findings.push(note('triage-unused', 'P2', entry, UNUSED));
  }
  return { triaged, findings };
}

const CONTRADICTED = 'The decision says that the code is not reached, but production imports it: decide again.';
const EXPIRED = 'The decision has expired and no longer counts: decide again, or update the package.';
const UNUSED = 'The decision is about nothing that was found: take it out.';

const contradicts = (entry: TriageEntry, reachability: Reachability): boolean =>
  entry.justification === 'vulnerable_code_not_in_execute_path' && reachability === 'reachable';

function note(rule: string, severity: 'P1' | 'P2', entry: TriageEntry, message: string): ScanFinding {
  const subject = `${entry.id} ${entry.package}`;
  return makeFinding({ rule, severity, location: TRIAGE_FILE, subject, message: `${subject}: ${message}` });
}

function toFinding(
  { ids, package: one, lockfiles, level, summary, match, fixed }: Vulnerability,
  reachability: Reachability,
  decision: TriageEntry | null,
  exploited: readonly string[],
): ScanFinding {
  const [rule, ...aliases] = ids;
  const isExploited = ids.some((id) => exploited.includes(id));
  const parts = [
    `${one.name} ${one.version} (${lockfiles.slice(0, 3).join(', ')})`,
    summary ?? 'has a known vulnerability',
    `severity ${level}${isExploited ? ', known to be exploited' : ''}`,
    match === 'unknown' ? 'the version cannot be compared and counts as affected' : null,
    fixed === null ? 'no fixed version is known' : `fixed in ${fixed}`,
  ];
  const closes = decision !== null && (decision.status === 'not_affected' || decision.status === 'fixed');
  return makeFinding({
    rule,
    aliases: aliases.slice(0, 100),
    severity: severityOf(level, isExploited, reachability, ids),
    location: one.purl,
    message: parts.filter((part) => part !== null).join('; '),
    reachability,
    suppressed: closes ? { reason: decision.reason, owner: decision.owner } : null,
  });
}
