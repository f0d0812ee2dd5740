/**
 * What the agent needs of the rest of the world, as narrow interfaces: the guard beside it, the
 * server far away, the checks it runs, and time. The real ones are bound in `start.ts` and in the
 * app; tests bind honest second implementations.
 */
import type {
  ChangeReport,
  CheckinRequestSchema,
  CheckinResponseSchema,
  CheckReport,
  ConsistencyProofSchema,
  GuardStatus,
  IngestResult,
  OrderReport,
  OrderResultRequestSchema,
} from '@holdfast/api';
import type { Clock, JsonObject } from '@holdfast/core';
import type { CheckResult } from '@holdfast/compliance';
import type { z } from 'zod';

/** One drift's request to the guard; nonce and issue time are added where it is sent. */
export interface HealRequest {
  readonly operation: string;
  readonly params: JsonObject;
  readonly remediationId: string;
  readonly check: string;
  /** Wall time before which it is not to run: the guard records it as deferred. `null`: now. */
  readonly notBeforeMs: number | null;
}

export interface OutboxItem {
  /** Audit sequence number: unique and rising, not without gaps. */
  readonly seq: number;
  readonly bundleId: string;
  /** Path of the stored bundle. */
  readonly path: string;
}

/**
 * The guard, as the agent may use it: it can only ask.
 *
 * Every method throws a `HoldfastError` for a refusal and MAY throw for a lost connection; after a
 * lost connection the outcome is unknown and is learned from `changes`.
 */
export interface GuardPort {
  status(signal: AbortSignal): Promise<GuardStatus>;
  /** Resolves when the change ended or awaits confirmation. */
  request(request: HealRequest, signal: AbortSignal): Promise<ChangeReport>;
  /** The signed order, whole, as received: the guard verifies it (G-03, C-35). Idempotent by order id. */
  order(envelope: string, signal: AbortSignal): Promise<OrderReport>;
  confirm(changeId: string, signal: AbortSignal): Promise<ChangeReport>;
  /** Idempotent by the report's bundle id. */
  seal(report: CheckReport, signal: AbortSignal): Promise<{ bundleId: string; digest: string; seq: number }>;
  /** Sealed bundles with a sequence number above `afterSeq`, oldest first. */
  outbox(
    afterSeq: number,
    limit: number,
    signal: AbortSignal,
  ): Promise<{ items: readonly OutboxItem[]; nextSeq: number }>;
  /** Changes that are not ended, and the newest ended ones. */
  changes(limit: number, signal: AbortSignal): Promise<readonly ChangeReport[]>;
}

export type CheckinRequest = z.infer<typeof CheckinRequestSchema>;
export type CheckinResponse = z.infer<typeof CheckinResponseSchema>;
export type OrderResult = z.infer<typeof OrderResultRequestSchema>;
export type ConsistencyProof = z.infer<typeof ConsistencyProofSchema>;

/**
 * The control plane. Errors are typed (C-34): `ERR_AGENT_CONNECTION`, `ERR_AGENT_AUTHENTICATION`,
 * `ERR_AGENT_PROTOCOL`. Every method is safe to repeat.
 */
export interface ServerPort {
  checkin(request: CheckinRequest, signal: AbortSignal): Promise<CheckinResponse>;
  upload(
    bundles: readonly { readonly bundleId: string; readonly envelope: string }[],
    signal: AbortSignal,
  ): Promise<readonly IngestResult[]>;
  reportOrder(orderId: string, result: OrderResult, signal: AbortSignal): Promise<void>;
  renew(csrPem: string, signal: AbortSignal): Promise<string>;
  consistency(from: number, to: number, signal: AbortSignal): Promise<ConsistencyProof>;
  /**
   * Whether a *new* connection comes about now. MUST NOT reuse one that is open: a packet filter
   * may keep what is established and refuse everything else.
   */
  probe(signal: AbortSignal): Promise<boolean>;
}

/** What may be done about a failing check without asking a person (C-26). */
export type RemediationPolicy = 'auto' | 'ask' | 'window-only' | 'never';

export interface ClockJudgement {
  readonly status: 'sane' | 'not-sane' | 'unknown';
  /** `null`: not known. */
  readonly offsetMs: number | null;
}

/** One pass over checks, all judged by one baseline. */
export interface CheckRun {
  readonly results: readonly CheckResult[];
  readonly baselineHash: string | null;
  /** Why there is no usable baseline (C-03), `null` when there is one. */
  readonly baselineProblem: string | null;
  policyOf(check: string): RemediationPolicy;
  /** Unknown operations count as disruptive. */
  isDisruptive(operation: string): boolean;
  /** Files whose change is worth a look at once. */
  readonly watched: readonly string[];
}

export interface Checks {
  /** Runs all checks of the baseline, or only those named. MUST NOT throw for one that fails. */
  run(only: readonly string[] | null, signal: AbortSignal): Promise<CheckRun>;
  /** P-10: asks the time sources. */
  judgeClock(signal: AbortSignal): Promise<ClockJudgement>;
}

/** Waits, or throws `signal.reason`. */
export type Sleep = (ms: number, signal: AbortSignal) => Promise<void>;

/** Random bytes from the system. */
export type RandomBytes = (count: number) => Uint8Array;

/** The part of a pino logger that is used. */
export interface AgentLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** A point in time that survives restarts: exact within one boot, by wall clock across boots (P-09). */
export interface Moment {
  readonly wallMs: number;
  readonly monotonicMs: number;
  readonly bootId: string;
}

export const momentOf = (clock: Clock, bootId: string): Moment => ({
  wallMs: clock.wallMs(),
  monotonicMs: clock.monotonicMs(),
  bootId,
});

/** Never negative: a wall clock that was set back makes an age zero, so that a brake holds longer, not shorter. */
export function ageMs(then: Moment, now: Moment): number {
  const age = then.bootId === now.bootId ? now.monotonicMs - then.monotonicMs : now.wallMs - then.wallMs;
  return Math.max(0, age);
}
