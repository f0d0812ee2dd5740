/**
 * The statement inside every evidence bundle: an in-toto Statement v1 whose predicate is the record
 * below (P-07, P-26). The schema is the contract between guard, agent, server, console and auditors.
 *
 * Follows https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
 */
import { ID_PATTERN, type Json, SHA256_HEX_PATTERN, UUID_V7_PATTERN } from '@holdfast/core';
import { z } from 'zod';

export const STATEMENT_TYPE = 'https://in-toto.io/Statement/v1';
export const PAYLOAD_TYPE = 'application/vnd.in-toto+json';
export const EVIDENCE_KINDS = ['check', 'change', 'command', 'decision', 'order'] as const;
export type EvidenceKind = (typeof EVIDENCE_KINDS)[number];
export const predicateTypeOf = (kind: EvidenceKind): string => `https://holdfast.dev/${kind}/v1`;

/** P-27: excerpts are redacted and no longer than this many characters. */
export const MAX_EXCERPT_CHARS = 10_000;

const Id = z.string().regex(ID_PATTERN);
export const BundleIdSchema = z.string().regex(UUID_V7_PATTERN);
const Digest = z.string().regex(SHA256_HEX_PATTERN);
/** UTC with milliseconds, one spelling: `2026-01-02T03:04:05.678Z`. */
export const InstantSchema = z.iso.datetime({ precision: 3 });
const JsonValue: z.ZodType<Json> = z.json();

/** A value, or why there is none (P-26: a field that could not be known says why). */
const known = <T extends z.ZodType>(value: T) =>
  z.union([z.strictObject({ value }), z.strictObject({ unknown: z.string().min(1).max(200) })]);
export type Known<T> = { value: T } | { unknown: string };

