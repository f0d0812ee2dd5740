/**
 * Reads a report of gitleaks (`--report-format json`, v8) as a scan summary. Its findings hold the
 * secret, the line and the author: none of these is taken over. What gitleaks covered it does not
 * say, so coverage counts only what its findings name, and the summary says so.
 */
import { HoldfastError } from '@holdfast/core';
import { z } from 'zod';

import { SCAN_REPORT_FORMAT, type ScanSummary } from '../scan-report.ts';
import { fingerprintOf, lengthClass } from './fingerprint.ts';

/** Some 100,000 findings: no such report is read by anyone. */
const MAX_REPORT_BYTES = 64 * 1_048_576;
const MAX_FINDINGS = 20_000;

const Finding = z.object({
  RuleID: z.string().min(1).max(180),
  StartLine: z.int().min(0).default(0),
  Secret: z.string().max(100_000).default(''),
  File: z.string().max(10_000).default(''),
  SymlinkFile: z.string().max(10_000).optional(),
  Commit: z.string().max(64).default(''),
});
/** An empty report is `[]`, or `null` of older releases. */
const Report = z.array(Finding).max(MAX_FINDINGS).nullable();

function malformed(place: string): HoldfastError {
  return new HoldfastError('the gitleaks report does not parse', {
    code: 'ERR_REPORT_MALFORMED',
    fields: { format: 'gitleaks', place },
  });
}

/** @throws `ERR_REPORT_MALFORMED` */
export function readGitleaksReport(bytes: Uint8Array): ScanSummary {
  if (bytes.length > MAX_REPORT_BYTES) throw malformed('it is larger than 64 MiB');
  let content: unknown;
  try {
    content = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    // The cause would quote the report, and the report holds secrets.
    throw malformed('it is no JSON');
  }
  const parsed = Report.safeParse(content);
  if (!parsed.success) throw malformed(parsed.error.issues[0]?.path.join('.') || 'the whole');
  const found = parsed.data ?? [];
  const findings = new Map(
    found.map(({ RuleID, StartLine, Secret, File, Commit }) => {
      const path = File.replaceAll(Secret || '\0', '***');
      const id = `gitleaks-${RuleID}`;
      const fingerprint = fingerprintOf({ rule: { id, title: id, chosen: true }, secret: Secret }, path);
      return [
        fingerprint,
        {
          fingerprint,
          rule: id,
          aliases: [],
          severity: 'P0' as const,
          message: `A secret by the rule ${RuleID} of gitleaks, ${lengthClass(Secret)}. Revoke and replace it.`,
          location: (Commit === '' ? path : `${Commit}:${path}`).slice(0, 2_000) || '(no name)',
          line: StartLine > 0 ? StartLine : null,
          reachability: null,
          suppressed: null,
        },
      ];
    }),
  );
  return {
    format: SCAN_REPORT_FORMAT,
    scanner: 'imported',
    rules: { name: 'gitleaks', version: 'unknown', count: 0 },
    state: 'complete',
    reasons: ['gitleaks does not report what it covered: its findings count, their absence proves nothing'],
    coverage: {
      files: new Set(found.map(({ File }) => File)).size,
      bytes: 0,
      commits: new Set(found.map(({ Commit }) => Commit).filter(Boolean)).size,
      tags: null,
      packages: null,
      skipped: [],
    },
    database: null,
    findings: [...findings.values()],
  };
}
