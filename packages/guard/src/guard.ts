/**
 * The life of a request (the picture's GUARD column): auth by the kernel's word, validate, decide,
 * record, run. Every kind of request has one way through here, and what is not answered is denied.
 */
import type { GuardRequest } from '@holdfast/api';
import type { AuditLog } from '@holdfast/audit';
import type { ChangeEngine } from '@holdfast/change';
import { type ErrorCode, hasCode, isHoldfastError, type Json } from '@holdfast/core';
import { canonicalJson } from '@holdfast/core';
import { sha256Hex } from '@holdfast/crypto';
import type { Host } from '@holdfast/host';
import {
  bucketOf,
  type Caller,
  decide,
  decideRead,
  formatCaller,
  type Policy,
  type ReadName,
  resolveArgv,
  TokenBuckets,
} from '@holdfast/policy';
import type { BaselineHolder } from './baseline-holder.ts';
import { toChangeReport } from './change-report.ts';
import type { CommandDesk } from './command/command-desk.ts';
import type { DenialDesk } from './denial-desk.ts';
import type { MutationDesk } from './mutation-desk.ts';
import type { OrderDesk } from './order/order-desk.ts';
import type { PolicyHolder } from './policy-holder.ts';
import { refusalOf } from './refuse.ts';
import type { EvidenceIndex } from './sealing/evidence-index.ts';
import type { EvidenceSealer } from './sealing/evidence-sealer.ts';
import { draftOfCheck, paramsDigestOf } from './sealing/predicates.ts';
import type { UnfreezeDesk } from './unfreeze-desk.ts';
import type { Peer } from './socket/connection.ts';
import { observe } from './observe.ts';

export interface GuardDeps {
  readonly host: Host;
  readonly audit: AuditLog;
  readonly engine: ChangeEngine;
  readonly policy: PolicyHolder;
  readonly baseline: BaselineHolder;
  readonly index: EvidenceIndex;
  readonly sealer: EvidenceSealer;
  readonly denials: DenialDesk;
  readonly mutations: MutationDesk;
  readonly commands: CommandDesk;
  readonly orders: OrderDesk;
  readonly unfreezing: UnfreezeDesk;
  readonly status: () => Promise<Json>;
  readonly monotonicMs: () => number;
  readonly signal: AbortSignal;
}

/** What still works on a frozen host (G-19): what happened can be read, and its proof be fetched. */
const WORKS_FROZEN: ReadonlySet<GuardRequest['kind']> = new Set(['status', 'audit.tail', 'outbox']);

/** What each kind of read has to be granted as. */
function readOf(request: GuardRequest): ReadName | null {
  switch (request.kind) {
    case 'observe':
      return `observe.${request.name}`;
    case 'plan':
    case 'seal':
    case 'outbox':
    case 'changes':
    case 'audit.tail':
      return request.kind;
    case 'status':
    case 'request':
    case 'exec':
    case 'order':
    case 'confirm':
    case 'revert':
    case 'unfreeze':
      return null;
    default:
      throw refusalOf('ERR_GUARD_MALFORMED');
  }
}

export class Guard {
  readonly #deps: GuardDeps;
  readonly #sealBuckets = new TokenBuckets();

  constructor(deps: GuardDeps) {
    this.#deps = deps;
  }

