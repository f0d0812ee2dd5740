/**
 * What the runner writes about one command that it ran itself. There is no other way into
 * these records: nobody types a result.
 */
import { SHA256_HEX_PATTERN, UUID_V7_PATTERN } from '@holdfast/core';
import { InstantSchema } from '@holdfast/evidence';
import { z } from 'zod';
import { GATE_ID_PATTERN, REPORT_FORMATS } from '../gate-file/gate-schema.ts';

const Id = z.string().regex(GATE_ID_PATTERN);
export const DigestSchema = z.string().regex(SHA256_HEX_PATTERN);
/** SHA-1 or SHA-256 repositories; always the full id. */
export const COMMIT_PATTERN = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;
export const CommitSchema = z.string().regex(COMMIT_PATTERN);

/** What was tested: the sources, apart from the gate's own records. */
export const SourceSchema = z.strictObject({
  commit: CommitSchema,
  /** SHA-256 over path, mode and content of every tracked file outside the records; two commits with the same sources share it. */
  tree: DigestSchema,
  /** How many tracked or untracked, not ignored files outside the records differ from the commit. */
  dirtyFiles: z.int().min(0),
});
export type Source = z.infer<typeof SourceSchema>;

/** One stream's bytes, kept in the session's pack from `at` on. */
const StreamSchema = z.strictObject({
  /** All that was written. */
  bytes: z.int().min(0),
  /** Of all that was written, also where it is not kept whole. */
  digest: DigestSchema,
  at: z.int().min(0),
  /** How many of the bytes, from the start, are in the pack; fewer than `bytes` means truncated. */
  kept: z.int().min(0),
});

export const ENDINGS = ['itself', 'signal', 'timeout', 'interrupted', 'not-started'] as const;
export const REPORT_STATUSES = ['read', 'missing', 'empty', 'malformed', 'too-large'] as const;
export const RUN_ROLES = ['implementer', 'reviewer', 'milestone', 'mutation'] as const;

export const RunRecordSchema = z.strictObject({
  id: z.string().regex(UUID_V7_PATTERN),
  command: Id,
  /** Of the command's canonical definition in the frozen gate file: an expectation that was edited afterwards no longer fits. */
  commandDigest: DigestSchema,
  argv: z.array(z.string().max(4_096)).min(1).max(256),
  /** The mutation that was applied for a gap-closing test, by the test's id. */
  mutation: z.strictObject({ test: z.string().max(500), digest: DigestSchema }).nullable(),
  before: SourceSchema,
  after: SourceSchema,
  startedAt: InstantSchema,
  durationMs: z.number().min(0),
  ending: z.enum(ENDINGS),
  exitCode: z.int().min(0).max(255).nullable(),
  signal: z.string().max(20).nullable(),
  stdout: StreamSchema,
  stderr: StreamSchema,
  /** `null` when the command declares none. A report that is missing or does not parse says so. */
  report: z
    .strictObject({
      format: z.enum(REPORT_FORMATS),
      status: z.enum(REPORT_STATUSES),
      bytes: z.int().min(0),
      digest: DigestSchema,
      at: z.int().min(0),
      kept: z.int().min(0),
    })
    .nullable(),
  /** Counted from the report by us; `null` without a test report. Which tests: the `test-result` statement of the session. */
  tests: z
    .strictObject({ passed: z.int().min(0), failed: z.int().min(0), skipped: z.int().min(0), digest: DigestSchema })
    .nullable(),
  /** Whether the output shows that results came from a cache (`(cached)` of go test, …). */
  cached: z.boolean(),
  /** Lines matched by file, for `search` commands. */
  matches: z.record(z.string().max(1_000), z.int().min(1)).nullable(),
  /** The sandbox profile it ran behind. */
  sandbox: z.strictObject({ profile: z.string().max(64), profileHash: DigestSchema }).nullable(),
});
export type RunRecord = z.infer<typeof RunRecordSchema>;

export const TEST_STATUSES = ['passed', 'failed', 'skipped'] as const;
/** One executed (or skipped) test. Ids join suite and test by ` > `; a file comes first where the report names one. */
export const TestResultSchema = z.strictObject({
  id: z.string().min(1).max(2_000),
  status: z.enum(TEST_STATUSES),
});
export type TestResult = z.infer<typeof TestResultSchema>;
