/**
 * Scans a tree for packages with known vulnerabilities: lockfiles against an offline OSV
 * database, reachability from the import graph, decisions from the triage file. Without a database,
 * without lockfiles, or with dependencies that nothing pins, the result is inconclusive, never clean.
 * How old the database may be is the gate's to judge; the report says when it was exported.
 */
import { hash } from 'node:crypto';
import { isIgnored, readDependencyPolicy } from '../licences/dependency-policy.ts';
import { sortFindings } from '../packages/make-finding.ts';
import type { Package } from '../packages/package.ts';
import { type PackageInventory, readPackages } from '../packages/read-packages.ts';
import type { SourceFiles } from '../packages/source-files.ts';
import { analyseReachability } from '../reachability/analyse-reachability.ts';
import { SCAN_REPORT_FORMAT, type ScanSummary } from '../scan-report.ts';
import { applyTriage, type TriagedVulnerability } from './apply-triage.ts';
import { findVulnerabilities } from './find-vulnerabilities.ts';
import type { OsvDatabase, OsvExport } from './osv-database.ts';
import { readTriage } from './triage-file.ts';

/** Changes with what counts as affected, reached or severe. */
const RULES = { name: 'holdfast-vulnerabilities', version: '1' } as const;
/** The report's own limit. */
const MAX_FINDINGS = 20_000;
const MAX_REASONS = 100;

export interface VulnerabilityScanDeps {
  readonly files: SourceFiles;
  /** `null`: there is none, and the scan says so. */
  readonly database: OsvDatabase | null;
}

export interface VulnerabilityScanOptions {
  /** Files where production starts; without, every source file that is no test is one. */
  readonly entries?: readonly string[];
  readonly nowMs: number;
}

export interface VulnerabilityScan {
  readonly summary: ScanSummary;
  /** What `buildOpenVex` states. */
  readonly triaged: readonly TriagedVulnerability[];
}

/** The report of `triageVulnerabilities`, for whom wants no more. */
export async function scanVulnerabilities(
  deps: VulnerabilityScanDeps,
  options: VulnerabilityScanOptions,
  signal: AbortSignal,
): Promise<ScanSummary> {
  return (await triageVulnerabilities(deps, options, signal)).summary;
}

/** @throws `ERR_SCAN_INPUT` naming the file, for a lockfile, policy or triage file that does not parse */
export async function triageVulnerabilities(
  deps: VulnerabilityScanDeps,
  options: VulnerabilityScanOptions,
  signal: AbortSignal,
): Promise<VulnerabilityScan> {
  const { files, database } = deps;
  const policy = await readDependencyPolicy(files);
  const triage = await readTriage(files);
  const inventory = await readPackages(files, (path) => isIgnored(policy, path), signal);
  const used = database === null ? [] : exportsFor(inventory.packages, database);
  const found = database === null ? [] : findVulnerabilities(inventory.packages, database);
  const isNpm = found.some(({ package: one }) => one.ecosystem === 'npm');
  const reach = isNpm ? await analyseReachability(files, inventory.packages, options.entries ?? null, signal) : null;
  const withReach = found.map((vulnerability) => ({
    vulnerability,
    reachability: reach?.get(vulnerability.package.purl) ?? ('unknown' as const),
  }));
  const { triaged, findings } = applyTriage(withReach, triage, options.nowMs);
  const reasons = [...inventoryProblems(inventory), ...databaseProblems(inventory.packages, database)];
  if (findings.length > MAX_FINDINGS) reasons.push(`${findings.length} findings are more than a report holds`);
  const summary: ScanSummary = {
    format: SCAN_REPORT_FORMAT,
    scanner: 'vulnerabilities',
    rules: { ...RULES, count: used.reduce((sum, { entries }) => sum + entries, 0) },
    state: reasons.length === 0 ? 'complete' : 'inconclusive',
    reasons: reasons.slice(0, MAX_REASONS),
    coverage: {
      files: inventory.lockfiles.length,
      bytes: inventory.bytes,
      commits: null,
      tags: null,
      packages: inventory.packages.length,
      skipped: (policy?.ignore ?? []).map(({ path, reason }) => ({ path, reason })),
    },
    database: used.length === 0 ? null : describeDatabase(used),
    findings: sortFindings(findings).slice(0, MAX_FINDINGS),
  };
  return { summary, triaged };
}

/** Why the packages of the tree are not all known; empty when they are. */
export function inventoryProblems({ lockfiles, unpinned, unlocked }: PackageInventory): string[] {
  return [
    ...(lockfiles.length === 0 ? ['No lockfile was found: what the project installs is unknown.'] : []),
    ...unlocked.map((file) => `${file} asks for packages that no lockfile pins: commit its lockfile.`),
    ...unpinned.map(({ file, line }) => `${file}:${line} pins no version: write name==version.`),
  ];
}

function databaseProblems(packages: readonly Package[], database: OsvDatabase | null): string[] {
  if (database === null) return ['There is no vulnerability database: import one with holdfast gate scan update.'];
  if (database.exports.length === 0) return ['The vulnerability database is empty: import an OSV export.'];
  const known = new Set(database.exports.map(({ ecosystem }) => ecosystem));
  return [...new Set(packages.map(({ ecosystem }) => ecosystem))]
    .filter((ecosystem) => !known.has(ecosystem))
    .map((ecosystem) => `The vulnerability database has no export for ${ecosystem}: import its all.zip.`);
}

/** The exports that this scan rests on; all of them when the tree has no packages. */
function exportsFor(packages: readonly Package[], database: OsvDatabase): readonly OsvExport[] {
  const needed = new Set(packages.map(({ ecosystem }) => ecosystem));
  return database.exports.filter(({ ecosystem }) => needed.size === 0 || needed.has(ecosystem));
}

/** As old as its oldest part. */
function describeDatabase(exports: readonly OsvExport[]): ScanSummary['database'] {
  return {
    exportedAt: exports.map(({ exportedAt }) => exportedAt).toSorted()[0]!, // called with at least one
    digest: hash('sha256', exports.map(({ ecosystem, digest }) => `${ecosystem} ${digest}\n`).join('')),
    entries: exports.reduce((sum, { entries }) => sum + entries, 0),
  };
}
