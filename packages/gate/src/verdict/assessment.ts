/**
 * What a gate's records come to at one moment, for one candidate: the board, the validity of every
 * required piece of evidence, findings, conditions, risks, and the verdict that follows. Pure data;
 * `assess` makes it, and the CLI, the server, the console, the report and the verdict show it.
 */
import type { PacketState, Review } from '../board/states.ts';
import type { Gate, GateSeverity } from '../gate-file/gate-schema.ts';
import type { Source } from '../records/run-record.ts';
import type { GateRecord, GateVerdict, VerdictResult } from '../records/statements.ts';
import type { z } from 'zod';
import type { ReasonSchema } from '../records/statements.ts';

export type Reason = z.infer<typeof ReasonSchema>;

export interface AssessInput {
  readonly records: readonly GateRecord[];
  /** The gate file as it is in the candidate's tree now; held against the frozen one. `null` when judged from a bundle alone. */
  readonly current: { readonly digest: string } | null;
  readonly candidate: Source;
  readonly nowMs: number;
}

/** Why a run does not count. */
export const INVALIDITIES = [
  'interrupted',
  'unannounced',
  'run-id-reused',
  'timed-out',
  'missing',
  'empty',
  'truncated',
  'dirty-tree',
  'other-commit',
  'other-toolchain',
  'other-expectation',
  'cached',
  'caches-on',
  'expired',
  'from-the-future',
  'before-freeze',
  'wrong-author',
  'wrong-sandbox',
  'tier-too-low',
  'report-unreadable',
  'no-test-ran',
  'below-floor',
  'gap-test-missing',
  'gap-test-survives-mutation',
  'unexpected-exit',
  'triaged-inconclusive',
  'unexpected-matches',
  'tests-failed',
  'scan-inconclusive',
  'database-stale',
] as const;
export type Invalidity = (typeof INVALIDITIES)[number];

/** The state of one required command in one place: a packet's implementer, its reviewer, or the milestone. */
export interface EvidenceState {
  readonly command: string;
  readonly role: 'implementer' | 'reviewer' | 'milestone';
  readonly packet: string | null;
  /** The run that was judged: the newest one. `null` when there is none (`missing`). */
  readonly run: string | null;
  readonly valid: boolean;
  readonly invalid: readonly Invalidity[];
  /** How many attempts there were in all, and how many of them failed (R-09: they stay). */
  readonly attempts: number;
  readonly failedAttempts: number;
}

export interface PacketView {
  readonly id: string;
  readonly title: string;
  readonly state: PacketState;
  readonly review: Review;
  readonly needs: readonly string[];
  readonly implementer: string;
  readonly reviewer: string;
  /** Who approved since it was last submitted. */
  readonly approvedBy: readonly string[];
  readonly evidence: readonly EvidenceState[];
  /** What it waits for, or why it was reopened; for people. */
  readonly note: string | null;
  readonly startedAt: string | null;
  readonly changedAt: string | null;
}

export interface SurfaceView {
  readonly id: string;
  readonly title: string;
  readonly p0: boolean;
  /** Required commands whose executed tests reach it, with valid evidence. */
  readonly coveredBy: readonly string[];
  /** Commands of the milestone among them. */
  readonly inMilestone: readonly string[];
}

export interface FindingView {
  readonly id: string;
  readonly title: string;
  readonly severity: GateSeverity;
  readonly surface: string | null;
  readonly packet: string | null;
  readonly location: string;
  readonly clause: string | null;
  /** Recorded by a person, or derived: from a scan report, a flake, a drop in coverage. */
  readonly origin: 'person' | 'scan' | 'flake' | 'scan-coverage';
  readonly status: 'open' | 'accepted' | 'resolved' | 'deferred' | 'false-positive';
  readonly condition: string | null;
}

export interface ConditionView {
  readonly id: string;
  readonly finding: string;
  readonly text: string;
  readonly command: string;
  readonly owner: string;
  readonly due: string;
  readonly expires: string;
  readonly approvers: readonly string[];
  readonly control: string;
  /** `not-evidenced` also when its acceptance does not count. */
  readonly status: 'standing' | 'lapsed' | 'lifted' | 'not-evidenced';
}

export interface RiskView {
  readonly id: string;
  readonly text: string;
  readonly owner: string;
  readonly contact: string;
  readonly due: string;
  readonly status: 'open' | 'closed' | 'overdue';
  readonly waivers: number;
}

export interface VerdictView {
  readonly leaf: string;
  readonly verdict: VerdictResult;
  readonly at: string;
  readonly issuer: string;
  readonly commit: string;
  /** Whether an addendum led to it. */
  readonly addendum: boolean;
}

export interface Assessment {
  /** `null` before the first freeze: then the verdict is NO_GO, and there is nothing else to show. */
  readonly gate: Gate | null;
  /** 0 before the first freeze. */
  readonly revision: number;
  /** Empty before the first freeze. */
  readonly policyDigest: string;
  readonly candidate: Source;
  readonly at: string;
  readonly packets: readonly PacketView[];
  readonly milestone: readonly EvidenceState[];
  readonly surfaces: readonly SurfaceView[];
  readonly findings: readonly FindingView[];
  readonly conditions: readonly ConditionView[];
  readonly risks: readonly RiskView[];
  /** Oldest first. */
  readonly verdicts: readonly VerdictView[];
  /** What a verdict issued now would be, and all reasons why it is no better. Empty reasons only for GO. */
  readonly verdict: VerdictResult;
  readonly reasons: readonly Reason[];
  readonly counts: GateVerdict['counts'];
  /**
   * What the last issued verdict is worth now: itself, `STALE` when a date passed or an input changed,
   * `NO_GO` when a condition lapsed, `NONE` before the first.
   */
  readonly standing: VerdictResult | 'STALE' | 'NONE';
  readonly standingReasons: readonly Reason[];
}
