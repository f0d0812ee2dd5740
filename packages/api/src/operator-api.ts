/**
 * The public API of the control plane under `/api/v1`, as the console, the CLI and anyone's token
 * use it. Lists are newest first unless said otherwise and paged by an opaque `cursor`.
 */
import {
  BundleIdSchema,
  EVIDENCE_KINDS,
  FINDING_STATUSES,
  FindingSchema,
  InstantSchema,
  OUTCOMES,
  PredicateSchema,
  SEVERITIES,
} from '@holdfast/evidence/statement';
import { z } from 'zod';
import { AgentHealthSchema, PinnedKeySchema, REMEDIATION_STATES } from './agent-api.ts';

export const page = <T extends z.ZodType>(item: T) =>
  z.strictObject({ items: z.array(item), nextCursor: z.string().nullable() });
export const ProblemSchema = z.strictObject({
  type: z.string(),
  code: z.string(),
  title: z.string(),
  requestId: z.string(),
});

/** POST /session `{code}` (one-time login link) or `{user, password}`; GET, DELETE. */
export const LoginRequestSchema = z.union([
  z.strictObject({ code: z.string().max(200) }),
  z.strictObject({ user: z.string().max(100), password: z.string().max(1_000) }),
]);
export const SessionSchema = z.strictObject({
  orgId: z.string(),
  orgName: z.string(),
  user: z.string(),
  csrfToken: z.string(),
  expiresAt: InstantSchema,
});
export type Session = z.infer<typeof SessionSchema>;

export const CheckStatusSchema = z.strictObject({
  check: z.string(),
  status: z.enum(FINDING_STATUSES),
  severity: z.enum(SEVERITIES),
  bundleId: BundleIdSchema,
  /** Of the newest look. */
  at: InstantSchema,
  /** Since when every look has given this status. */
  since: InstantSchema,
  stale: z.boolean(),
});
/** GET /hosts?q=&status=&label=&cursor=&limit= ; GET /hosts/:hostId */
export const HostSchema = z.strictObject({
  hostId: z.string(),
  siteId: z.string(),
  name: z.string(),
  simulated: z.boolean(),
  platform: z.strictObject({ distribution: z.string(), version: z.string(), kernel: z.string() }),
  labels: z.record(z.string(), z.string()),
  enrolledAt: InstantSchema,
  lastSeenAt: InstantSchema.nullable(),
  /** `silent`: no check-in for 3 intervals. `drift`: a newest status is fail. `unknown`: one is unknown, error, stale or absent. */
  state: z.enum(['good', 'drift', 'healing', 'unknown', 'silent', 'frozen']),
  health: AgentHealthSchema.nullable(),
  checks: z.array(CheckStatusSchema),
  /** C-39, over this host alone; `null` = no data. */
  score: z.number().min(0).max(100).nullable(),
  publicKey: z.string(),
});
export type HostView = z.infer<typeof HostSchema>;

/** GET /hosts/:hostId/findings : newest findings of every check */
export const HostFindingSchema = z.strictObject({
  check: z.string(),
  at: InstantSchema,
  bundleId: BundleIdSchema,
  finding: FindingSchema,
});

/** GET /hosts/:hostId/timeline */
export const TimelineEntrySchema = z.strictObject({
  id: z.string(),
  at: InstantSchema,
  kind: z.enum([
    'enrolled',
    'check-in',
    'silent',
    'drift',
    'recovered',
    'change',
    'command',
    'decision',
    'order',
    'alert',
  ]),
  title: z.string(),
  severity: z.enum(SEVERITIES),
  bundleId: BundleIdSchema.nullable(),
  remediationId: BundleIdSchema.nullable(),
});
export type TimelineEntry = z.infer<typeof TimelineEntrySchema>;

/** GET /remediations?hostId=&open= ; GET /remediations/:remediationId */
export const RemediationSchema = z.strictObject({
  remediationId: BundleIdSchema,
  hostId: z.string(),
  hostName: z.string(),
  check: z.string(),
  operation: z.string().nullable(),
  state: z.enum(REMEDIATION_STATES),
  /** Every state it was in, oldest first, each with its evidence where there is one. */
  history: z.array(
    z.strictObject({ state: z.enum(REMEDIATION_STATES), at: InstantSchema, bundleId: BundleIdSchema.nullable() }),
  ),
});
export type Remediation = z.infer<typeof RemediationSchema>;

