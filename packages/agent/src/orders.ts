/**
 * Orders of the control plane: handed to the guard as they came, which verifies them (C-35); their
 * results are told to the server until it acknowledges. Delivery is at least once; the effect is
 * exactly once, because the guard knows an order id it has seen and answers what it answered then.
 */
import type { ChangeReport, OrderReport } from '@holdfast/api';
import { type Clock, hasCode } from '@holdfast/core';
import { loggable } from './agent-log.ts';
import { confirmWhenSafe, type ConfirmationDeps } from './confirmation.ts';
import type { HealthRegistry } from './health.ts';
import type { Memory } from './memory.ts';
import type { AgentLog, GuardPort, OrderResult, ServerPort } from './ports.ts';
import { UNREADABLE_ORDER } from './server-link.ts';

export interface OrderDeps extends Omit<ConfirmationDeps, 'guard' | 'server'> {
  readonly guard: Pick<GuardPort, 'order' | 'confirm'>;
  readonly server: Pick<ServerPort, 'probe' | 'reportOrder'>;
  readonly memory: Memory;
  readonly health: HealthRegistry;
  readonly clock: Clock;
  readonly log: AgentLog;
}

const OUTCOMES: Record<NonNullable<ChangeReport['outcome']>, OrderResult['outcome']> = {
  committed: 'done',
  reverted: 'reverted',
  failed: 'failed',
  deferred: 'deferred',
  alert: 'failed',
  frozen: 'failed',
};

/** @returns `null` while it runs */
function resultOf({ outcome, code, bundleId }: OrderReport): OrderResult | null {
  return outcome === 'running' ? null : { outcome, code, bundleId };
}

/**
 * Runs every order that has no result yet, oldest first.
 *
 * @throws what the guard throws: the order stays open then, and is handed over again with the next cycle
 */
export async function runOrders(deps: OrderDeps, signal: AbortSignal): Promise<void> {
  const { guard, memory, health } = deps;
  for (const { orderId, envelope } of memory.openOrders()) {
    // An order came from a server that was reachable: a change that cuts it off must not be kept.
    const report = await guard.order(envelope, signal);
    let result = resultOf(report);
    if (report.change?.state === 'awaiting-confirmation') {
      const ended = await confirmWhenSafe(report.change, true, deps, signal);
      if (ended !== null && ended.outcome !== null) {
        result = { outcome: OUTCOMES[ended.outcome], code: ended.errorCode, bundleId: ended.bundleId };
      }
    }
    if (report.bundleId !== null) health.count('evidenceGenerated');
    if (result !== null) memory.finishOrder(orderId, result);
  }
}

/**
 * Tells the server every result it has not acknowledged.
 *
 * @throws what the client throws, but for a refusal of one result
 */
export async function reportOrders(deps: OrderDeps, signal: AbortSignal): Promise<void> {
  const { server, memory, clock, log } = deps;
  for (const { orderId, result } of memory.unreportedOrders()) {
    try {
      if (!orderId.startsWith(UNREADABLE_ORDER)) await server.reportOrder(orderId, result, signal);
    } catch (error) {
      // The server does not know the order, or has another result: told again it would say the same.
      if (!hasCode(error, 'ERR_AGENT_ORDER')) throw error;
      log.warn({ ...loggable(error), orderId }, 'the server refuses the result of an order');
    }
    memory.markReported(orderId);
  }
  memory.pruneOrders(clock.wallMs());
}
