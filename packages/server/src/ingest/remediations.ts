/**
 * Remediations as the console shows them (W-04). Evidence and live progress move the same state; a
 * state that evidence proves is never undone by progress, which is only what the agent says.
 */
import type { Progress } from '@holdfast/api';
import type { Outcome } from '@holdfast/evidence';
import type { Transaction } from '@holdfast/store';
import type { VerifiedUpload } from './verify-upload.ts';

type RemediationState = Progress['state'];
export interface RemediationStep {
  readonly remediationId: string;
  readonly check: string;
  readonly operation: string | null;
  readonly state: RemediationState;
  readonly at: string;
  readonly bundleId: string | null;
}

export const OPEN_STATES: readonly RemediationState[] = [
  'detected',
  'waiting',
  'applying',
  'verifying',
  'confirming',
  'deferred',
];
const isOpen = (state: string): boolean => OPEN_STATES.some((open) => open === state);

/** What the outcome of a bundle says about the remediation it belongs to; `null`: nothing. */
const STATE_OF_OUTCOME: Record<Outcome, RemediationState | null> = {
  fail: 'detected',
  allow: 'applying',
  'needs-approval': 'waiting',
  deferred: 'deferred',
  committed: 'fixed', // verified by the change itself; the re-check follows
  pass: 'fixed',
  reverted: 'reverted',
  failed: 'failed',
  frozen: 'failed',
  deny: 'failed',
  rejected: 'failed',
  expired: 'failed',
  alert: 'alert',
  error: null,
  unknown: null,
  not_applicable: null,
  excepted: null,
  decoy: null,
};

export function stepsFromEvidence(uploads: readonly VerifiedUpload[]): RemediationStep[] {
  return uploads.flatMap((upload) => {
    const { remediationId, check, operation, ended, outcome } = upload.predicate;
    const state = STATE_OF_OUTCOME[outcome];
    if (remediationId === null || state === null) return [];
    return [{ remediationId, check: check ?? '', operation, state, at: ended, bundleId: upload.bundleId }];
  });
}

interface Current {
  remediation_id: string;
  host_id: string;
  check_name: string;
  operation: string | null;
  state: RemediationState;
  proven: boolean;
  opened_at: Date;
  updated_at: Date;
}

function advance(current: Current | undefined, hostId: string, step: RemediationStep): Current {
  const at = new Date(step.at);
  const proven = step.bundleId !== null;
  if (current === undefined)
    return {
      remediation_id: step.remediationId,
      host_id: hostId,
      check_name: step.check,
      operation: step.operation,
      state: step.state,
      proven,
      opened_at: at,
      updated_at: at,
    };
  const named = {
    ...current,
    check_name: current.check_name === '' ? step.check : current.check_name,
    operation: current.operation ?? step.operation,
    opened_at: at < current.opened_at ? at : current.opened_at,
  };
  const settled = current.proven && !isOpen(current.state);
  // A check that found the drift starts the story; told late, it does not undo what followed.
  if (at < current.updated_at || (settled && (!proven || step.state === 'applying'))) return named;
  // A re-check that still fails after a fix means the fix did not hold.
  const state = settled && current.state === 'fixed' && step.state === 'detected' ? 'failed' : step.state;
  return { ...named, state, proven, updated_at: at };
}

/** @returns ids of the remediations that were touched, sorted: rows are always locked in one order */
export async function recordSteps(
  tx: Transaction,
  orgId: string,
  hostId: string,
  steps: readonly RemediationStep[],
): Promise<string[]> {
  const ids = [...new Set(steps.map((step) => step.remediationId))].toSorted();
  if (ids.length === 0) return [];
  const rows = await tx.query<Current>(
    'SELECT * FROM remediations WHERE remediation_id = ANY ($1::uuid[]) ORDER BY remediation_id FOR UPDATE',
    [ids],
  );
  const known = new Map(rows.map((row) => [row.remediation_id, row]));
  const next = new Map<string, Current>();
  const accepted: RemediationStep[] = [];
  for (const step of steps.toSorted((a, b) => a.at.localeCompare(b.at))) {
    const current = next.get(step.remediationId) ?? known.get(step.remediationId);
    if (current !== undefined && current.host_id !== hostId) continue; // another host's: not this one's to tell
    next.set(step.remediationId, advance(current, hostId, step));
    accepted.push(step);
  }
  const list = ids.flatMap((id) => next.get(id) ?? []);
  await tx.query(
    `INSERT INTO remediations (org_id, remediation_id, host_id, check_name, operation, state, proven, opened_at, updated_at)
     SELECT $1, u.* FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[], $8::timestamptz[], $9::timestamptz[]) u
     ON CONFLICT (org_id, remediation_id) DO UPDATE SET check_name = excluded.check_name, operation = excluded.operation,
       state = excluded.state, proven = excluded.proven, opened_at = excluded.opened_at, updated_at = excluded.updated_at`,
    [
      orgId,
      list.map((row) => row.remediation_id),
      list.map((row) => row.host_id),
      list.map((row) => row.check_name),
      list.map((row) => row.operation),
      list.map((row) => row.state),
      list.map((row) => row.proven),
      list.map((row) => row.opened_at),
      list.map((row) => row.updated_at),
    ],
  );
  await tx.query(
    `INSERT INTO remediation_history (org_id, remediation_id, at, state, bundle_id)
     SELECT $1, u.* FROM unnest($2::uuid[], $3::timestamptz[], $4::text[], $5::uuid[]) u ON CONFLICT DO NOTHING`,
    [
      orgId,
      accepted.map((step) => step.remediationId),
      accepted.map((step) => step.at),
      accepted.map((step) => step.state),
      accepted.map((step) => step.bundleId),
    ],
  );
  return list.map((row) => row.remediation_id);
}
