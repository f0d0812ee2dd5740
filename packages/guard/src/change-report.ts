/** A change as the protocol tells it. */
import type { ChangeReport, OrderReport } from '@holdfast/api';
import type { ChangeRecord } from '@holdfast/change';
import { parseCircumstances } from './sealing/predicates.ts';

export function toChangeReport(record: ChangeRecord): ChangeReport {
  const reasons = [...(record.verification?.reasons ?? []), ...(record.error === null ? [] : [record.error.message])];
  return {
    changeId: record.changeId,
    operation: record.operation,
    params: record.params as ChangeReport['params'], // JSON either way; zod's type of it is mutable
    state: record.state,
    outcome: record.outcome,
    steps: [...record.steps],
    reasons,
    confirmWithinMs: record.confirmWithinMs,
    bundleId: record.sealed ? record.bundleId : null,
    remediationId: parseCircumstances(record.meta)?.remediationId ?? null,
    errorCode: record.error?.code ?? null,
  };
}

const ORDER_OUTCOME: Record<NonNullable<ChangeRecord['outcome']>, OrderReport['outcome']> = {
  committed: 'done',
  reverted: 'reverted',
  failed: 'failed',
  deferred: 'deferred',
  alert: 'failed',
  frozen: 'failed',
};

/** The report of the order that asked for this change; `running` while it awaits confirmation. */
export function toOrderReport(orderId: string, record: ChangeRecord): OrderReport {
  return {
    orderId,
    outcome: record.outcome === null ? 'running' : ORDER_OUTCOME[record.outcome],
    code: record.error?.code ?? null,
    change: toChangeReport(record),
    bundleId: record.sealed ? record.bundleId : null,
  };
}
