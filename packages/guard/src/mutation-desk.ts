/**
 * Everything that changes the host goes through here (G-05, G-15, G-29): limits, replay, decision,
 * durable record, change. What is refused on the way becomes a record and evidence, and the caller
 * learns a code.
 */
import type { ChangeReport, GuardRequest } from '@holdfast/api';
import type { AuditLog } from '@holdfast/audit';
import type { AnyOperation, ChangeEngine, ChangeRecord } from '@holdfast/change';
import {
  type BundleId,
  type Clock,
  type ErrorCode,
  formatUuidV7,
  hasCode,
  isHoldfastError,
  type JsonObject,
} from '@holdfast/core';
import type { Known } from '@holdfast/evidence';
import {
  bucketOf,
  type Caller,
  decide,
  type Decision,
  formatCaller,
  isDisruptionAllowed,
  type Policy,
  TokenBuckets,
} from '@holdfast/policy';
import type { BaselineHolder } from './baseline-holder.ts';
import { toChangeReport } from './change-report.ts';
import type { DenialDesk } from './denial-desk.ts';
import { refusalOf } from './refuse.ts';
import { type Circumstances, encodeCircumstances, paramsDigestOf, parseCircumstances } from './sealing/predicates.ts';
import type { NonceMemory } from './state/nonce-memory.ts';

export interface MutationDeps {
  readonly audit: AuditLog;
  readonly engine: ChangeEngine;
  readonly baseline: BaselineHolder;
  readonly denials: DenialDesk;
  readonly nonces: NonceMemory;
  readonly clock: Clock;
  readonly randomBytes: (length: number) => Uint8Array;
  readonly signal: AbortSignal;
  /** Told of failures of the journal. MUST NOT throw. */
  readonly onFault: (error: unknown) => void;
}

/** One thing to be done, allowed or not. */
export interface Mutation {
  readonly changeId: BundleId;
  readonly operation: string;
  readonly params: JsonObject;
  readonly circumstances: Circumstances;
}

/** Why a mutation does not run. */
export interface Obstacle {
  readonly code: ErrorCode;
  readonly outcome: 'deny' | 'needs-approval' | 'deferred' | 'failed';
  readonly reason: string;
}

export class MutationDesk {
  readonly #deps: MutationDeps;
  readonly #buckets = new TokenBuckets();

  constructor(deps: MutationDeps) {
    this.#deps = deps;
  }

  /** A local caller asks for an operation. @throws the code of the refusal */
  async request(
    policy: Policy | null,
    caller: Caller,
    request: Extract<GuardRequest, { kind: 'request' }>,
    correlationId: string,
  ): Promise<ChangeReport> {
    const { operation, params } = request;
    const { hash: baselineHash } = await this.#deps.baseline.current();
    const decision = decide(policy, { caller, operation, params });
    const mutation: Mutation = {
      changeId: this.newId(),
      operation,
      params,
      circumstances: {
        ...this.circumstances(policy, caller, decision, correlationId),
        baselineHash,
        remediationId: request.cause.remediationId,
      },
    };
    await this.limit(policy, caller, mutation);
    const obstacle = this.obstacleOf(policy, decision, mutation) ?? this.#postponed(request.notBeforeMs);
    if (obstacle !== null && obstacle.outcome !== 'deferred') await this.refuse(mutation, obstacle);
    await this.admit(caller, request, mutation);
    if (obstacle !== null) return this.#defer(mutation, obstacle);
    try {
      return toChangeReport(await this.run(mutation));
    } catch (error) {
      // Allowed, and yet no change that would leave evidence of its own (G-31).
      if (!hasCode(error, 'ERR_GUARD_AUDIT_UNWRITABLE') && (await this.isUnknown(mutation.changeId))) {
        const code = isHoldfastError(error) ? error.code : 'ERR_GUARD_INTERNAL';
        await this.#recordRefusal(mutation, { code, outcome: 'failed', reason: 'the change did not begin' });
      }
      throw error;
    }
  }

