/**
 * Reads SARIF 2.1.0 of any scanner as a scan report of ours: `error` is P0, `warning` P1, the
 * rest P2, unless the rule or result carries GitHub's `security-severity`. A run that says it failed, or
 * a file without a run, is inconclusive, never clean.
 */
import { canonicalJson } from '@holdfast/core';
import { sha256Hex } from '@holdfast/crypto';
import { SCAN_REPORT_FORMAT, type ScanFinding, type ScanSummary } from '@holdfast/scan';
import { z } from 'zod';
import { parseDocument, refusedDocument } from './strict-json.ts';

/** The record of a scan takes no more. */
const MAX_FINDINGS = 20_000;
/** CVSS v3.1 §5: critical from 9.0, high from 7.0. Both block; medium is P1. */
const HIGH_FROM = 7;
const MEDIUM_FROM = 4;

const Message = z.object({ text: z.string().optional(), id: z.string().optional() });
const Properties = z.object({ 'security-severity': z.coerce.string().optional() }).optional();
const LEVELS = ['none', 'note', 'warning', 'error'] as const;
const Rule = z.object({
  id: z.string(),
  defaultConfiguration: z.object({ level: z.enum(LEVELS).optional() }).optional(),
  properties: Properties,
});
const Component = z.object({
  name: z.string(),
  version: z.string().optional(),
  semanticVersion: z.string().optional(),
  rules: z.array(Rule).optional(),
});
const Result = z.object({
  ruleId: z.string().optional(),
  ruleIndex: z.int().min(-1).optional(),
  rule: z.object({ id: z.string().optional(), index: z.int().min(-1).optional() }).optional(),
  kind: z.string().optional(),
  level: z.enum(LEVELS).optional(),
  message: Message,
  locations: z
    .array(
      z.object({
        physicalLocation: z
          .object({
            artifactLocation: z.object({ uri: z.string().optional() }).optional(),
            region: z.object({ startLine: z.int().min(1).optional() }).optional(),
          })
          .optional(),
      }),
    )
    .optional(),
  suppressions: z.array(z.object({ status: z.string().optional(), justification: z.string().optional() })).optional(),
  properties: Properties,
});
const Run = z.object({
  tool: z.object({ driver: Component, extensions: z.array(Component).optional() }),
  invocations: z.array(z.object({ executionSuccessful: z.boolean() })).optional(),
  artifacts: z.array(z.object({ length: z.int().optional() })).optional(),
  // §3.14.23: null when the tool failed to produce results, which is not the same as none.
  results: z.array(Result).nullable().optional(),
});
const Sarif = z.object({ version: z.literal('2.1.0'), runs: z.array(Run).max(1_000) });
type SarifRun = z.infer<typeof Run>;
type SarifResult = z.infer<typeof Result>;

/** @throws `ERR_REPORT_MALFORMED` */
export function readSarif(bytes: Uint8Array): ScanSummary {
  const { runs } = parseDocument('sarif', bytes, Sarif);
  const reasons: string[] = [];
  if (runs.length === 0) reasons.push('the file has no run: nothing was scanned');
  const findings: ScanFinding[] = [];
  for (const run of runs) {
    if (run.results === undefined || run.results === null)
      reasons.push('a run has no results: it did not come to an end');
    if (run.invocations?.some(({ executionSuccessful }) => !executionSuccessful) === true)
      reasons.push('a run says that it failed');
    const rules = (run.tool.driver.rules ?? []).concat(...(run.tool.extensions ?? []).map(({ rules }) => rules ?? []));
    const byId = new Map(rules.map((rule) => [rule.id, rule]));
    for (const result of run.results ?? []) {
      if (isProblem(result)) findings.push(findingOf(result, run, byId));
    }
  }
  if (findings.length > MAX_FINDINGS) throw refusedDocument('sarif', `it has more than ${MAX_FINDINGS} results`);
  const artifacts = runs.flatMap((run) => run.artifacts ?? []);
  const drivers = runs.map(({ tool }) => tool.driver);
  return {
    format: SCAN_REPORT_FORMAT,
    scanner: 'imported',
    rules: {
      name: text([...new Set(drivers.map(({ name }) => name))].join(', '), 'unknown', 200),
      version: text(
        drivers.map(({ semanticVersion, version }) => semanticVersion ?? version ?? 'unknown').join(', '),
        'unknown',
        100,
      ),
      count: drivers.reduce((sum, { rules }) => sum + (rules?.length ?? 0), 0),
    },
    state: reasons.length === 0 ? 'complete' : 'inconclusive',
    reasons: [...new Set(reasons)],
    coverage: {
      files: artifacts.length,
      bytes: artifacts.reduce((sum, { length }) => sum + Math.max(0, length ?? 0), 0),
      commits: null,
      tags: null,
      packages: null,
      skipped: [],
    },
    database: null,
    findings,
  };
}

/** §3.27.9: results can also say that all is well. What is not known to be well is a problem. */
const isProblem = ({ kind }: SarifResult): boolean =>
  kind !== 'pass' && kind !== 'notApplicable' && kind !== 'informational';

type RuleTable = ReadonlyMap<string, z.infer<typeof Rule>>;

function findingOf(result: SarifResult, run: SarifRun, rules: RuleTable): ScanFinding {
  const index = result.ruleIndex ?? result.rule?.index ?? -1;
  const rule = text(result.ruleId ?? result.rule?.id ?? run.tool.driver.rules?.[index]?.id ?? '', 'unnamed-rule', 200);
  const place = result.locations?.[0]?.physicalLocation;
  const location = text(place?.artifactLocation?.uri ?? '', 'unknown place', 2_000);
  const message = text(result.message.text ?? result.message.id ?? '', 'no message', 2_000);
  const line = place?.region?.startLine ?? null;
  // §3.27.23: a suppression under review or rejected does not hold.
  const suppression = result.suppressions?.find(({ status }) => status === undefined || status === 'accepted');
  return {
    // Without the line: code above a finding may move it.
    fingerprint: sha256Hex(
      canonicalJson([run.tool.driver.name, rule, location, message].map((part) => part.toWellFormed())),
    ),
    rule,
    aliases: [],
    severity: severityOf(result, rules.get(rule)),
    message,
    location,
    line,
    reachability: null,
    // Whoever suppressed it in the tool answers to nobody; without a reason it is none.
    suppressed:
      suppression?.justification === undefined
        ? null
        : {
            reason: text(suppression.justification, 'no reason', 2_000),
            owner: text(run.tool.driver.name, 'unknown', 200),
          },
  };
}

function severityOf(result: SarifResult, rule: z.infer<typeof Rule> | undefined): ScanFinding['severity'] {
  const score = Number(result.properties?.['security-severity'] ?? rule?.properties?.['security-severity'] ?? NaN);
  if (Number.isFinite(score)) return score >= HIGH_FROM ? 'P0' : score >= MEDIUM_FROM ? 'P1' : 'P2';
  const level = result.level ?? rule?.defaultConfiguration?.level ?? 'warning'; // §3.27.10
  return level === 'error' ? 'P0' : level === 'warning' ? 'P1' : 'P2';
}

function text(value: string, otherwise: string, maxChars: number): string {
  const kept = value.toWellFormed().slice(0, maxChars).toWellFormed().trim();
  return kept === '' ? otherwise : kept;
}
