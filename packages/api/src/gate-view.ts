/**
 * What the control plane shows of release gates (W-09). A gate arrives as a bundle, is verified with
 * the keys that were pinned with its first one, and is judged anew whenever somebody looks: dates pass.
 * The shapes follow the gate's own assessment; every figure in them is computed.
 */
import { SHA256_HEX_PATTERN } from '@holdfast/core';
import { InstantSchema } from '@holdfast/evidence/statement';
import { z } from 'zod';

const Digest = z.string().regex(SHA256_HEX_PATTERN);
export const GateIdSchema = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/);
const Result = z.enum(['GO', 'GO_WITH_CONDITIONS', 'NO_GO', 'INCONCLUSIVE']);
const Standing = z.enum([...Result.options, 'STALE', 'NONE']);
const Strings = z.array(z.string());

/** People of the gate and their public keys, kept apart from the bundle: what its signatures are held against. */
export const GatePinsSchema = z.strictObject({
  gate: GateIdSchema,
  people: z.record(z.string().min(1).max(64), z.array(z.string().min(1).max(1_000)).min(1).max(10)),
});

/** POST /gates. `pins` with the first bundle of a gate, and only then. */
export const GateUploadSchema = z.strictObject({ bundle: z.base64(), pins: GatePinsSchema.nullable() });

const ReasonSchema = z.strictObject({ code: z.string(), rule: z.string(), subject: z.string(), text: z.string() });

/** GET /gates */
export const GateRowSchema = z.strictObject({
  gate: GateIdSchema,
  title: z.string(),
  release: z.string(),
  standing: Standing,
  verdict: Result,
  packets: z.strictObject({ total: z.int(), approved: z.int() }),
  openFindings: z.strictObject({ P0: z.int(), P1: z.int(), P2: z.int() }),
  conditions: z.int(),
  /** The next date on which something lapses or is overdue. */
  nextDate: z.iso.date().nullable(),
  receivedAt: InstantSchema,
  asOf: InstantSchema,
});
export type GateRow = z.infer<typeof GateRowSchema>;

const EvidenceStateSchema = z.strictObject({
  command: z.string(),
  role: z.string(),
  packet: z.string().nullable(),
  run: z.string().nullable(),
  valid: z.boolean(),
  invalid: Strings,
  attempts: z.int(),
  failedAttempts: z.int(),
});

/** One run, for the list of evidence behind a packet. */
const GateRunSchema = z.strictObject({
  run: z.string(),
  command: z.string(),
  argv: Strings,
  packet: z.string().nullable(),
  role: z.string(),
  author: z.string(),
  startedAt: InstantSchema,
  durationMs: z.number(),
  ending: z.string(),
  exitCode: z.int().nullable(),
  commit: z.string(),
  tests: z.strictObject({ passed: z.int(), failed: z.int(), skipped: z.int() }).nullable(),
  leaf: Digest,
});
export type GateRun = z.infer<typeof GateRunSchema>;

/** GET /gates/:gate */
export const GateViewSchema = z.strictObject({
  gate: GateIdSchema,
  title: z.string(),
  release: z.string(),
  resource: z.string(),
  revision: z.int(),
  policyDigest: Digest,
  candidate: z.strictObject({ commit: z.string(), tree: Digest }),
  log: z.strictObject({ size: z.int(), root: Digest }),
  bundleDigest: Digest,
  receivedAt: InstantSchema,
  asOf: InstantSchema,
  packets: z.array(
    z.strictObject({
      id: z.string(),
      title: z.string(),
      state: z.string(),
      review: z.string(),
      needs: Strings,
      implementer: z.string(),
      reviewer: z.string(),
      approvedBy: Strings,
      evidence: z.array(EvidenceStateSchema),
      note: z.string().nullable(),
      startedAt: InstantSchema.nullable(),
      changedAt: InstantSchema.nullable(),
    }),
  ),
  milestone: z.array(EvidenceStateSchema),
  surfaces: z.array(
    z.strictObject({
      id: z.string(),
      title: z.string(),
      p0: z.boolean(),
      coveredBy: Strings,
      inMilestone: Strings,
    }),
  ),
  findings: z.array(
    z.strictObject({
      id: z.string(),
      title: z.string(),
      severity: z.enum(['P0', 'P1', 'P2']),
      surface: z.string().nullable(),
      packet: z.string().nullable(),
      location: z.string(),
      clause: z.string().nullable(),
      origin: z.string(),
      status: z.string(),
      condition: z.string().nullable(),
    }),
  ),
  conditions: z.array(
    z.strictObject({
      id: z.string(),
      finding: z.string(),
      text: z.string(),
      command: z.string(),
      owner: z.string(),
      due: z.iso.date(),
      expires: z.iso.date(),
      approvers: Strings,
      control: z.string(),
      status: z.string(),
    }),
  ),
  risks: z.array(
    z.strictObject({
      id: z.string(),
      text: z.string(),
      owner: z.string(),
      contact: z.string(),
      due: z.iso.date(),
      status: z.string(),
      waivers: z.int(),
    }),
  ),
  verdicts: z.array(
    z.strictObject({
      leaf: Digest,
      verdict: Result,
      at: InstantSchema,
      issuer: z.string(),
      commit: z.string(),
      addendum: z.boolean(),
    }),
  ),
  verdict: Result,
  reasons: z.array(ReasonSchema),
  standing: Standing,
  /** When that began, as the server noticed; `null` until it has looked. */
  standingSince: InstantSchema.nullable(),
  standingReasons: z.array(ReasonSchema),
  /** What can be done now, the most helpful first: by one of `who`, in time until the end of `due`. */
  steps: z.array(
    z.strictObject({ who: Strings, what: z.string(), due: z.iso.date().nullable(), command: z.string().nullable() }),
  ),
  people: z.array(z.strictObject({ id: z.string(), name: z.string(), contact: z.string(), roles: Strings })),
  outOfScope: z.array(z.strictObject({ what: z.string(), reason: z.string() })),
  rollbackTriggers: Strings,
  operatorList: Strings,
  /** Newest first, no more than `MAX_GATE_RUNS`. */
  runs: z.array(GateRunSchema),
});
export type GateView = z.infer<typeof GateViewSchema>;

/** More than anyone reads on one page; the bundle has them all. */
export const MAX_GATE_RUNS = 500;
/** Of a bundle, in bytes; larger ones stay in their repository. */
export const MAX_GATE_BUNDLE_BYTES = 48 * 1024 * 1024;
