/**
 * What agents and the server say to each other, over mutual TLS 1.3 under `/api/v1/agent`
 * (and `/api/v1/enroll`, which has no client certificate yet but a one-time token).
 */
import { BundleIdSchema, InstantSchema } from '@holdfast/evidence/statement';
import { z } from 'zod';

const Base64 = z.string().regex(/^[A-Za-z0-9+/]*={0,2}$/);
const Pem = z.string().max(20_000);

/** A public key a host pins: what it may sign, and when (P-04). */
export const PinnedKeySchema = z.strictObject({
  keyId: z.string(),
  /** Raw 32-byte Ed25519 public key, base64. */
  publicKey: Base64,
  purposes: z.array(z.enum(['order', 'baseline', 'log'])).min(1),
  validFrom: InstantSchema,
  validTo: InstantSchema.nullable(),
});
export type PinnedKey = z.infer<typeof PinnedKeySchema>;

/** `/etc/holdfast/trust.json`: written at enrolment, read by guard and agent. */
export const TrustSchema = z.strictObject({
  version: z.literal(1),
  orgId: z.string(),
  siteId: z.string(),
  hostId: z.string(),
  hostName: z.string(),
  serverUrl: z.url(),
  /** PEM of the control plane's CA: the only root the agent accepts. */
  caPem: Pem,
  /** C2SP name of the org's transparency log. */
  logOrigin: z.string(),
  keys: z.array(PinnedKeySchema).min(1),
});
export type Trust = z.infer<typeof TrustSchema>;

export const EnrollRequestSchema = z.strictObject({
  token: z.string().max(300),
  /** PKCS#10, PEM: the agent's TLS key. */
  csrPem: Pem,
  /** Raw 32-byte Ed25519 public key of the guard, base64. */
  hostPublicKey: Base64,
  /** base64 Ed25519 signature by the host key over UTF-8 `holdfast-enroll-v1\n<token>\n<hex sha256 of csrPem>`: the key is really held. */
  proof: Base64,
  hostName: z.string().min(1).max(253),
  platform: z.strictObject({
    distribution: z.string().max(64),
    version: z.string().max(64),
    kernel: z.string().max(100),
  }),
  simulated: z.boolean(),
  labels: z.record(z.string().max(64), z.string().max(256)),
});
export type EnrollRequest = z.infer<typeof EnrollRequestSchema>;
export const EnrollResponseSchema = z.strictObject({ trust: TrustSchema, certificatePem: Pem });

export const RenewRequestSchema = z.strictObject({ csrPem: Pem });
export const RenewResponseSchema = z.strictObject({ certificatePem: Pem });

export const COUNTERS = [
  'loopsCompleted',
  'driftDetected',
  'remediationsAttempted',
  'remediationsSuccessful',
  'evidenceGenerated',
  'evidenceUploaded',
  'evidenceQueued',
] as const;
/** C-30: health of one agent. */
export const AgentHealthSchema = z.strictObject({
  status: z.enum(['healthy', 'degraded', 'failing', 'starting']),
  since: InstantSchema,
  lastCycleAgeMs: z.number().nullable(),
  lastCycleMs: z.number().nullable(),
  counters: z.strictObject(
    Object.fromEntries(COUNTERS.map((name) => [name, z.int().min(0)])) as Record<(typeof COUNTERS)[number], z.ZodInt>,
  ),
  server: z.enum(['reachable', 'unreachable', 'refusing', 'unknown']),
  guard: z.enum(['reachable', 'unreachable', 'frozen', 'unknown']),
  clock: z.strictObject({ status: z.enum(['sane', 'not-sane', 'unknown']), offsetMs: z.number().nullable() }),
  queue: z.strictObject({
    totalPending: z.int(),
    totalUploaded: z.int(),
    /** Refused for good by the server. */
    dead: z.int(),
    /** What does not arrive unless a person does something: dead, lost, or unreadable. */
    stuck: z.int().default(0),
    readyForRetry: z.int(),
    oldestPending: InstantSchema.nullable(),
  }),
  conditions: z.array(
    z.strictObject({
      code: z.string().max(64),
      severity: z.enum(['info', 'warning', 'critical']),
      since: InstantSchema,
      message: z.string().max(500),
    }),
  ),
});
export type AgentHealth = z.infer<typeof AgentHealthSchema>;

/** Live states of a remediation (W-04). What counts as proof is the evidence, not these. */
export const REMEDIATION_STATES = [
  'detected',
  'waiting',
  'applying',
  'verifying',
  'confirming',
  'fixed',
  'reverted',
  'failed',
  'deferred',
  'alert',
] as const;
export const ProgressSchema = z.strictObject({
  remediationId: BundleIdSchema,
  check: z.string().max(64),
  operation: z.string().max(100).nullable(),
  state: z.enum(REMEDIATION_STATES),
  at: InstantSchema,
});
export type Progress = z.infer<typeof ProgressSchema>;

/** POST /api/v1/agent/checkin */
export const CheckinRequestSchema = z.strictObject({
  bootId: z.string().max(64),
  agentVersion: z.string().max(32),
  health: AgentHealthSchema,
  policyHash: z.string().nullable(),
  baselineHash: z.string().nullable(),
  audit: z.strictObject({ seq: z.int().min(0), head: z.string().max(64) }).nullable(),
  progress: z.array(ProgressSchema).max(200),
});
export const CheckinResponseSchema = z.strictObject({
  serverTime: InstantSchema,
  /** DSSE envelopes (JSON text) not yet reported on, oldest first. */
  orders: z.array(z.string()),
  /** Newest checkpoint of the org's log (C2SP signed note), `null` while it is empty. */
  checkpoint: z.string().nullable(),
});

/** POST /api/v1/agent/evidence: at most this many bundles and bytes a request. */
export const MAX_INGEST_BUNDLES = 200;
export const MAX_INGEST_BYTES = 8 * 1024 * 1024;
export const IngestRequestSchema = z.strictObject({
  /** base64 of the exact bytes of each `bundle.dsse.json`. */
  bundles: z
    .array(z.strictObject({ bundleId: BundleIdSchema, envelope: Base64 }))
    .min(1)
    .max(MAX_INGEST_BUNDLES),
});
export const IngestResultSchema = z.strictObject({
  bundleId: BundleIdSchema,
  /** `duplicate`: the very same bytes were accepted before; just as good. */
  status: z.enum(['accepted', 'duplicate', 'conflict', 'rejected', 'retry']),
  code: z.string().nullable(),
  /** Leaf index in the org's log and hex leaf hash: the inclusion promise (P-33), signed by the log key over `holdfast-promise-v1\n<origin>\n<index>\n<leafHash>`. */
  index: z.int().nullable(),
  leafHash: z.string().nullable(),
  promise: Base64.nullable(),
});
export type IngestResult = z.infer<typeof IngestResultSchema>;
export const IngestResponseSchema = z.strictObject({ results: z.array(IngestResultSchema) });

/** POST /api/v1/agent/orders/:orderId/result */
export const OrderResultRequestSchema = z.strictObject({
  outcome: z.enum(['done', 'failed', 'reverted', 'deferred', 'rejected', 'expired']),
  code: z.string().nullable(),
  bundleId: BundleIdSchema.nullable(),
});
