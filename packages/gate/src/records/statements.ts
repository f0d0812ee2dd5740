/**
 * Every record of a gate is an in-toto Statement v1 in a DSSE envelope, one leaf of the gate's
 * Merkle log each. This is the closed set of their predicates. Sealing and opening is `seal.ts`; what
 * they mean together is `board/` and `verdict/`.
 *
 * Follows https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
 */
import { UUID_V7_PATTERN } from '@holdfast/core';
import { InstantSchema } from '@holdfast/evidence';
import { ScanSummarySchema } from '@holdfast/scan';
import { z } from 'zod';
import { SIGNED_EVENTS } from '../board/states.ts';
import { DateSchema, GATE_ID_PATTERN, GATE_SEVERITIES } from '../gate-file/gate-schema.ts';
import {
  CommitSchema,
  DigestSchema,
  RUN_ROLES,
  RunRecordSchema,
  SourceSchema,
  TestResultSchema,
} from './run-record.ts';

const Id = z.string().regex(GATE_ID_PATTERN);
const Text = z.string().trim().min(1).max(4_000);
const Uuid = z.string().regex(UUID_V7_PATTERN);
/** Finding, risk and condition ids: `F-1`, `RISK-2`. */
const RecordId = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);

/** What every record says first. */
const header = {
  gate: Id,
  /** Of the freeze under which it was written; 0 before the first. */
  revision: z.int().min(0),
  /** Who signed: a person of the gate file. Verified against the key. */
  author: Id,
  at: InstantSchema,
};

/** scope, rubric, order and commands are these bytes from here on. */
export const FreezeSchema = z.strictObject({
  ...header,
  /** Of the gate file's bytes, which stand here whole so that a bundle needs nothing else. */
  gateFile: z.strictObject({ digest: DigestSchema, text: z.string().min(1).max(4_000_000) }),
  source: SourceSchema,
});

/** A person moves a packet. `approve`, `request-changes` and `block-review` stand in a `packet-review` instead. */
export const TransitionSchema = z.strictObject({
  ...header,
  packet: Id,
  event: z.enum(SIGNED_EVENTS).exclude(['approve', 'request-changes', 'block-review']),
  source: SourceSchema,
  reason: Text.nullable(),
});

/** Signed before anything of a session starts, so that a run that never came back cannot be denied. */
export const AttemptSchema = z.strictObject({
  ...header,
  session: Uuid,
  role: z.enum(RUN_ROLES),
  packet: Id.nullable(),
  commands: z.array(Id).min(1).max(1_000),
  source: SourceSchema,
});

/** What came of a session. */
export const CommandRunSchema = z.strictObject({
  ...header,
  session: Uuid,
  role: z.enum(RUN_ROLES),
  packet: Id.nullable(),
  host: z.strictObject({
    name: z.string().max(253),
    system: z.string().max(100),
    release: z.string().max(200),
    architecture: z.string().max(50),
  }),
  toolchain: z
    .array(z.strictObject({ name: Id, version: z.string().max(300), executable: DigestSchema.nullable() }))
    .max(50),
  /** Of the canonical JSON of all variables the commands got, names and values. */
  environmentDigest: DigestSchema,
  /** Whether the settings that turn known caches off were in that environment. */
  cachesOff: z.boolean(),
  /** The outputs of all runs, one after the other: `objects/<digest>` beside the log. */
  pack: z.strictObject({ digest: DigestSchema, bytes: z.int().min(0) }),
  runs: z.array(RunRecordSchema).max(1_000),
});
export type CommandRun = z.infer<typeof CommandRunSchema>;

/** Which tests one run executed. Its digest, of the canonical JSON of `tests`, stands in the run. */
export const TestResultsSchema = z.strictObject({
  ...header,
  session: Uuid,
  run: Uuid,
  tests: z.array(TestResultSchema).max(200_000),
});

/** What one run of a scanner covered and found, read from its report. */
export const ScanResultSchema = z.strictObject({ ...header, session: Uuid, run: Uuid, scan: ScanSummarySchema });

