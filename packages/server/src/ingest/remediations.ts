/**
 * Remediations as the console shows them (W-04). Evidence and live progress are kept as they were
 * heard; what became of the remediation is the last state of the story they tell together.
 */
import type { Outcome } from '@holdfast/evidence';
import type { Transaction } from '@holdfast/store';
import { type RemediationState, type StoryStep, tellStory } from './remediation-story.ts';
import type { VerifiedUpload } from './verify-upload.ts';

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

/** What the outcome of a bundle says about the remediation it belongs to; `null`: nothing. */
const STATE_OF_OUTCOME: Record<Outcome, RemediationState | null> = {
  fail: 'detected',
  allow: 'applying',
  'needs-approval': 'waiting',
  deferred: 'deferred',
  committed: 'verifying', // C-19: fixed is only what a look after the change proves
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
  done: null, // of a command: no check asked for it
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
  readonly remediation_id: string;
  readonly host_id: string;
  readonly check_name: string;
  readonly operation: string | null;
  readonly state: RemediationState;
  readonly proven: boolean;
  readonly opened_at: Date;
  readonly updated_at: Date;
}
interface StoredStep extends StoryStep {
  readonly remediation_id: string;
}

const toStored = ({ remediationId, state, at, bundleId }: RemediationStep): StoredStep => ({
  remediation_id: remediationId,
  state,
  at: new Date(at),
  bundleId,
});

/**
 * The steps that tell something new, in order. A drift that waits for a person is seen again by every
 * look at it; all that evidence is kept as evidence, and not once more here.
 */
function selectNews(known: readonly StoredStep[], fresh: readonly StoredStep[]): StoredStep[] {
  const kept: StoredStep[] = [...known];
  const news: StoredStep[] = [];
  for (const step of fresh.toSorted((a, b) => a.at.getTime() - b.at.getTime())) {
    const [before, after] = [tellStory(kept), tellStory([...kept, step])];
    if (JSON.stringify(before) === JSON.stringify(after)) continue;
    kept.push(step);
    news.push(step);
  }
  return news;
}

function summarise(
  current: Current | undefined,
  hostId: string,
  steps: readonly RemediationStep[],
  story: readonly StoryStep[],
): Current[] {
  const [named] = steps;
  const [first, last] = [story.at(0), story.at(-1)];
  if (named === undefined || first === undefined || last === undefined) return [];
  const knownCheck = current?.check_name ?? '';
  return [
    {
      remediation_id: named.remediationId,
      host_id: hostId,
      // The evidence of a change names the operation, that of a check the check.
      check_name: knownCheck === '' ? (steps.find(({ check }) => check !== '')?.check ?? '') : knownCheck,
      operation: current?.operation ?? steps.find(({ operation }) => operation !== null)?.operation ?? null,
      state: last.state,
      proven: last.bundleId !== null,
      opened_at: first.at,
      updated_at: last.at,
    },
  ];
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
  const told = Map.groupBy(await readSteps(tx, ids), (step) => step.remediation_id);
  const heard = Map.groupBy(steps, (step) => step.remediationId);
  const news: StoredStep[] = [];
  const list = ids.flatMap((id): Current[] => {
    const current = known.get(id);
    if (current !== undefined && current.host_id !== hostId) return []; // another host's: not this one's to tell
    const [before, own] = [told.get(id) ?? [], heard.get(id) ?? []];
    const added = selectNews(before, own.map(toStored));
    if (added.length === 0) return [];
    news.push(...added);
    return summarise(current, hostId, own, tellStory([...before, ...added]));
  });
  if (list.length === 0) return [];
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
      news.map((step) => step.remediation_id),
      news.map((step) => step.at),
      news.map((step) => step.state),
      news.map((step) => step.bundleId),
    ],
  );
  return list.map((row) => row.remediation_id);
}

/** Everything that was heard of these remediations, as it was kept. */
export function readSteps(tx: Transaction, remediationIds: readonly string[]): Promise<StoredStep[]> {
  return tx.query<StoredStep>(
    'SELECT remediation_id, state, at, bundle_id AS "bundleId" FROM remediation_history WHERE remediation_id = ANY ($1::uuid[])',
    [remediationIds],
  );
}
