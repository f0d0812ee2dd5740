/**
 * Evidence ingest (T-20, P-33, P-36): verify, then one transaction for the whole batch in which the
 * rows, the log, the statuses and the live events appear together or not at all. A promise is given
 * only after the commit.
 */
import type { IngestResult } from '@holdfast/api';
import type { Signer } from '@holdfast/crypto';
import type { Store, Transaction } from '@holdfast/store';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { appendEvents, type NewEvent } from '../live/events.ts';
import { appendLeaves, lockLog } from '../log/append.ts';
import { recordStatuses } from './check-status.ts';
import { recordSteps, stepsFromEvidence } from './remediations.ts';
import { appendTimeline, type NewTimelineEntry } from './timeline.ts';
import {
  type AuthenticatedHost,
  DERIVED_COLUMNS,
  refusalCode,
  type VerifiedUpload,
  verifyUpload,
} from './verify-upload.ts';

export interface IngestDeps {
  readonly store: Store;
  readonly logSigner: Signer;
  readonly logOrigin: (orgId: string) => string;
}
export interface Upload {
  readonly bundleId: string;
  /** base64 */
  readonly envelope: string;
}

/** Verifications in a row before other requests get their turn. */
const VERIFY_BATCH = 16;

/** What the log key signs as inclusion promise (P-33). */
export const promiseText = (origin: string, index: number, leafHash: string): string =>
  `holdfast-promise-v1\n${origin}\n${index}\n${leafHash}`;

type Settled = { status: 'accepted' | 'duplicate'; index: number } | { status: 'conflict' };

const rejected = (bundleId: string, status: 'rejected' | 'conflict', code: string): IngestResult => ({
  bundleId,
  status,
  code,
  index: null,
  leafHash: null,
  promise: null,
});

async function insertRows(
  tx: Transaction,
  orgId: string,
  uploads: readonly VerifiedUpload[],
  firstIndex: number,
  now: Date,
): Promise<void> {
  const names = Object.keys(DERIVED_COLUMNS);
  const types = names.map((name) =>
    name === 'started' || name === 'ended'
      ? 'timestamptz'
      : name === 'simulated'
        ? 'boolean'
        : name === 'remediation_id'
          ? 'uuid'
          : 'text',
  );
  const unnested = ['uuid', 'boolean', 'bytea', ...types].map((type, index) => `$${index + 4}::${type}[]`).join(', ');
  await tx.query(
    `INSERT INTO evidence (org_id, received_at, log_index, bundle_id, late, envelope, ${names.join(', ')})
     SELECT $1, $2, $3::bigint + u.n - 1, u.b, u.l, u.e, ${names.map((name) => `u.${name}`).join(', ')}
     FROM unnest(${unnested}) WITH ORDINALITY AS u(b, l, e, ${names.join(', ')}, n)`,
    [
      orgId,
      now,
      firstIndex,
      uploads.map(({ bundleId }) => bundleId),
      uploads.map(({ late }) => late),
      uploads.map(({ bytes }) => bytes),
      ...Object.values(DERIVED_COLUMNS).map((derive) => uploads.map(derive)),
    ],
  );
}

function describeUpload({ kind, predicate, bundleId }: VerifiedUpload): NewTimelineEntry[] {
  if (kind === 'check') return []; // its turns are in the timeline, not each look
  const { ended: at, severity, remediationId, operation, outcome } = predicate;
  return [{ at, kind, title: `${operation ?? 'unknown operation'}: ${outcome}`, severity, bundleId, remediationId }];
}

const ORDER_STATES: Partial<Record<string, string>> = {
  committed: 'done',
  done: 'done',
  failed: 'failed',
  frozen: 'failed',
  reverted: 'reverted',
  deferred: 'deferred',
  rejected: 'rejected',
  deny: 'rejected',
  expired: 'expired',
};

async function settleOrders(
  tx: Transaction,
  hostId: string,
  uploads: readonly VerifiedUpload[],
  now: Date,
): Promise<string[]> {
  const settled: string[] = [];
  for (const { predicate, bundleId } of uploads) {
    const state = ORDER_STATES[predicate.outcome];
    if (predicate.orderId === null || state === undefined) continue;
    const rows = await tx.query<{ order_id: string }>(
      `UPDATE orders SET state = $3, bundle_id = $4, updated_at = $5 WHERE order_id = $1 AND host_id = $2 RETURNING order_id`,
      [predicate.orderId, hostId, state, bundleId, now],
    );
    settled.push(...rows.map((row) => row.order_id));
  }
  return settled;
}