const ReviewCheckSchema = z.discriminatedUnion('result', [
  z.strictObject({ result: z.literal('PASS'), note: Text.nullable() }),
  z.strictObject({ result: z.literal('FAIL'), note: Text }),
  z.strictObject({ result: z.literal('N/A'), note: Text }),
]);

/** a record with a part missing is no record. */
export const PacketReviewSchema = z.strictObject({
  ...header,
  packet: Id,
  decision: z.enum(['approve', 'request-changes', 'block-review']),
  source: SourceSchema,
  /** Every file that changed since the packet started (or since the base), with why. */
  changes: z.array(z.strictObject({ path: z.string().min(1).max(1_000), reason: Text })).max(10_000),
  /** E-mail addresses of the authors of those changes, as git has them. */
  authors: z.array(z.string().min(1).max(320)).max(1_000),
  /** The reviewer's own session. */
  session: Uuid.nullable(),
  checklist: z.array(z.strictObject({ item: Text, done: z.boolean() })).max(200),
  checks: z.strictObject({
    /** Never N/A. */
    integrity: ReviewCheckSchema,
    behaviour: ReviewCheckSchema,
    record: ReviewCheckSchema,
  }),
  residualRisk: Text,
  rollback: z.strictObject({ plan: Text, changesDataOrConfiguration: z.boolean() }),
  /** the log as it was just before this record. */
  checkpoint: z.strictObject({ size: z.int().min(1), root: DigestSchema, commit: CommitSchema }),
});

/** Each record replaces the one before with the same id; the log keeps all. */
export const FindingRecordSchema = z.strictObject({
  ...header,
  id: RecordId,
  title: Text,
  surface: Id,
  packet: Id.nullable(),
  location: z.string().min(1).max(1_000),
  severity: z.enum(GATE_SEVERITIES),
  /** Of the rubric. */
  clause: Id,
  defect: z.enum(['code', 'document']),
  disposition: z.enum(['open', 'resolved', 'deferred', 'false-positive']),
  /** The fingerprint of a scanner, when it speaks about a derived finding. */
  fingerprint: z.string().max(200).nullable(),
  /** For a resolution: runs that show it, and for secrets the proof of revocation and replacement. */
  evidence: z.array(z.strictObject({ run: Uuid.nullable(), digest: DigestSchema.nullable(), note: Text })).max(50),
  reason: Text,
});

/** somebody answers for living with something, for one release and until a date. */
export const RiskAcceptanceSchema = z.strictObject({
  ...header,
  finding: RecordId,
  reason: Text,
  /** The release it holds for. */
  release: z.string().min(1).max(100),
  expires: DateSchema,
  /** The command whose passing evidence shows that the compensating control works. */
  control: z.strictObject({ text: Text, command: Id }),
  condition: z.strictObject({
    /** `C-1`: numbered by the tool. */
    id: RecordId,
    text: Text,
    /** How one tells that it is met: a command of the gate file. */
    command: Id,
    owner: Id,
    due: DateSchema,
  }),
  /** Leaf hash of the acceptance of the same thing in the gate before, if any: waivers in a row are counted. */
  previous: DigestSchema.nullable(),
  waivers: z.int().min(0),
});

/** what remains, with somebody who answers for it and a date. Replaces the record with the same id. */
export const ResidualRiskSchema = z.strictObject({
  ...header,
  id: RecordId,
  text: Text,
  owner: Id,
  due: DateSchema,
  status: z.enum(['open', 'closed']),
  /** How often in a row its date was moved. */
  waivers: z.int().min(0),
});

/** a drill of a runbook, run by the runner. */
export const RunbookDrillSchema = z.strictObject({
  ...header,
  runbook: z.string().min(1).max(500),
  /** Of the runbook and all that its steps depend on. */
  digest: DigestSchema,
  source: SourceSchema,
  steps: z
    .array(
      z.strictObject({
        name: z.string().min(1).max(300),
        phase: z.enum(['enable', 'disable', 'kill-switch', 'rollback', 'probe']),
        expected: z.string().max(1_000),
        observed: z.string().max(1_000),
        withinMs: z.int().min(1),
        tookMs: z.number().min(0),
        passed: z.boolean(),
      }),
    )
    .min(1)
    .max(500),
  simulated: z.boolean(),
});

