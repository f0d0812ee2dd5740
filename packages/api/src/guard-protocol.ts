/**
 * What is spoken over the guard's Unix socket: one JSON object per line, UTF-8, at most 64 KiB a
 * request (G-01). A request gets exactly one response with its id; responses may come in another
 * order than the requests. Unknown keys are refused.
 */
import {
  ActionSchema,
  BundleIdSchema,
  CommandStateSchema,
  FindingSchema,
  InstantSchema,
  OUTCOMES,
  SEVERITIES,
} from '@holdfast/evidence/statement';
import { z } from 'zod';

/** G-01. */
export const MAX_GUARD_REQUEST_BYTES = 64 * 1024;
/** Responses carry rulesets and envelopes; the client refuses more. */
export const MAX_GUARD_RESPONSE_BYTES = 8 * 1024 * 1024;

const JsonObject = z.record(z.string().max(100), z.json());
const Id = z.string().min(1).max(64);
/** ≥ 128 bits, base64url (G-05). */
const Nonce = z.string().regex(/^[A-Za-z0-9_-]{22,64}$/);
const OperationName = z
  .string()
  .regex(/^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_-]*)+$/)
  .max(100);

/** Why a mutation is asked for: goes into evidence. */
const Cause = z.strictObject({
  kind: z.enum(['drift', 'operator']),
  remediationId: BundleIdSchema.nullable(),
  check: z.string().max(64).nullable(),
  reason: z.string().max(1_000).nullable(),
});

/** What the agent asks the guard to sign about a check it ran; `bundleId` makes it idempotent. */
export const CheckReportSchema = z.strictObject({
  bundleId: BundleIdSchema,
  check: z.string().min(1).max(64),
  started: InstantSchema,
  ended: InstantSchema,
  severity: z.enum(SEVERITIES),
  outcome: z.enum(OUTCOMES),
  findings: z.array(FindingSchema).max(200),
  observed: z.json(),
  clock: z.strictObject({
    status: z.enum(['sane', 'not-sane', 'unknown']),
    offsetMs: z.union([z.strictObject({ value: z.number() }), z.strictObject({ unknown: z.string().min(1).max(200) })]),
  }),
  remediationId: BundleIdSchema.nullable(),
});
export type CheckReport = z.infer<typeof CheckReportSchema>;

/** Reads that need root; each sees only what the pinned baseline names (G-02: reads are authorised too). */
export const OBSERVATIONS = ['packet-filter', 'accounts', 'files'] as const;
export type ObservationName = (typeof OBSERVATIONS)[number];

/** G-21. */
export const MIN_REASON_CHARS = 20;
export const UnfreezeReasonSchema = z
  .string()
  .max(1_000)
  .refine((text) => text.trim().length >= MIN_REASON_CHARS, 'is shorter than 20 characters');

const base = { v: z.literal(1), id: Id };
export const GuardRequestSchema = z.discriminatedUnion('kind', [
  /** → GuardStatus. The only thing an absent policy still allows (G-15). */
  z.strictObject({ ...base, kind: z.literal('status') }),
  /** → `{ value: Json }`: the port's answer as JSON (ruleset text, Account[], FileState[]). */
  z.strictObject({ ...base, kind: z.literal('observe'), name: z.enum(OBSERVATIONS) }),
  /** → `{ steps, decision }`; changes nothing (P-17). */
  z.strictObject({ ...base, kind: z.literal('plan'), operation: OperationName, params: JsonObject }),
  /** Runs an operation as a change. → ChangeReport, when it ended or awaits confirmation. */
  z.strictObject({
    ...base,
    kind: z.literal('request'),
    operation: OperationName,
    params: JsonObject,
    nonce: Nonce,
    issuedAtMs: z.int().min(0),
    cause: Cause,
    /** Wall time before which the caller itself does not want it (C-24): until then the answer is `deferred`. */
    notBeforeMs: z.int().min(0).optional(),
  }),
  /** Runs a declared command in its sandbox (G-29). → CommandReport, when it ended. */
  z.strictObject({
    ...base,
    kind: z.literal('exec'),
    operation: OperationName,
    params: JsonObject,
    nonce: Nonce,
    issuedAtMs: z.int().min(0),
  }),
  /** A signed order, whole, as received. The guard verifies it itself (G-03, C-35). → OrderReport */
  z.strictObject({ ...base, kind: z.literal('order'), envelope: z.string().max(60_000) }),
  /** Keeps a confirm-or-revert change (P-15). → ChangeReport */
  z.strictObject({ ...base, kind: z.literal('confirm'), changeId: BundleIdSchema }),
  z.strictObject({ ...base, kind: z.literal('revert'), changeId: BundleIdSchema }),
  /** → `{ bundleId, digest, seq }`; the same report twice gives the same answer. */
  z.strictObject({ ...base, kind: z.literal('seal'), report: CheckReportSchema }),
  /** Evidence sealed after audit sequence `afterSeq`, oldest first. → `{ items: [{ seq, bundleId, path }], nextSeq }` */
  z.strictObject({ ...base, kind: z.literal('outbox'), afterSeq: z.int().min(0), limit: z.int().min(1).max(1_000) }),
  /** The newest records, or with `from` those from that sequence number on. → `{ records: AuditRecord[] }` oldest first. */
  z.strictObject({
    ...base,
    kind: z.literal('audit.tail'),
    limit: z.int().min(1).max(500),
    from: z.int().min(1).optional(),
  }),
  /** Root has dealt with what froze the host, and says how (G-19, G-21). → `{ changes: string[], bundleId }` */
  z.strictObject({ ...base, kind: z.literal('unfreeze'), reason: UnfreezeReasonSchema }),
  /** Changes that are not ended, and the newest ended ones. → `{ changes: ChangeReport[] }` */
  z.strictObject({ ...base, kind: z.literal('changes'), limit: z.int().min(1).max(500) }),
]);
export type GuardRequest = z.infer<typeof GuardRequestSchema>;
export type GuardRequestKind = GuardRequest['kind'];