  /** Whether the journal knows nothing of the change. One that cannot be read may know it. */
  async isUnknown(changeId: string): Promise<boolean> {
    try {
      return (await this.#deps.engine.get(changeId)) === undefined;
    } catch {
      return false;
    }
  }

  /** A caller keeps or reverts a change that waits: whoever may do the operation may. */
  async end(
    policy: Policy | null,
    caller: Caller,
    { kind, changeId }: Extract<GuardRequest, { kind: 'confirm' | 'revert' }>,
    correlationId: string,
  ): Promise<ChangeReport> {
    const change = await this.#deps.engine.get(changeId);
    const operation = change?.operation ?? '';
    const params = change?.params ?? {};
    const decision = decide(policy, { caller, operation, params });
    const circumstances = this.circumstances(policy, caller, decision, correlationId);
    const mutation = {
      changeId: changeId as BundleId,
      operation: operation === '' ? kind : operation,
      params,
      circumstances,
    };
    await this.limit(policy, caller, mutation);
    // A change that does not exist and one that is not the caller's look alike.
    const obstacle = obstacleOfDecision(decision);
    if (obstacle !== null) await this.refuse(mutation, obstacle);
    await this.record(`change.${kind}`, mutation, { changeId });
    const { engine } = this.#deps;
    return toChangeReport(await (kind === 'confirm' ? engine.confirm(changeId) : engine.revert(changeId)));
  }

  /** What stands between a decided mutation and its run; `null` when nothing does. */
  obstacleOf(policy: Policy | null, decision: Decision, { operation, params }: Mutation): Obstacle | null {
    const common = this.commonObstacleOf(decision);
    if (common !== null) return common;
    const known = this.operationOf(operation);
    if (known === undefined) {
      return { code: 'ERR_CHANGE_OPERATION_UNKNOWN', outcome: 'deny', reason: 'the baseline offers no such operation' };
    }
    if (!known.params.safeParse(params).success) {
      return { code: 'ERR_INPUT_INVALID', outcome: 'deny', reason: 'the parameters do not parse' };
    }
    if (known.disruptive && !isDisruptionAllowed(policy, operation, this.#deps.clock.wallMs())) {
      return { code: 'ERR_GUARD_DEFERRED', outcome: 'deferred', reason: 'outside of every maintenance window' };
    }
    return null;
  }

  /** What stops a change and a command alike. */
  commonObstacleOf(decision: Decision): Obstacle | null {
    const denied = obstacleOfDecision(decision);
    if (denied !== null) return denied;
    if (this.#deps.engine.frozen) return { code: 'ERR_GUARD_FROZEN', outcome: 'deny', reason: 'the host is frozen' }; // G-19
    return null;
  }

  /** C-24: what its own caller wants later is deferred, on the record. It can only make less happen. */
  #postponed(notBeforeMs: number | undefined): Obstacle | null {
    if (notBeforeMs === undefined || this.#deps.clock.wallMs() >= notBeforeMs) return null;
    return { code: 'ERR_GUARD_DEFERRED', outcome: 'deferred', reason: 'asked for in a maintenance window only' };
  }

  operationOf(name: string): AnyOperation | undefined {
    return this.#deps.baseline.operations.get(name);
  }

  /**
   * Records the decision durably, then runs (P-19).
   *
   * @throws `ERR_GUARD_AUDIT_UNWRITABLE` when it cannot be recorded: nothing was run (P-22)
   */
  async run(mutation: Mutation): Promise<ChangeRecord> {
    const { changeId, operation, params, circumstances } = mutation;
    await this.record('request.allowed', mutation, { changeId });
    const meta = encodeCircumstances(circumstances);
    try {
      return await this.#deps.engine.request({ changeId, operation, params, meta }, this.#deps.signal);
    } catch (error) {
      if (hasCode(error, 'ERR_CHANGE_JOURNAL')) this.#deps.onFault(error);
      throw error;
    }
  }

  /** @throws `ERR_GUARD_AUDIT_UNWRITABLE` */
  async record(action: string, { operation, params, circumstances }: Mutation, detail: JsonObject): Promise<void> {
    try {
      await this.#deps.audit.append({
        actor: circumstances.principal,
        action,
        subject: operation,
        outcome: circumstances.decision.effect,
        detail: {
          ...detail,
          paramsDigest: paramsDigestOf(params),
          correlationId: circumstances.correlationId,
          rule: circumstances.decision.rule,
          orderId: circumstances.orderId,
          remediationId: circumstances.remediationId,
        },
      });
    } catch (error) {
      if (hasCode(error, 'ERR_AUDIT_RECORD_INVALID')) throw refusalOf('ERR_INPUT_INVALID');
      throw refusalOf('ERR_GUARD_AUDIT_UNWRITABLE');
    }
  }

  circumstances(
    policy: Policy | null,
    caller: Caller,
    { effect, rule, reasons }: Decision,
    correlationId: string,
  ): Circumstances {
    const policyHash: Known<string> = policy === null ? { unknown: 'no policy is loaded' } : { value: policy.hash };
    return {
      principal: formatCaller(caller),
      decision: { effect, rule, reasons },
      orderId: null,
      remediationId: null,
      policyHash,
      baselineHash: { unknown: 'not asked for' },
      correlationId,
    };
  }

  newId(): BundleId {
    return formatUuidV7(this.#deps.clock.wallMs(), this.#deps.randomBytes(10));
  }

  /** Takes a token of the caller's, or says that there is none. */
  takeToken(policy: Policy | null, caller: Caller): boolean {
    return this.#buckets.take(
      formatCaller(caller),
      bucketOf(policy, caller, 'mutations'),
      this.#deps.clock.monotonicMs(),
    );
  }

  /** G-06: one namespace for each kind of principal and purpose. Only what would run takes room in it. @throws `ERR_GUARD_REPLAYED` */
  async admit(
    caller: Caller,
    request: Extract<GuardRequest, { kind: 'request' | 'exec' }>,
    mutation: Mutation,
  ): Promise<void> {
    const namespace = `request/${formatCaller(caller)}`;
    const admission = this.#deps.nonces.admit(namespace, request.nonce, request.issuedAtMs);
    if (admission === 'fresh') return;
    await this.refuse(mutation, { code: 'ERR_GUARD_REPLAYED', outcome: 'deny', reason: admission });
  }

  /** @throws `ERR_GUARD_RATE_LIMITED` */
  async limit(policy: Policy | null, caller: Caller, mutation: Mutation): Promise<void> {
    if (this.takeToken(policy, caller)) return;
    await this.refuse(mutation, { code: 'ERR_GUARD_RATE_LIMITED', outcome: 'deny', reason: 'rate limit' });
  }

  /** Makes record and evidence of the refusal. @throws its code, always */
  async refuse(mutation: Mutation, obstacle: Obstacle): Promise<never> {
    await this.#recordRefusal(mutation, obstacle);
    throw refusalOf(obstacle.code);
  }

  /** Allowed, and not now: the report of a change that did not begin (P-13). */
  async #defer(mutation: Mutation, obstacle: Obstacle): Promise<ChangeReport> {
    const { changeId, operation, params, circumstances } = mutation;
    const bundleId = await this.#recordRefusal(mutation, obstacle);
    return {
      changeId,
      operation,
      params: params as ChangeReport['params'], // JSON either way; zod's type of it is mutable
      state: 'ended',
      outcome: 'deferred',
      steps: [],
      reasons: [obstacle.reason],
      confirmWithinMs: null,
      bundleId,
      remediationId: circumstances.remediationId,
      errorCode: obstacle.code,
    };
  }

  async #recordRefusal({ operation, params, circumstances }: Mutation, obstacle: Obstacle): Promise<BundleId | null> {
    const { effect, rule, reasons } = circumstances.decision;
    const isDenied = effect === 'allow' && obstacle.outcome === 'deny';
    return this.#deps.denials.refuseMutation({
      kind: 'decision',
      outcome: obstacle.outcome,
      operation,
      paramsDigest: paramsDigestOf(params),
      code: obstacle.code,
      circumstances: {
        ...circumstances,
        decision: { effect: isDenied ? 'deny' : effect, rule, reasons: [...reasons, obstacle.reason] },
      },
    });
  }
}

function obstacleOfDecision({ effect, reasons }: Decision): Obstacle | null {
  const reason = reasons[0] ?? effect;
  if (effect === 'deny') return { code: 'ERR_GUARD_DENIED', outcome: 'deny', reason };
  // No approval can be given yet: what waits for one does not run.
  if (effect === 'needs-approval') return { code: 'ERR_GUARD_APPROVAL_REQUIRED', outcome: 'needs-approval', reason };
  return null;
}

/** The order a change was made for, if it was. */
export const orderIdOf = (record: ChangeRecord): string | null => parseCircumstances(record.meta)?.orderId ?? null;
