/**
 * What every scanner writes: what it covered, with which data, and what it found.
 * The gate runs scanners as commands and reads this from their standard output; people read the text
 * form, other tools the SARIF one. It never holds a secret that was found.
 */
import { SHA256_HEX_PATTERN } from '@holdfast/core';
import { z } from 'zod';

export const SCAN_REPORT_FORMAT = 'holdfast-scan/v1';
export const SCANNERS = ['secrets', 'vulnerabilities', 'dependencies', 'runbooks', 'imported'] as const;
export type Scanner = (typeof SCANNERS)[number];

const Digest = z.string().regex(SHA256_HEX_PATTERN);
const Text = z.string().min(1).max(2_000);

export const ScanFindingSchema = z.strictObject({
  /** Stable over runs and machines: SHA-256 over rule, place and a keyless digest of what was found; hex. */
  fingerprint: Digest,
  /** `aws-access-key`, `GHSA-…`, `licence-not-allowed`. */
  rule: z.string().min(1).max(200),
  /** Other names of the same thing: CVE ids and the like, each with its name space. */
  aliases: z.array(z.string().min(1).max(200)).max(100),
  severity: z.enum(['P0', 'P1', 'P2']),
  /** One sentence; never the secret. */
  message: Text,
  /** Path in the tree, `commit:path`, or `pkg:npm/name@1.2.3`. */
  location: z.string().min(1).max(2_000),
  line: z.int().min(1).nullable(),
  /** Vulnerabilities: whether the code is reached. `unknown` counts as reachable. */
  reachability: z.enum(['reachable', 'imported', 'not-reached', 'unknown']).nullable(),
  /** An exact suppression that applies, with who answers for it. */
  suppressed: z.strictObject({ reason: Text, owner: z.string().min(1).max(200) }).nullable(),
});
export type ScanFinding = z.infer<typeof ScanFindingSchema>;

/** How much was looked at; `null` where a number means nothing for the scanner. */
export const ScanCoverageSchema = z.strictObject({
  files: z.int().min(0),
  bytes: z.int().min(0),
  commits: z.int().min(0).nullable(),
  tags: z.int().min(0).nullable(),
  packages: z.int().min(0).nullable(),
  /** Files that could not be looked at, each with why. */
  skipped: z.array(z.strictObject({ path: z.string().max(2_000), reason: Text })).max(10_000),
});

/** The part that stands in a gate's records. */
export const ScanSummarySchema = z.strictObject({
  format: z.literal(SCAN_REPORT_FORMAT),
  scanner: z.enum(SCANNERS),
  /** Name and version of the rules. */
  rules: z.strictObject({
    name: z.string().min(1).max(200),
    version: z.string().min(1).max(100),
    count: z.int().min(0),
  }),
  /** `inconclusive` when something needed was not there: never clean. */
  state: z.enum(['complete', 'inconclusive']),
  reasons: z.array(Text).max(100),
  coverage: ScanCoverageSchema,
  /** The offline database: when it was exported upstream, and its digest. `null` for scanners without. */
  database: z.strictObject({ exportedAt: z.iso.datetime(), digest: Digest, entries: z.int().min(0) }).nullable(),
  findings: z.array(ScanFindingSchema).max(20_000),
});
export type ScanSummary = z.infer<typeof ScanSummarySchema>;