export const CHANGE_STATES = [
  'intended',
  'applying',
  'verifying',
  'awaiting-confirmation',
  'reverting',
  'ended',
] as const;

export const ChangeReportSchema = z.strictObject({
  changeId: BundleIdSchema,
  operation: z.string(),
  params: JsonObject,
  state: z.enum(CHANGE_STATES),
  /** `null` until `state` is `ended`. */
  outcome: z.enum(['committed', 'reverted', 'failed', 'deferred', 'alert', 'frozen']).nullable(),
  /** Zero steps: the wanted state was already there (P-16). */
  steps: z.array(ActionSchema),
  reasons: z.array(z.string()),
  /** Milliseconds left to confirm, when awaiting it. */
  confirmWithinMs: z.number().nullable(),
  /** The change's evidence, once sealed. */
  bundleId: BundleIdSchema.nullable(),
  remediationId: BundleIdSchema.nullable(),
  errorCode: z.string().nullable(),
});
export type ChangeReport = z.infer<typeof ChangeReportSchema>;

/** Of each stream at most so much is shown: two of them fit a response as base64. Digests and counts are of everything up to the cap. */
export const MAX_SHOWN_OUTPUT_BYTES = 2 * 1024 * 1024;

const Shown = z.string().max(Math.ceil(MAX_SHOWN_OUTPUT_BYTES / 3) * 4);

/** A command that ran to some end. One that did not run is a refusal. */
export const CommandReportSchema = CommandStateSchema.extend({
  /** Also the id of its evidence. */
  runId: BundleIdSchema,
  operation: z.string(),
  argvDigest: z.string(),
  /** Why it does not count as done: `ERR_COMMAND_FAILED`, `_STOPPED` or `_INTERRUPTED`. */
  code: z.string().nullable(),
  /** base64. */
  shown: z.strictObject({ stdout: Shown, stderr: Shown }),
  /** `null` while its evidence could not be sealed. */
  bundleId: BundleIdSchema.nullable(),
});
export type CommandReport = z.infer<typeof CommandReportSchema>;

export const OrderReportSchema = z.strictObject({
  orderId: z.string().nullable(),
  outcome: z.enum(['done', 'failed', 'reverted', 'deferred', 'rejected', 'expired', 'running']),
  code: z.string().nullable(),
  change: ChangeReportSchema.nullable(),
  bundleId: BundleIdSchema.nullable(),
});
export type OrderReport = z.infer<typeof OrderReportSchema>;

/** One enforcement layer as `doctor` shows it (G-33). */
export const LayerSchema = z.strictObject({
  name: z.string(),
  state: z.enum(['active', 'degraded', 'missing']),
  required: z.boolean(),
  reason: z.string(),
  fix: z.string().nullable(),
});

export const GuardStatusSchema = z.strictObject({
  version: z.string(),
  orgId: z.string(),
  siteId: z.string(),
  hostId: z.string(),
  hostName: z.string(),
  simulated: z.boolean(),
  frozen: z.boolean(),
  policyHash: z.string().nullable(),
  baselineHash: z.string().nullable(),
  audit: z.strictObject({ seq: z.int(), head: z.string(), writable: z.boolean() }),
  pendingChanges: z.int(),
  startedAt: InstantSchema,
  layers: z.array(LayerSchema),
});
export type GuardStatus = z.infer<typeof GuardStatusSchema>;

export const GuardResponseSchema = z.discriminatedUnion('ok', [
  z.strictObject({ id: z.string(), ok: z.literal(true), result: z.json() }),
  /** G-04: a code and a correlation id, nothing else. */
  z.strictObject({
    id: z.string(),
    ok: z.literal(false),
    error: z.strictObject({ code: z.string(), correlationId: z.string() }),
  }),
]);
export type GuardResponse = z.infer<typeof GuardResponseSchema>;