  /** @throws `HoldfastError`: the connection tells the caller its code alone */
  async answer(request: GuardRequest, peer: Peer, correlationId: string): Promise<Json> {
    const caller: Caller = { kind: 'local', uid: peer.uid, user: peer.user };
    const policy = this.#deps.policy.current();
    const read = readOf(request);
    if (read !== null) await this.#authoriseRead(policy, caller, read, correlationId);
    if (this.#deps.engine.frozen && !WORKS_FROZEN.has(request.kind) && read !== null)
      throw refusalOf('ERR_GUARD_FROZEN');
    const { engine, mutations, commands, orders, index, audit, signal } = this.#deps;
    switch (request.kind) {
      case 'status':
        return this.#deps.status();
      case 'observe':
        return { value: await observe(request.name, this.#deps.host, await this.#deps.baseline.current(), signal) };
      case 'plan':
        return this.#plan(policy, caller, request);
      case 'request':
        return toJson(await mutations.request(policy, caller, request, correlationId));
      case 'exec':
        return toJson(await commands.request(policy, caller, request, correlationId));
      case 'confirm':
      case 'revert':
        return toJson(await mutations.end(policy, caller, request, correlationId));
      case 'unfreeze':
        return toJson(await this.#deps.unfreezing.unfreeze(policy, caller, request, correlationId));
      case 'order':
        return toJson(await orders.take(policy, caller, request.envelope, correlationId));
      case 'seal':
        return this.#seal(policy, caller, request, correlationId);
      case 'outbox': {
        const items = index.listAfter(request.afterSeq, request.limit);
        return { items, nextSeq: items.at(-1)?.seq ?? request.afterSeq };
      }
      case 'changes':
        return {
          changes: (await engine.list(request.limit))
            .slice(0, request.limit)
            .map((record) => toJson(toChangeReport(record))),
        };
      case 'audit.tail':
        return {
          records: (
            await (request.from === undefined ? audit.tail(request.limit) : audit.read(request.from, request.limit))
          ).map((record) => toJson(record)),
        };
      default:
        throw refusalOf('ERR_GUARD_MALFORMED');
    }
  }

  async #authoriseRead(policy: Policy | null, caller: Caller, read: ReadName, correlationId: string): Promise<void> {
    const decision = decideRead(policy, caller, read);
    if (decision.effect === 'allow') return;
    await this.#refuseRead(policy, caller, read, decision.reasons, 'ERR_GUARD_DENIED', correlationId);
  }

  async #refuseRead(
    policy: Policy | null,
    caller: Caller,
    read: ReadName,
    reasons: readonly string[],
    code: ErrorCode,
    correlationId: string,
  ): Promise<never> {
    const circumstances = this.#deps.mutations.circumstances(
      policy,
      caller,
      { effect: 'deny', rule: null, reasons },
      correlationId,
    );
    await this.#deps.denials.refuseRead({
      kind: 'decision',
      outcome: 'deny',
      operation: read,
      paramsDigest: null,
      code,
      circumstances,
    });
    throw refusalOf(code);
  }

  /** What would happen, for a caller that may ask for plans: the decision on the operation is part of the answer (P-17). */
  async #plan(policy: Policy | null, caller: Caller, request: Extract<GuardRequest, { kind: 'plan' }>): Promise<Json> {
    const { operation, params } = request;
    const { effect, rule, reasons } = decide(policy, { caller, operation, params });
    const decision = { effect, rule, reasons: [...reasons] };
    // G-02, G-04: what a plan shows of the host is for those who may do it, and reasons are for the log.
    if (effect === 'deny') return { steps: [], decision: { effect, rule: null, reasons: ['denied'] } };
    const command = policy?.commands.get(operation);
    if (command !== undefined) {
      const argv = resolveArgv(command, params);
      const detail = { argv, profile: command.profile, cwd: command.cwd, paramsDigest: paramsDigestOf(params) };
      return { steps: [{ action: `run ${operation}`, detail }], decision };
    }
    await this.#deps.baseline.current();
    const steps = await this.#deps.engine.plan(operation, params, this.#deps.signal);
    return { steps: steps.map((step) => toJson(step)), decision };
  }

  async #seal(
    policy: Policy | null,
    caller: Caller,
    { report }: Extract<GuardRequest, { kind: 'seal' }>,
    correlationId: string,
  ): Promise<Json> {
    const bucket = bucketOf(policy, caller, 'seal');
    if (!this.#sealBuckets.take(formatCaller(caller), bucket, this.#deps.monotonicMs())) {
      await this.#refuseRead(policy, caller, 'seal', ['rate limit'], 'ERR_GUARD_RATE_LIMITED', correlationId);
    }
    const { hash: baselineHash } = await this.#deps.baseline.current();
    const policyHash = policy === null ? { unknown: 'no policy is loaded' } : { value: policy.hash as string };
    const draft = draftOfCheck(report, { policyHash, baselineHash });
    try {
      const { bundleId, digest, seq } = await this.#deps.sealer.seal(draft, sha256Hex(canonicalJson(toJson(report))));
      return { bundleId, digest, seq };
    } catch (error) {
      // The agent's own report can be wrong, and says so; anything else that fails here is the log or the disk.
      if (hasCode(error, 'ERR_EVIDENCE_MALFORMED') || hasCode(error, 'ERR_NOT_CANONICAL'))
        throw refusalOf('ERR_INPUT_INVALID');
      if (isHoldfastError(error) && !error.code.startsWith('ERR_AUDIT')) throw error;
      throw refusalOf('ERR_GUARD_AUDIT_UNWRITABLE');
    }
  }
}

/** What is JSON by construction, without what `undefined` leaves. */
function toJson(value: object): Json {
  return JSON.parse(JSON.stringify(value)) as Json;
}
