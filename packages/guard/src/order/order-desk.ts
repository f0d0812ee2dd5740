/**
 * Takes signed orders (C-35): verified by the guard itself, carried out once for each order id, and
 * reported alike however often they are delivered, also across crashes.
 *
 * The order is written down before its change is asked for, with the change's id; what a crash leaves
 * is then found in the change journal, or was never begun.
 */
import type { Order, OrderReport, Trust } from '@holdfast/api';
import type { ChangeEngine, ChangeRecord } from '@holdfast/change';
import { type BundleId, type Clock, type ErrorCode, hasCode, isHoldfastError } from '@holdfast/core';
import { sha256Hex } from '@holdfast/crypto';
import { type Caller, decide, type Decision, type Policy } from '@holdfast/policy';
import type { BaselineHolder } from '../baseline-holder.ts';
import { toOrderReport } from '../change-report.ts';
import { type CommandDesk, type EndedRun, isCommand } from '../command/command-desk.ts';
import type { Ending } from '../command/command-journal.ts';
import type { DenialDesk } from '../denial-desk.ts';
import { type Mutation, type MutationDesk, orderIdOf } from '../mutation-desk.ts';
import { refusalOf } from '../refuse.ts';
import { type Circumstances, paramsDigestOf, parseCircumstances, type Refusal } from '../sealing/predicates.ts';
import type { OrderStore } from '../state/order-store.ts';
import { checkOrder, type OrderContext, readOrder } from './verify-order.ts';

export interface OrderDeps {
  readonly store: OrderStore;
  readonly engine: ChangeEngine;
  readonly mutations: MutationDesk;
  readonly commands: CommandDesk;
  readonly denials: DenialDesk;
  readonly baseline: BaselineHolder;
  readonly trust: Trust;
  readonly clock: Clock;
}

/** Of an agent between two checks. */
const DEFAULT_ORDER_PATIENCE_MS = 10_000;

const CONTROL_PLANE: Caller = { kind: 'control-plane' };
const UNREAD: Decision = { effect: 'deny', rule: null, reasons: ['the order was not verified'] };

export class OrderDesk {
  readonly #deps: OrderDeps;
  readonly #patienceMs: number;
  readonly #running = new Map<string, { readonly digest: string; readonly work: Promise<OrderReport> }>();

  constructor(deps: OrderDeps, patienceMs = DEFAULT_ORDER_PATIENCE_MS) {
    this.#deps = deps;
    this.#patienceMs = patienceMs;
  }