/** GET /evidence?hostId=&check=&outcome=&from=&to=&kind=&cursor=&limit= */
export const EvidenceRowSchema = z.strictObject({
  bundleId: BundleIdSchema,
  hostId: z.string(),
  hostName: z.string(),
  kind: z.enum(EVIDENCE_KINDS),
  check: z.string().nullable(),
  operation: z.string().nullable(),
  outcome: z.enum(OUTCOMES),
  severity: z.enum(SEVERITIES),
  started: InstantSchema,
  receivedAt: InstantSchema,
  late: z.boolean(),
  simulated: z.boolean(),
  remediationId: BundleIdSchema.nullable(),
  digest: z.string(),
  logIndex: z.int(),
});
export type EvidenceRow = z.infer<typeof EvidenceRowSchema>;
/** GET /evidence/:bundleId ; the exact bytes: GET /evidence/:bundleId/bundle */
export const EvidenceDetailSchema = z.strictObject({
  row: EvidenceRowSchema,
  predicate: PredicateSchema,
  /** base64 of the exact bytes of the envelope. */
  envelope: z.string(),
});
/** GET /log/proof?bundleId= | index= [&size=] : inclusion in the newest signed checkpoint (or that of `size`) */
export const InclusionProofSchema = z.strictObject({
  index: z.int(),
  treeSize: z.int(),
  leafHash: z.string(),
  /** hex, RFC 6962 §2.1.1 order */ hashes: z.array(z.string()),
  /** C2SP signed note */ checkpoint: z.string(),
});
/** GET /log/consistency?from=&to= */
export const ConsistencyProofSchema = z.strictObject({ from: z.int(), to: z.int(), hashes: z.array(z.string()) });
/** GET /trust : what a verifier needs to pin */
export const TrustViewSchema = z.strictObject({
  logOrigin: z.string(),
  /** C2SP vkey of the log, `<origin>+<hash>+<base64>`. */
  logKey: z.string(),
  keys: z.array(PinnedKeySchema),
  hosts: z.array(
    z.strictObject({
      hostId: z.string(),
      name: z.string(),
      keyId: z.string(),
      publicKey: z.string(),
      validFrom: InstantSchema,
      validTo: InstantSchema.nullable(),
    }),
  ),
});

/** GET /attention : what needs a person now, most urgent first (W-02) */
export const AttentionSchema = z.strictObject({
  kind: z.enum([
    'drift',
    'alert',
    'silent-host',
    'frozen-host',
    'unanchored',
    'unknown',
    'certificate',
    'conflict',
    'no-hosts',
    'gate',
  ]),
  severity: z.enum(SEVERITIES),
  title: z.string(),
  nextStep: z.string(),
  hostId: z.string().nullable(),
  check: z.string().nullable(),
  bundleId: BundleIdSchema.nullable(),
  /** The release gate it is about. */
  gate: z.string().optional(),
  since: InstantSchema,
});
export type Attention = z.infer<typeof AttentionSchema>;
/** GET /summary */
export const SummarySchema = z.strictObject({
  score: z.number().nullable(),
  hosts: z.strictObject({ total: z.int(), good: z.int(), drift: z.int(), unknown: z.int(), silent: z.int() }),
  evidence: z.strictObject({ total: z.int(), unanchored: z.int(), lastReceivedAt: InstantSchema.nullable() }),
  remediations: z.strictObject({ open: z.int(), fixed24h: z.int(), reverted24h: z.int() }),
  asOf: InstantSchema,
});

/** POST /login-codes → a code that signs the owner in once, within ten minutes */
export const LoginCodeSchema = z.strictObject({ code: z.string(), expiresAt: InstantSchema });

/** POST /integrity → everything stored is verified anew, from the bytes up (P-35) */
export const IntegrityReportSchema = z.strictObject({
  checked: z.int(),
  problems: z.array(
    z.strictObject({ table: z.string(), row: z.string(), bundleId: z.string().nullable(), problem: z.string() }),
  ),
});

/** POST /enrollment-tokens → shown once */
export const EnrollmentTokenRequestSchema = z.strictObject({
  siteId: z.string().optional(),
  ttlS: z.int().min(60).max(86_400).default(3_600),
  labels: z.record(z.string(), z.string()).default({}),
});
export const EnrollmentTokenSchema = z.strictObject({
  token: z.string(),
  serverUrl: z.string(),
  expiresAt: InstantSchema,
  command: z.string(),
});

/** POST /orders ; GET /orders?hostId= */
export const ORDER_STATES = [
  'queued',
  'sent',
  'accepted',
  'running',
  'done',
  'failed',
  'reverted',
  'deferred',
  'rejected',
  'expired',
] as const;
export const OrderRequestSchema = z.strictObject({
  hostId: z.string(),
  operation: z.string().max(100),
  params: z.record(z.string(), z.json()),
  ttlS: z.int().min(60).max(86_400).default(900),
});
export const OrderViewSchema = z.strictObject({
  orderId: z.string(),
  hostId: z.string(),
  operation: z.string(),
  params: z.record(z.string(), z.json()),
  state: z.enum(ORDER_STATES),
  code: z.string().nullable(),
  requestedBy: z.string(),
  createdAt: InstantSchema,
  updatedAt: InstantSchema,
  bundleId: BundleIdSchema.nullable(),
});

/** WebSocket /api/v1/events?after=<seq>: one JSON object per message, `seq` rising without gaps per org. */
export const EventSchema = z.strictObject({
  seq: z.int(),
  at: InstantSchema,
  kind: z.enum(['host', 'evidence', 'remediation', 'checkpoint', 'order', 'gate', 'resync', 'hello']),
  hostId: z.string().nullable(),
  id: z.string().nullable(),
});
export type LiveEvent = z.infer<typeof EventSchema>;

export type CheckStatus = z.infer<typeof CheckStatusSchema>;
export type HostFinding = z.infer<typeof HostFindingSchema>;
export type EvidenceDetail = z.infer<typeof EvidenceDetailSchema>;
export type InclusionProof = z.infer<typeof InclusionProofSchema>;
export type TrustView = z.infer<typeof TrustViewSchema>;
export type Summary = z.infer<typeof SummarySchema>;
export type EnrollmentToken = z.infer<typeof EnrollmentTokenSchema>;
export type OrderView = z.infer<typeof OrderViewSchema>;
export type Problem = z.infer<typeof ProblemSchema>;