/** each condition of the verdict before, and how it was met. */
export const AddendumSchema = z.strictObject({
  ...header,
  /** Leaf hash of the verdict it adds to. */
  verdict: DigestSchema,
  source: SourceSchema,
  lifts: z
    .array(z.strictObject({ condition: RecordId, fix: Text, commit: CommitSchema, run: Uuid }))
    .min(1)
    .max(200),
});

export const VERDICTS = ['GO', 'GO_WITH_CONDITIONS', 'NO_GO', 'INCONCLUSIVE'] as const;
export type VerdictResult = (typeof VERDICTS)[number];

export const ReasonSchema = z.strictObject({
  /** Of `REASONS`. */
  code: z.string().regex(/^[a-z][a-z0-9-]{0,63}$/),
  /** The row of the requirement, such as `R-19`. */
  rule: z.string().regex(/^R-[0-9]{2}$/),
  /** What it is about: packet, command, surface, finding, …; empty for the gate itself. */
  subject: z.string().max(1_000),
  text: z.string().min(1).max(1_000),
});

/** Everything in it is computed. */
export const GateVerdictSchema = z.strictObject({
  ...header,
  verdict: z.enum(VERDICTS),
  /** Leaf hash of the verdict that this one follows, with its addendum; `null` for the first. */
  previous: DigestSchema.nullable(),
  release: z.string().min(1).max(100),
  /** Of the frozen gate file's bytes. */
  policyDigest: DigestSchema,
  source: SourceSchema,
  artifacts: z
    .array(z.strictObject({ path: z.string().max(500), digest: DigestSchema, bytes: z.int().min(0) }))
    .max(100),
  /** The log that was judged: everything before this record. */
  inputs: z.strictObject({ size: z.int().min(0), root: DigestSchema }),
  counts: z.strictObject({
    packets: z.int().min(0),
    approved: z.int().min(0),
    surfaces: z.int().min(0),
    covered: z.int().min(0),
    commands: z.int().min(0),
    runs: z.int().min(0),
    validRuns: z.int().min(0),
    tests: z.int().min(0),
    findings: z.strictObject({ P0: z.int().min(0), P1: z.int().min(0), P2: z.int().min(0) }),
    conditions: z.int().min(0),
    risks: z.int().min(0),
  }),
  conditions: z
    .array(
      z.strictObject({
        id: RecordId,
        finding: RecordId,
        text: Text,
        command: Id,
        owner: Id,
        due: DateSchema,
        expires: DateSchema,
      }),
    )
    .max(200),
  reasons: z.array(ReasonSchema).max(2_000),
  rollbackTriggers: z.array(Text).max(50),
  operatorList: z.array(Text).max(100),
});
export type GateVerdict = z.infer<typeof GateVerdictSchema>;

/** By the last part of their predicate type. */
export const PREDICATES = {
  freeze: FreezeSchema,
  transition: TransitionSchema,
  attempt: AttemptSchema,
  'command-run': CommandRunSchema,
  'test-result': TestResultsSchema,
  'scan-result': ScanResultSchema,
  'packet-review': PacketReviewSchema,
  finding: FindingRecordSchema,
  'risk-acceptance': RiskAcceptanceSchema,
  'residual-risk': ResidualRiskSchema,
  'runbook-drill': RunbookDrillSchema,
  addendum: AddendumSchema,
  'gate-verdict': GateVerdictSchema,
} as const;
export type RecordKind = keyof typeof PREDICATES;
export type PredicateOf<K extends RecordKind> = z.infer<(typeof PREDICATES)[K]>;
export const gatePredicateType = (kind: RecordKind): string => `https://holdfast.dev/gate/${kind}/v1`;

/** One record as it came out of the log: signature verified, schema checked. */
export type GateRecord = {
  [K in RecordKind]: {
    readonly kind: K;
    readonly predicate: PredicateOf<K>;
    /** Place in the log, from 0. */
    readonly index: number;
    /** RFC 6962 leaf hash of the envelope's bytes, hex. */
    readonly leaf: string;
    /** The key that signed, `SHA256:…`. */
    readonly keyId: string;
  };
}[RecordKind];
export type RecordOf<K extends RecordKind> = Extract<GateRecord, { kind: K }>;