  /**
   * @param bearer who brought the order: it has no say in what is done, only in how often it may ask
   * @throws what makes it worth bringing again later: rate limit, frozen host, unwritable audit log
   */
  async take(policy: Policy | null, bearer: Caller, envelope: string, correlationId: string): Promise<OrderReport> {
    const { clock, trust, mutations } = this.#deps;
    const wallMs = clock.wallMs();
    const read = readOrder(envelope, { keys: trust.keys, wallMs });
    const digest = sha256Hex(envelope);
    if (!read.ok) {
      // Nobody's word but the bearer's.
      if (!mutations.takeToken(policy, bearer)) throw refusalOf('ERR_GUARD_RATE_LIMITED');
      const circumstances = mutations.circumstances(policy, bearer, UNREAD, correlationId);
      const bundleId = await this.#refuse(circumstances, null, read.outcome, read.code);
      return { orderId: null, outcome: read.outcome, code: read.code, change: null, bundleId };
    }
    const { order } = read;
    // Up to here nothing was awaited: of deliveries side by side the first one takes the order up.
    const running = this.#running.get(order.orderId);
    if (running?.digest === digest) return this.#patiently(order, running.work);
    if (running !== undefined) return this.#refuseOther(policy, order, correlationId);
    const work = this.#takeUp(policy, order, digest, correlationId);
    this.#running.set(order.orderId, { digest, work });
    const done = work.finally(() => this.#running.delete(order.orderId));
    return this.#patiently(order, done);
  }

  /** A command may take an hour, and who brought the order has other things to do: it asks again. */
  async #patiently(order: Order, work: Promise<OrderReport>): Promise<OrderReport> {
    if (!isCommand(order.operation)) return work;
    work.catch(() => undefined); // thrown to whoever still waits; what became of the run is in its evidence
    const late = Promise.withResolvers<OrderReport>();
    const running = { orderId: order.orderId, outcome: 'running', code: null, change: null, bundleId: null } as const;
    const timer = setTimeout(() => late.resolve(running), this.#patienceMs);
    try {
      return await Promise.race([work, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** A change that was made for an order ended: its report is final now. Called after its evidence is sealed. */
  complete(record: ChangeRecord): void {
    const orderId = orderIdOf(record);
    if (orderId === null || record.state !== 'ended') return;
    if (this.#deps.store.find(orderId)?.report === null) {
      this.#deps.store.complete(orderId, toOrderReport(orderId, { ...record, sealed: true }));
    }
  }

  /** A command that was run for an order is proven: its report is final now. */
  completeCommand(ended: EndedRun): void {
    const orderId = parseCircumstances(ended.run.circumstances)?.orderId ?? null;
    if (orderId === null || this.#deps.store.find(orderId)?.report !== null) return;
    this.#deps.store.complete(orderId, reportOfCommand(orderId, ended));
  }

  /** After a restart: orders whose change was never begun end as failed. Call when engine and commands have recovered. */
  async recover(policy: Policy | null): Promise<void> {
    for (const { orderId, changeId } of this.#deps.store.listRunning()) {
      const record = changeId === null ? undefined : await this.#deps.engine.get(changeId);
      if (record !== undefined) {
        if (record.sealed) this.complete(record);
        continue;
      }
      if (changeId !== null && this.#deps.commands.find(changeId) !== undefined) continue; // still to be proven
      const code = 'ERR_ORDER_INTERRUPTED';
      const decision: Decision = { effect: 'deny', rule: null, reasons: ['the guard stopped before the change began'] };
      const circumstances = {
        ...this.#deps.mutations.circumstances(policy, CONTROL_PLANE, decision, orderId),
        orderId,
      };
      const bundleId = await this.#refuse(circumstances, null, 'failed', code);
      this.#deps.store.complete(orderId, { orderId, outcome: 'failed', code, change: null, bundleId });
    }
  }

  async #takeUp(policy: Policy | null, order: Order, digest: string, correlationId: string): Promise<OrderReport> {
    const { store, mutations, engine } = this.#deps;
    const stored = store.find(order.orderId);
    if (stored?.digest === digest) return stored.report ?? this.#reportOf(order.orderId, stored.changeId);
    if (stored !== undefined) return this.#refuseOther(policy, order, correlationId);
    if (engine.frozen) throw refusalOf('ERR_GUARD_FROZEN'); // G-19
    if (!mutations.takeToken(policy, CONTROL_PLANE)) throw refusalOf('ERR_GUARD_RATE_LIMITED');
    const circumstances = await this.#circumstancesOf(policy, order, correlationId);
    return this.#carryOut(policy, order, digest, circumstances);
  }

  /** Signed, and yet another order under a known id: refused, and the first one's report stays. */
  async #refuseOther(policy: Policy | null, order: Order, correlationId: string): Promise<OrderReport> {
    const code = 'ERR_ORDER_REPLAYED';
    const circumstances = await this.#circumstancesOf(policy, order, correlationId);
    const bundleId = await this.#refuse(circumstances, order, 'rejected', code);
    return { orderId: order.orderId, outcome: 'rejected', code, change: null, bundleId };
  }

  async #circumstancesOf(policy: Policy | null, order: Order, correlationId: string): Promise<Circumstances> {
    const { hash: baselineHash } = await this.#deps.baseline.current();
    const { mutations } = this.#deps;
    return {
      ...mutations.circumstances(policy, CONTROL_PLANE, UNREAD, correlationId),
      baselineHash,
      orderId: order.orderId,
    };
  }

  async #carryOut(policy: Policy | null, order: Order, digest: string, unread: Circumstances): Promise<OrderReport> {
    const { mutations, commands } = this.#deps;
    const verdict = checkOrder(order, this.#contextOf(policy, order));
    const decision = verdict.decision ?? UNREAD;
    const { effect, rule, reasons } = decision;
    const circumstances: Circumstances = { ...unread, decision: { effect, rule, reasons } };
    const base = { orderId: order.orderId, digest, nonce: order.nonce };
    if (!verdict.ok) {
      const bundleId = await this.#refuse(circumstances, order, verdict.outcome, verdict.code);
      const report: OrderReport = {
        orderId: order.orderId,
        outcome: verdict.outcome,
        code: verdict.code,
        change: null,
        bundleId,
      };
      // A replayed nonce belongs to the order that carried it first.
      if (verdict.code !== 'ERR_ORDER_REPLAYED') this.#add({ ...base, changeId: null, report });
      return report;
    }
    const mutation: Mutation = {
      changeId: mutations.newId(),
      operation: order.operation,
      params: order.params,
      circumstances,
    };
    const desk = isCommand(order.operation) ? commands : mutations;
    const obstacle = desk.obstacleOf(policy, decision, mutation);
    if (obstacle !== null) {
      const outcome = obstacle.outcome === 'deferred' ? 'deferred' : 'rejected';
      const bundleId = await this.#refuse(circumstances, order, outcome, obstacle.code);
      const report: OrderReport = { orderId: order.orderId, outcome, code: obstacle.code, change: null, bundleId };
      this.#add({ ...base, changeId: null, report });
      return report;
    }
    await mutations.record('order.accepted', mutation, { changeId: mutation.changeId, digest });
    this.#add({ ...base, changeId: mutation.changeId, report: null });
    try {
      if (isCommand(order.operation)) return reportOfCommand(order.orderId, await commands.run(policy, mutation));
      return toOrderReport(order.orderId, await mutations.run(mutation));
    } catch (error) {
      return await this.#failed(order, mutation, error);
    }
  }

  /** The engine did not take the change, or its journal failed: what is there says which. */
  async #failed(order: Order, mutation: Mutation, error: unknown): Promise<OrderReport> {
    if (hasCode(error, 'ERR_CHANGE_JOURNAL') || hasCode(error, 'ERR_CHANGE_CLOSED')) throw error; // a restart decides
    const { mutations, commands } = this.#deps;
    if (!(await mutations.isUnknown(mutation.changeId)) || commands.find(mutation.changeId) !== undefined) throw error;
    const code = isHoldfastError(error) ? error.code : 'ERR_GUARD_INTERNAL';
    const bundleId = await this.#refuse(mutation.circumstances, order, 'failed', code);
    const report: OrderReport = { orderId: order.orderId, outcome: 'failed', code, change: null, bundleId };
    this.#deps.store.complete(order.orderId, report);
    return report;
  }

  async #reportOf(orderId: string, changeId: string | null): Promise<OrderReport> {
    const record = changeId === null ? undefined : await this.#deps.engine.get(changeId);
    if (record !== undefined) return toOrderReport(orderId, record);
    const command = changeId === null ? undefined : this.#deps.commands.find(changeId);
    if (command !== undefined && command.ending !== null) {
      return reportOfCommand(orderId, { ...command, ending: command.ending, bundleId: null });
    }
    return { orderId, outcome: 'running', code: null, change: null, bundleId: null };
  }

  #contextOf(policy: Policy | null, order: Order): OrderContext {
    const { trust, clock, store, mutations } = this.#deps;
    return {
      wallMs: clock.wallMs(),
      orgId: trust.orgId,
      siteId: trust.siteId,
      hostId: trust.hostId,
      keys: trust.keys,
      isNonceSeen: (nonce) => store.isNonceSeen(nonce, Date.parse(order.issuedAt)),
      decide: ({ operation, params }) => decide(policy, { caller: CONTROL_PLANE, operation, params }),
      areParamsValid: (operation, params) => mutations.operationOf(operation)?.params.safeParse(params).success ?? true,
    };
  }

  #add(order: Parameters<OrderStore['add']>[0]): void {
    try {
      this.#deps.store.add(order);
    } catch {
      throw refusalOf('ERR_ORDER_REPLAYED'); // what cannot be remembered is not done (G-06)
    }
  }

  async #refuse(
    circumstances: Circumstances,
    order: Order | null,
    outcome: Refusal['outcome'],
    code: ErrorCode,
  ): Promise<BundleId | null> {
    const decision = { ...circumstances.decision, effect: 'deny' as const };
    return this.#deps.denials.refuseMutation({
      kind: 'order',
      outcome,
      operation: order?.operation ?? null,
      paramsDigest: order === null ? null : paramsDigestOf(order.params),
      code,
      circumstances: { ...circumstances, decision },
    });
  }
}

const ORDER_OUTCOME: Record<Ending['outcome'], OrderReport['outcome']> = {
  done: 'done',
  failed: 'failed',
  deny: 'rejected',
};

function reportOfCommand(orderId: string, { ending, bundleId }: EndedRun): OrderReport {
  return { orderId, outcome: ORDER_OUTCOME[ending.outcome], code: ending.code, change: null, bundleId };
}
