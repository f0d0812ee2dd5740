/**
 * What evidence says (P-26), before the guard adds who and where it is: from a check the agent
 * reported, from a change that ended, from a request that was refused.
 */
import type { CheckReport } from '@holdfast/api';
import type { ChangeRecord } from '@holdfast/change';
import { type BundleId, canonicalJson, type Json, type JsonObject } from '@holdfast/core';
import { sha256Hex } from '@holdfast/crypto';
import type { EvidenceKind, Known, Outcome, Predicate, Severity } from '@holdfast/evidence';
import type { Decision } from '@holdfast/policy';
import type { CommandRun, Ending } from '../command/command-journal.ts';
import { z } from 'zod';

/** Filled in at sealing, alike for all. */
type Host = 'version' | 'orgId' | 'siteId' | 'hostId' | 'hostName' | 'simulated' | 'redactions';

export interface Draft {
  readonly kind: EvidenceKind;
  readonly predicate: Omit<Predicate, Host>;
}

/** The circumstances under which something was asked: kept with a change in its journal. */
export interface Circumstances {
  readonly principal: string;
  readonly decision: {
    readonly effect: Decision['effect'];
    readonly rule: string | null;
    readonly reasons: readonly string[];
  };
  readonly orderId: string | null;
  readonly remediationId: string | null;
  readonly policyHash: Known<string>;
  readonly baselineHash: Known<string>;
  readonly correlationId: string;
}

const MAX_REASON_CHARS = 300;
const MAX_MESSAGE_CHARS = 1_000;

/** The guard asks no time source: that is a check of the agent's. */
const CLOCK: Predicate['clock'] = { status: 'unknown', offsetMs: { unknown: 'the guard asks no time source' } };

const KnownSchema = z.union([z.strictObject({ value: z.string() }), z.strictObject({ unknown: z.string() })]);
const CircumstancesSchema = z.strictObject({
  principal: z.string(),
  decision: z.strictObject({
    effect: z.enum(['allow', 'deny', 'needs-approval']),
    rule: z.string().nullable(),
    reasons: z.array(z.string()).min(1),
  }),
  orderId: z.string().nullable(),
  remediationId: z.string().nullable(),
  policyHash: KnownSchema,
  baselineHash: KnownSchema,
  correlationId: z.string(),
});

/** As the change journal keeps them. */
export const encodeCircumstances = (circumstances: Circumstances): JsonObject => ({ ...circumstances });

/** @returns `null` for a change of another version of the guard */
export function parseCircumstances(meta: JsonObject): Circumstances | null {
  const parsed = CircumstancesSchema.safeParse(meta);
  return parsed.success ? parsed.data : null;
}

export const paramsDigestOf = (params: JsonObject): string => sha256Hex(canonicalJson(params));

const laterOf = (started: string, ended: string): string => (ended >= started ? ended : started);

const BLANK = {
  check: null,
  operation: null,
  principal: null,
  decision: null,
  paramsDigest: null,
  controls: {},
  findings: [],
  preState: null,
  postState: null,
  actions: [],
  error: null,
  rollbackAvailable: false,
  rollbackRef: null,
  orderId: null,
  runbookId: null,
  remediationId: null,
} satisfies Partial<Predicate>;

function decisionOf({ effect, rule, reasons }: Circumstances['decision']): Predicate['decision'] {
  return { effect, rule, reasons: reasons.slice(0, 20).map((reason) => reason.slice(0, MAX_REASON_CHARS)) };
}

/** The agent saw it; the guard only signs that the agent said so (P-05). */
export function draftOfCheck(
  report: CheckReport,
  hashes: { readonly policyHash: Known<string>; readonly baselineHash: Known<string> },
): Draft {
  const controls: Record<string, string[]> = {};
  for (const finding of report.findings) {
    for (const [framework, ids] of Object.entries(finding.controls)) {
      controls[framework] = [...new Set([...(controls[framework] ?? []), ...ids])].toSorted().slice(0, 50);
    }
  }
  return {
    kind: 'check',
    predicate: {
      ...BLANK,
      ...hashes,
      bundleId: report.bundleId,
      observedBy: 'agent',
      started: report.started,
      ended: report.ended,
      clock: report.clock,
      check: report.check,
      severity: report.severity,
      controls,
      findings: report.findings,
      postState: report.observed,
      outcome: report.outcome,
      remediationId: report.remediationId,
    },
  };
}

const SEVERITY_OF_OUTCOME: Record<NonNullable<ChangeRecord['outcome']>, Severity> = {
  committed: 'info',
  deferred: 'low',
  failed: 'high',
  reverted: 'high',
  alert: 'high',
  frozen: 'critical',
};

/** @param record of a change that ended */
export function draftOfChange(record: ChangeRecord): Draft {
  const circumstances = parseCircumstances(record.meta);
  const started = record.startedAt ?? record.requestedAt;
  const outcome = record.outcome ?? 'failed';
  const unknown = { unknown: 'the change was journaled by another version' };
  return {
    kind: 'change',
    predicate: {
      ...BLANK,
      bundleId: record.bundleId,
      observedBy: 'guard',
      started,
      ended: laterOf(started, record.endedAt ?? started),
      policyHash: circumstances?.policyHash ?? unknown,
      baselineHash: circumstances?.baselineHash ?? unknown,
      clock: CLOCK,
      operation: record.operation,
      principal: circumstances?.principal ?? null,
      decision: circumstances === null ? null : decisionOf(circumstances.decision),
      paramsDigest: paramsDigestOf(record.params),
      severity: SEVERITY_OF_OUTCOME[outcome],
      preState: record.preState,
      postState: record.postState,
      actions: record.steps.slice(0, 200),
      outcome,
      error:
        record.error === null
          ? null
          : { code: record.error.code, message: record.error.message.slice(0, MAX_MESSAGE_CHARS) },
      orderId: circumstances?.orderId ?? null,
      remediationId: circumstances?.remediationId ?? null,
    },
  };
}

