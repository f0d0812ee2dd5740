/**
 * Scans what a tree depends on, apart from vulnerabilities: licences, where packages come from
 * and whether their bytes are pinned, which run code when they are installed, and whether all places
 * want the same toolchains. Signatures of registries need the network and are said to be unchecked.
 * Without a policy, or with dependencies that nothing pins, the result is inconclusive.
 */
import { coversPurl, isLapsed } from '../packages/declared-exceptions.ts';
import { makeFinding, sortFindings } from '../packages/make-finding.ts';
import type { Package } from '../packages/package.ts';
import { parseJson, textOf } from '../packages/parse-document.ts';
import { readPackages } from '../packages/read-packages.ts';
import { readText, type SourceFiles } from '../packages/source-files.ts';
import { SCAN_REPORT_FORMAT, type ScanFinding, type ScanSummary } from '../scan-report.ts';
import { inventoryProblems } from '../vulnerabilities/scan-vulnerabilities.ts';
import {
  type DependencyPolicy,
  DEPENDENCY_POLICY_FILE,
  isIgnored,
  PACKAGE_RULES,
  type PackageRule,
  readDependencyPolicy,
} from './dependency-policy.ts';
import { judgeLicence } from './judge-licence.ts';
import { findMisalignedPins, readToolchainPins } from './toolchain-pins.ts';

const RULES = { name: 'holdfast-dependencies', version: '1' } as const;
const MAX_FINDINGS = 20_000;

export interface DependencyScanDeps {
  readonly files: SourceFiles;
}

export interface DependencyScanOptions {
  readonly nowMs: number;
}

/** @throws `ERR_SCAN_INPUT` naming the file, for a lockfile, manifest or policy that does not parse */
export async function scanDependencies(
  { files }: DependencyScanDeps,
  { nowMs }: DependencyScanOptions,
  signal: AbortSignal,
): Promise<ScanSummary> {
  const policy = await readDependencyPolicy(files);
  const ignored = (path: string): boolean => isIgnored(policy, path);
  const inventory = await readPackages(files, ignored, signal);
  const reasons = inventoryProblems(inventory);
  if (policy === null) reasons.push(`There is no ${DEPENDENCY_POLICY_FILE}: write down which licences may be used.`);
  const findings: ScanFinding[] = [];
  const used = new Set<DependencyPolicy['exceptions'][number]>();
  for (const [, places] of Map.groupBy(inventory.packages, ({ purl }) => purl)) {
    for (const broken of await brokenRules(files, places, policy)) {
      const excepted = policy?.exceptions.filter(
        (one) => one.rule === broken.rule && coversPurl(one.package, places[0]?.purl ?? ''),
      );
      for (const one of excepted ?? []) used.add(one);
      const inForce = excepted?.find(({ expires }) => !isLapsed(expires, nowMs));
      const suppressed = inForce === undefined ? null : { reason: inForce.reason, owner: inForce.owner };
      findings.push({ ...broken, suppressed });
    }
  }
  for (const one of policy?.exceptions ?? []) {
    if (isLapsed(one.expires, nowMs)) findings.push(note('exception-expired', 'P1', one, 'has expired: decide again.'));
    if (!used.has(one)) findings.push(note('exception-unused', 'P2', one, 'is about nothing any more: take it out.'));
  }
  const paths = (await files.list(signal)).filter((path) => !ignored(path));
  findings.push(...findMisalignedPins(await readToolchainPins(files, paths)));
  if (findings.length > MAX_FINDINGS) reasons.push(`${findings.length} findings are more than a report holds`);
  return {
    format: SCAN_REPORT_FORMAT,
    scanner: 'dependencies',
    rules: { ...RULES, count: PACKAGE_RULES.length + 3 }, // and expired, unused, pins
    state: reasons.length === 0 ? 'complete' : 'inconclusive',
    reasons: reasons.slice(0, 100),
    coverage: {
      files: inventory.lockfiles.length,
      bytes: inventory.bytes,
      commits: null,
      tags: null,
      packages: inventory.packages.length,
      skipped: [
        ...(policy?.ignore ?? []).map(({ path, reason }) => ({ path, reason })),
        { path: 'registry signatures', reason: 'Not checked: they can only be had from the registries.' },
      ],
    },
    database: null,
    findings: sortFindings(findings).slice(0, MAX_FINDINGS),
  };
}

async function brokenRules(
  files: SourceFiles,
  places: readonly Package[],
  policy: DependencyPolicy | null,
): Promise<ScanFinding[]> {
  const one = places[0]!; // groupBy makes no empty group
  const broken: ScanFinding[] = [];
  const add = (rule: PackageRule, message: string): void => {
    const text = `${one.name} ${one.version} (${one.lockfile}) ${message}`;
    broken.push(makeFinding({ rule, severity: 'P1', location: one.purl, message: text }));
  };
  if (policy !== null) {
    const declared = policy.declared.find((entry) => coversPurl(entry.package, one.purl))?.licence ?? null;
    const licence = declared ?? one.licence ?? (await installedLicence(files, one));
    const verdict = judgeLicence(licence, policy.licences);
    if (verdict === 'unknown') add('licence-unknown', 'has no licence that is known: read it and declare it.');
    if (verdict === 'not-allowed') add('licence-not-allowed', `is under ${licence}, which the policy does not allow.`);
  }
  const script = places.some(({ installScript }) => installScript === true);
  if (script) add('install-script', 'runs a script of its own when it is installed.');
  const source = places.find((place) => place.source !== 'registry')?.source;
  if (source !== undefined) add('source-not-registry', `comes from a ${source}, not from a registry.`);
  // What git fetches is pinned by its commit; nothing pins the bytes behind other addresses but a hash.
  if (places.some(({ integrity, source }) => integrity === null && source !== 'git')) {
    add('integrity-missing', 'is not pinned by a hash: install again and commit the lockfile.');
  }
  return broken;
}

/** What an installed npm package says of itself, where the lockfile does not (Yarn, pnpm). */
async function installedLicence(files: SourceFiles, { ecosystem, lockfile, name, version, path }: Package) {
  if (ecosystem !== 'npm') return null;
  const directory = lockfile.includes('/') ? lockfile.slice(0, lockfile.lastIndexOf('/') + 1) : '';
  const installed = path.includes('node_modules/') ? path : `node_modules/${name}`;
  const file = `${directory}${installed}/package.json`;
  const text = await readText(files, file);
  if (text === null) return null;
  const manifest = parseJson(text, file);
  return manifest['version'] === version ? textOf(manifest['license']) : null;
}

function note(rule: string, severity: 'P1' | 'P2', one: { package: string; rule: string }, what: string): ScanFinding {
  const subject = `${one.rule} ${one.package}`;
  const message = `The exception of ${one.package} from ${one.rule} ${what}`;
  return makeFinding({ rule, severity, location: DEPENDENCY_POLICY_FILE, subject, message });
}
