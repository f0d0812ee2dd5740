/**
 * The report of `npm audit --json` (report version 2) as a scan. Its exit code says nothing: a
 * registry that was not reached answers with an `error`, and that is inconclusive.
 */
import { HoldfastError } from '@holdfast/core';
import { packageUrl } from '../packages/package.ts';
import { isTable, listOf, type Table, tableOf, tablesIn, textOf } from '../packages/parse-document.ts';
import { makeFinding, sortFindings } from '../packages/make-finding.ts';
import type { ScanFinding, ScanSummary } from '../scan-report.ts';
import { emptySummary } from './imported-summary.ts';
import { levelOfScore, parseLevel, severityOf, worst } from './severity.ts';

const NAME = 'npm audit';
const ADVISORY_URL = /\/advisories\/(GHSA-[0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{4})$/;

/** @throws `ERR_REPORT_MALFORMED` if it is JSON of another kind, or no JSON */
export function readNpmAudit(bytes: Uint8Array): ScanSummary {
  const text = new TextDecoder().decode(bytes).trim();
  const unknown = emptySummary(NAME, bytes);
  if (text === '') return { ...unknown, reasons: ['npm audit wrote nothing.'] };
  let report: unknown;
  try {
    report = JSON.parse(text);
  } catch (cause) {
    throw malformed('is no JSON', cause);
  }
  if (!isTable(report)) throw malformed('is no object');
  // `{"error": {"code": "ENOLOCK"}}` from the command, `{"message": "…"}` from a registry without audits.
  if (report['error'] !== undefined || (report['message'] !== undefined && report['vulnerabilities'] === undefined)) {
    const code = /^[A-Z0-9_]{1,40}$/.exec(textOf(tableOf(report['error'])['code']) ?? '')?.[0] ?? 'no code';
    return { ...unknown, reasons: [`npm audit could not ask the registry or read the lockfile (${code}).`] };
  }
  if (report['auditReportVersion'] !== 2 || !isTable(report['vulnerabilities'])) throw malformed('is not of version 2');
  const packages = tableOf(tableOf(report['metadata'])['dependencies'])['total'];
  if (typeof packages !== 'number' || !Number.isSafeInteger(packages) || packages < 0) {
    return { ...unknown, reasons: ['npm audit does not say how many packages it looked at.'] };
  }
  const findings = tablesIn(report['vulnerabilities']).flatMap(([name, entry]) =>
    // A string names another package of the report, through which this one is affected.
    listOf(entry['via'])
      .filter(isTable)
      .map((advisory) => toFinding(name, advisory)),
  );
  const unique = new Map(findings.map((finding) => [finding.fingerprint, finding]));
  return {
    ...unknown,
    state: 'complete',
    reasons: [],
    coverage: { ...unknown.coverage, packages },
    findings: sortFindings([...unique.values()]),
  };
}

function toFinding(name: string, advisory: Table): ScanFinding {
  const published = textOf(advisory['name']) ?? name;
  const id = ADVISORY_URL.exec(textOf(advisory['url']) ?? '')?.[1] ?? `npm:${Number(advisory['source'])}`;
  const score = tableOf(advisory['cvss'])['score'];
  // npm writes 0 where an advisory has no score.
  const scored = typeof score === 'number' && score > 0 ? levelOfScore(score) : 'unknown';
  const level = worst([parseLevel(advisory['severity']), scored]);
  return makeFinding({
    rule: id,
    severity: severityOf(level, false, 'unknown', [id]),
    location: packageUrl('npm', published, null, NAME),
    subject: textOf(advisory['range']) ?? '',
    message: `${published} ${textOf(advisory['range']) ?? ''}: ${textOf(advisory['title']) ?? 'is vulnerable'}; severity ${level}`,
    reachability: 'unknown',
  });
}

const malformed = (reason: string, cause?: unknown): HoldfastError =>
  new HoldfastError(`The report of npm audit ${reason}`, {
    code: 'ERR_REPORT_MALFORMED',
    fields: { format: NAME, reason },
    cause,
  });
