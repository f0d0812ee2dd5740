/**
 * What a server does unasked: checkpoints soon after a log grew (P-33), silent hosts, overdue orders,
 * gates whose standing changed, old events and credentials, and the integrity walk (P-35). Each job is idempotent, so that several
 * servers may do it at once, and one that failed is simply done again.
 */
import type { Store } from '@holdfast/store';
import type { Logger } from 'pino';
import { setTimeout as delay } from 'node:timers/promises';
import { nowOf, type ServerContext } from './context.ts';
import type { OpenedBundles } from './gates/published-gates.ts';
import { sweepGates } from './gates/sweep-gates.ts';
import { SILENT_AFTER_INTERVALS } from './host-view.ts';
import { type IntegrityDeps, verifyStoredEvidence } from './integrity-walk.ts';
import { appendEvents } from './live/events.ts';
import { pruneEvents } from './live/events.ts';
import { publishCheckpoint } from './log/transparency-log.ts';

const CHECKPOINT_EVERY_MS = 1_000;
const SWEEP_EVERY_MS = 5_000;
const PRUNE_EVERY_MS = 60_000;
/** P-35. */
const WALK_EVERY_MS = 3_600_000;
/** After its end an order that was sent may still be reported for this long. */
const ORDER_GRACE_S = 300;

export const listOrgs = async (store: Store): Promise<string[]> =>
  (await store.withoutOrg((tx) => tx.query<{ id: string }>('SELECT id FROM orgs ORDER BY id'))).map(({ id }) => id);

/** Signs the org's log if it grew. */
export async function checkpointOrg(context: ServerContext, orgId: string): Promise<void> {
  await context.store.withOrg(orgId, async (tx) => {
    const now = nowOf(context);
    const signed = await publishCheckpoint(tx, orgId, context.logOrigin(orgId), context.keys.log, now);
    if (signed) await appendEvents(tx, orgId, [{ kind: 'checkpoint', hostId: null, id: null }], now);
  });
}

/** Notices hosts that fell silent, once each, and orders nobody answered. */
export async function sweepOrg(context: ServerContext, orgId: string): Promise<void> {
  await context.store.withOrg(orgId, async (tx) => {
    const now = nowOf(context);
    const since = new Date(now.getTime() - SILENT_AFTER_INTERVALS * context.checkinIntervalMs);
    const silent = await tx.query<{ host_id: string }>(
      `WITH silent AS (
         UPDATE hosts SET silent_since = $1 WHERE deleted_at IS NULL AND silent_since IS NULL AND coalesce(last_seen_at, enrolled_at) < $2 RETURNING host_id
       ), told AS (
         INSERT INTO timeline (org_id, at, host_id, kind, title, severity) SELECT $3, $1, host_id, 'silent', 'is silent', 'high' FROM silent
       ) SELECT host_id FROM silent`,
      [now, since, orgId],
    );
    const orders = await tx.query<{ order_id: string; host_id: string }>(
      `UPDATE orders SET state = 'expired', updated_at = $1 WHERE (state = 'queued' AND expires_at < $1)
         OR (state IN ('sent', 'accepted', 'running') AND expires_at < $1::timestamptz - make_interval(secs => $2)) RETURNING order_id, host_id`,
      [now, ORDER_GRACE_S],
    );
    await appendEvents(
      tx,
      orgId,
      [
        ...silent.map(({ host_id }) => ({ kind: 'host' as const, hostId: host_id, id: host_id })),
        ...orders.map(({ order_id, host_id }) => ({ kind: 'order' as const, hostId: host_id, id: order_id })),
      ],
      now,
    );
  });
}

async function pruneOrg(context: ServerContext, orgId: string): Promise<void> {
  await context.store.withOrg(orgId, async (tx) => {
    await pruneEvents(tx);
    await tx.query("DELETE FROM credentials WHERE kind IN ('session', 'login-code') AND expires_at < $1", [
      nowOf(context),
    ]);
  });
}

async function walkOrg(context: ServerContext, deps: IntegrityDeps, orgId: string, logger: Logger): Promise<void> {
  const { checked, problems } = await verifyStoredEvidence(deps, orgId);
  if (problems.length > 0) logger.error({ orgId, problems: problems.length }, 'stored evidence does not verify');
  await context.store.withOrg(orgId, (tx) =>
    tx.query(
      `INSERT INTO integrity (org_id, verified_at, checked, problems) VALUES ($1, $2, $3, $4)
       ON CONFLICT (org_id) DO UPDATE SET verified_at = excluded.verified_at, checked = excluded.checked, problems = excluded.problems`,
      [orgId, nowOf(context), checked, JSON.stringify(problems)],
    ),
  );
}

export interface BackgroundDeps {
  readonly integrity: IntegrityDeps;
  readonly opened: OpenedBundles;
  readonly gateSweepIntervalMs: number;
}

/** Runs until `signal` aborts; resolves when the last job has ended. */
export async function runBackground(
  context: ServerContext,
  { integrity, opened, gateSweepIntervalMs }: BackgroundDeps,
  logger: Logger,
  signal: AbortSignal,
): Promise<void> {
  const every = async (periodMs: number, name: string, job: (orgId: string) => Promise<void>): Promise<void> => {
    while (!signal.aborted) {
      try {
        for (const orgId of await listOrgs(context.store)) if (!signal.aborted) await job(orgId);
      } catch (error) {
        if (!signal.aborted) logger.warn({ err: error, job: name }, 'a background job failed and will be tried again');
      }
      await delay(periodMs, undefined, { signal }).catch(() => undefined); // aborted: the loop ends
    }
  };
  await Promise.all([
    every(CHECKPOINT_EVERY_MS, 'checkpoint', (orgId) => checkpointOrg(context, orgId)),
    every(SWEEP_EVERY_MS, 'sweep', (orgId) => sweepOrg(context, orgId)),
    every(gateSweepIntervalMs, 'gates', (orgId) => sweepGates(context, opened, orgId, logger)),
    every(PRUNE_EVERY_MS, 'prune', (orgId) => pruneOrg(context, orgId)),
    every(WALK_EVERY_MS, 'walk', (orgId) => walkOrg(context, integrity, orgId, logger)),
  ]);
}