const SEVERITY_OF_ENDING: Record<Ending['outcome'], Severity> = { done: 'info', failed: 'medium', deny: 'medium' };

/** A command that was let in, whatever became of it (G-31). @param excerpt of its output; redacted when sealed */
export function draftOfCommand(run: CommandRun, ending: Ending, excerpt: string | null): Draft {
  const circumstances = parseCircumstances(run.circumstances);
  const unknown = { unknown: 'the command was let in by another version' };
  const { state, outcome, code, reason } = ending;
  const ended = laterOf(run.started, ending.ended);
  const decision = circumstances === null ? null : decisionOf(circumstances.decision);
  const refusal = {
    effect: 'deny' as const,
    reasons: [...(decision?.reasons ?? []), reason.slice(0, MAX_REASON_CHARS)],
  };
  return {
    kind: 'command',
    predicate: {
      ...BLANK,
      bundleId: run.runId,
      observedBy: 'guard',
      started: run.started,
      ended,
      policyHash: circumstances?.policyHash ?? unknown,
      baselineHash: circumstances?.baselineHash ?? unknown,
      clock: CLOCK,
      operation: run.operation,
      principal: circumstances?.principal.slice(0, 100) ?? null,
      decision: decision !== null && outcome === 'deny' ? { ...decision, ...refusal } : decision,
      paramsDigest: run.paramsDigest,
      severity: SEVERITY_OF_ENDING[outcome],
      preState: { program: run.program },
      postState: state,
      actions: [
        {
          step: 0,
          action: `run ${run.operation} under profile ${run.profile}`,
          argvDigest: run.argvDigest,
          exitCode: state?.exitCode ?? null,
          startedAt: run.started,
          durationMs: state?.usage.wallMs ?? 0,
          result: state === null && outcome === 'deny' ? 'skipped' : outcome === 'done' ? 'ok' : 'failed',
          stdoutDigest: state?.stdout.digest ?? null,
          stderrDigest: state?.stderr.digest ?? null,
          excerpt,
        },
      ],
      outcome,
      error: code === null ? null : { code, message: reason.slice(0, MAX_MESSAGE_CHARS) },
      orderId: circumstances?.orderId ?? null,
      remediationId: circumstances?.remediationId ?? null,
    },
  };
}

/** Root frees a frozen host: who, why, and what had frozen it (G-21). */
export function draftOfUnfreeze(unfreeze: {
  readonly circumstances: Circumstances;
  readonly reason: string;
  readonly changes: readonly string[];
  readonly bundleId: BundleId;
  readonly at: string;
}): Draft {
  const { circumstances, reason, changes, bundleId, at } = unfreeze;
  return {
    kind: 'decision',
    predicate: {
      ...BLANK,
      bundleId,
      observedBy: 'guard',
      started: at,
      ended: at,
      policyHash: circumstances.policyHash,
      baselineHash: circumstances.baselineHash,
      clock: CLOCK,
      operation: 'guard.unfreeze',
      principal: circumstances.principal.slice(0, 100),
      decision: decisionOf(circumstances.decision),
      paramsDigest: paramsDigestOf({ reason }),
      severity: 'high',
      preState: { frozen: true, changes: changes.slice(0, 100) },
      postState: { frozen: false, reason },
      outcome: 'allow',
    },
  };
}

/** A mutation that was not run, or many of one principal in one statement. */
export interface Refusal {
  readonly kind: Extract<EvidenceKind, 'decision' | 'order'>;
  readonly outcome: Extract<Outcome, 'deny' | 'needs-approval' | 'rejected' | 'expired' | 'deferred' | 'failed'>;
  readonly circumstances: Circumstances;
  /** `null` when it is not known, as for an order nobody could read. */
  readonly operation: string | null;
  readonly paramsDigest: string | null;
  readonly code: string;
}

export function draftOfRefusal(
  refusal: Refusal,
  at: { readonly bundleId: BundleId; readonly started: string; readonly ended: string; readonly postState?: Json },
): Draft {
  const { circumstances } = refusal;
  return {
    kind: refusal.kind,
    predicate: {
      ...BLANK,
      bundleId: at.bundleId,
      observedBy: 'guard',
      started: at.started,
      ended: laterOf(at.started, at.ended),
      policyHash: circumstances.policyHash,
      baselineHash: circumstances.baselineHash,
      clock: CLOCK,
      operation: refusal.operation,
      principal: circumstances.principal.slice(0, 100),
      decision: decisionOf(circumstances.decision),
      paramsDigest: refusal.paramsDigest,
      severity: refusal.outcome === 'deferred' ? 'low' : 'medium',
      postState: at.postState ?? null,
      outcome: refusal.outcome,
      error: { code: refusal.code, message: refusal.code },
      orderId: circumstances.orderId,
      remediationId: circumstances.remediationId,
    },
  };
}