/** The first time it is seen, a conflict is an alert; seen again, it is the same one. */
async function recordConflicts(
  tx: Transaction,
  host: AuthenticatedHost,
  conflicts: readonly VerifiedUpload[],
  now: Date,
): Promise<void> {
  if (conflicts.length === 0) return;
  const fresh = await tx.query<{ bundle_id: string }>(
    `INSERT INTO conflicts (org_id, bundle_id, host_id, digest, at) SELECT $1, b, $2, d, $3 FROM unnest($4::uuid[], $5::text[]) u(b, d)
     ON CONFLICT DO NOTHING RETURNING bundle_id`,
    [host.orgId, host.hostId, now, conflicts.map(({ bundleId }) => bundleId), conflicts.map(({ digest }) => digest)],
  );
  await appendTimeline(
    tx,
    host.orgId,
    host.hostId,
    fresh.map(({ bundle_id }) => ({
      at: now.toISOString(),
      kind: 'alert',
      title: 'other evidence arrived under an id that was taken',
      severity: 'critical',
      bundleId: bundle_id,
      remediationId: null,
    })),
  );
}

async function store(
  tx: Transaction,
  host: AuthenticatedHost,
  uploads: readonly VerifiedUpload[],
  now: Date,
): Promise<Settled[]> {
  const { orgId, hostId } = host;
  const log = await lockLog(tx); // P-33: one writer at a time, so what is new stays new until the commit
  const rows = await tx.query<{ id: string; digest: string; index: number }>(
    'SELECT bundle_id AS id, digest, log_index AS index FROM evidence WHERE bundle_id = ANY ($1::uuid[])',
    [uploads.map(({ bundleId }) => bundleId)],
  );
  const known = new Map(rows.map((row) => [row.id, row]));
  const fresh: VerifiedUpload[] = [];
  const conflicts: VerifiedUpload[] = [];
  const settled = uploads.map((upload): Settled => {
    const before = known.get(upload.bundleId);
    if (before === undefined) {
      const index = log.size + fresh.length;
      known.set(upload.bundleId, { id: upload.bundleId, digest: upload.digest, index });
      fresh.push(upload);
      return { status: 'accepted', index };
    }
    if (before.digest === upload.digest) return { status: 'duplicate', index: before.index };
    conflicts.push(upload);
    return { status: 'conflict' };
  });
  const events: NewEvent[] = [];
  if (fresh.length > 0) {
    const first = await appendLeaves(
      tx,
      orgId,
      log,
      fresh.map(({ bundleId, leafHash }) => ({ bundleId, hash: leafHash })),
    );
    await insertRows(tx, orgId, fresh, first, now);
    const turns = await recordStatuses(tx, orgId, hostId, fresh);
    const remediations = await recordSteps(tx, orgId, hostId, stepsFromEvidence(fresh));
    const orders = await settleOrders(tx, hostId, fresh, now);
    await appendTimeline(
      tx,
      orgId,
      hostId,
      [...turns, ...fresh.flatMap(describeUpload)].toSorted((a, b) => a.at.localeCompare(b.at)),
    );
    events.push(
      { kind: 'evidence', hostId, id: fresh.at(-1)?.bundleId ?? null },
      ...remediations.map((id): NewEvent => ({ kind: 'remediation', hostId, id })),
      ...orders.map((id): NewEvent => ({ kind: 'order', hostId, id })),
    );
  }
  await recordConflicts(tx, host, conflicts, now);
  if (fresh.length > 0 || conflicts.length > 0) events.push({ kind: 'host', hostId, id: hostId });
  await appendEvents(tx, orgId, events, now);
  return settled;
}

/** @returns one result per bundle, in their order. @throws `ERR_STORE_UNAVAILABLE`: nothing was acknowledged */
export async function ingestBundles(
  deps: IngestDeps,
  host: AuthenticatedHost,
  bundles: readonly Upload[],
  nowMs: number,
): Promise<IngestResult[]> {
  const results: IngestResult[] = [];
  const verified: { at: number; upload: VerifiedUpload }[] = [];
  for (const [at, { bundleId, envelope }] of bundles.entries()) {
    if (at % VERIFY_BATCH === VERIFY_BATCH - 1) await nextTurn();
    try {
      verified.push({ at, upload: verifyUpload(host, bundleId, Buffer.from(envelope, 'base64'), nowMs) });
    } catch (error) {
      results[at] = rejected(bundleId, 'rejected', refusalCode(error));
    }
  }
  if (verified.length === 0) return results;
  const uploads = verified.map(({ upload }) => upload);
  const settled = await deps.store.withOrg(host.orgId, (tx) => store(tx, host, uploads, new Date(nowMs)));
  const origin = deps.logOrigin(host.orgId);
  for (const [position, { at, upload }] of verified.entries()) {
    const outcome = settled[position];
    if (outcome === undefined || outcome.status === 'conflict') {
      results[at] = rejected(upload.bundleId, 'conflict', 'ERR_INGEST_CONFLICT');
      continue;
    }
    const leafHash = Buffer.from(upload.leafHash).toString('hex');
    const promise = deps.logSigner.sign(Buffer.from(promiseText(origin, outcome.index, leafHash)));
    results[at] = {
      bundleId: upload.bundleId,
      status: outcome.status,
      code: null,
      index: outcome.index,
      leafHash,
      promise: Buffer.from(promise).toString('base64'),
    };
  }
  return results;
}