export const FINDING_STATUSES = ['pass', 'fail', 'error', 'unknown', 'not_applicable', 'excepted'] as const;
export type FindingStatus = (typeof FINDING_STATUSES)[number];
export const SEVERITIES = ['info', 'low', 'medium', 'high', 'critical'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** Control ids by framework, such as `{"cis-debian-12": ["4.2.1"]}`. */
const ControlsSchema = z.record(z.string().max(64), z.array(z.string().max(64)).max(50));

/** One thing a check saw (C-06). */
export const FindingSchema = z.strictObject({
  /** What it is about, unique within the check: a unit, a path, an account, `ruleset`. */
  subject: z.string().min(1).max(300),
  /** A stable kind such as `service-inactive`; the remediation follows from it (C-18). */
  kind: z.string().regex(/^[a-z][a-z0-9-]{0,63}$/),
  status: z.enum(FINDING_STATUSES),
  severity: z.enum(SEVERITIES),
  /** One sentence for people. */
  message: z.string().min(1).max(1_000),
  observed: JsonValue,
  expected: JsonValue,
  /** Unified diff from expected to observed, when text differs. */
  diff: z.string().max(MAX_EXCERPT_CHARS).nullable(),
  controls: ControlsSchema,
  /** The operation that would mend it; `null` means a person is needed (alert). */
  remediation: z.strictObject({ operation: z.string().max(100), params: z.record(z.string(), JsonValue) }).nullable(),
});
export type Finding = z.infer<typeof FindingSchema>;

/** One step that was taken (P-27). */
export const ActionSchema = z.strictObject({
  step: z.int().min(0),
  action: z.string().min(1).max(300),
  argvDigest: Digest.nullable(),
  exitCode: z.int().nullable(),
  startedAt: InstantSchema,
  durationMs: z.number().min(0),
  result: z.enum(['ok', 'failed', 'skipped']),
  stdoutDigest: Digest.nullable(),
  stderrDigest: Digest.nullable(),
  excerpt: z.string().max(MAX_EXCERPT_CHARS).nullable(),
});
export type Action = z.infer<typeof ActionSchema>;

const CommandOutputSchema = z.strictObject({
  /** All that was written, also what came after the cap. */
  bytes: z.int().min(0),
  /** Of what came before the cap. */
  digest: Digest,
  truncated: z.boolean(),
});

/**
 * `postState` of evidence about a command that ran: behind which walls, and how it went (G-31, X-04, X-07).
 * Its argv, exit code and output are once more, as digests, in its one action.
 */
export const CommandStateSchema = z.strictObject({
  profile: z.string().max(64),
  /** Of the compiled profile. */
  profileHash: Digest,
  /** What was really active, in the order in which it was put on. */
  layers: z.array(z.string().max(64)).max(100),
  exitCode: z.int().nullable(),
  signal: z.string().max(20).nullable(),
  endedBy: z.enum(['itself', 'timeout', 'abort', 'memory-limit', 'cpu-limit']),
  usage: z.strictObject({
    wallMs: z.number().min(0),
    cpuMs: known(z.number().min(0)),
    peakMemoryBytes: known(z.number().min(0)),
    readBytes: known(z.number().min(0)),
    writtenBytes: known(z.number().min(0)),
  }),
  stdout: CommandOutputSchema,
  stderr: CommandOutputSchema,
});
export type CommandState = z.infer<typeof CommandStateSchema>;

export const OUTCOMES = [
  ...FINDING_STATUSES,
  'done',
  'committed',
  'reverted',
  'failed',
  'deferred',
  'alert',
  'frozen',
  'allow',
  'deny',
  'needs-approval',
  'decoy',
  'rejected',
  'expired',
] as const;
export type Outcome = (typeof OUTCOMES)[number];

export const PredicateSchema = z
  .strictObject({
    version: z.literal(1),
    bundleId: BundleIdSchema,
    orgId: Id,
    siteId: Id,
    hostId: Id,
    hostName: z.string().max(253),
    observedBy: z.enum(['guard', 'agent']),
    started: InstantSchema,
    ended: InstantSchema,
    policyHash: known(Digest),
    baselineHash: known(Digest),
    clock: z.strictObject({ status: z.enum(['sane', 'not-sane', 'unknown']), offsetMs: known(z.number()) }),
    /** Exactly one of check and operation names what this is about, except for refused orders: neither may be known. */
    check: z.string().max(64).nullable(),
    operation: z.string().max(100).nullable(),
    /** Who asked: `local:<user>`, `control-plane`, … `null` for checks. */
    principal: z.string().max(100).nullable(),
    decision: z
      .strictObject({
        effect: z.enum(['allow', 'deny', 'needs-approval', 'decoy']),
        rule: z.string().max(100).nullable(),
        reasons: z.array(z.string().max(300)).min(1).max(20),
      })
      .nullable(),
    paramsDigest: Digest.nullable(),
    severity: z.enum(SEVERITIES),
    controls: ControlsSchema,
    findings: z.array(FindingSchema).max(200),
    preState: JsonValue,
    postState: JsonValue,
    actions: z.array(ActionSchema).max(200),
    outcome: z.enum(OUTCOMES),
    error: z.strictObject({ code: z.string().max(100), message: z.string().max(1_000) }).nullable(),
    rollbackAvailable: z.boolean(),
    rollbackRef: z.string().max(100).nullable(),
    orderId: z.string().max(64).nullable(),
    runbookId: z.string().max(64).nullable(),
    /** Ties the finding, the waiting, the change and its re-check together; a UUIDv7. */
    remediationId: BundleIdSchema.nullable(),
    /** How many passages of which class were redacted (P-31). */
    redactions: z.record(z.string().max(64), z.int().min(1)),
    simulated: z.boolean(),
  })
  .refine((predicate) => predicate.ended >= predicate.started, { path: ['ended'], message: 'ends before it starts' });
export type Predicate = z.infer<typeof PredicateSchema>;

export const StatementSchema = z.strictObject({
  _type: z.literal(STATEMENT_TYPE),
  /** One subject: `host/<hostId>/<check or operation>` with the digest of the canonical post-state. */
  subject: z.array(z.strictObject({ name: z.string().max(400), digest: z.strictObject({ sha256: Digest }) })).length(1),
  predicateType: z.enum(EVIDENCE_KINDS.map(predicateTypeOf)),
  predicate: PredicateSchema,
});
export type Statement = z.infer<typeof StatementSchema>;
