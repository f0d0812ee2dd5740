/** What hosts ask of the control plane once they are enrolled: check-in, evidence, orders, consistency. */
import {
  CheckinRequestSchema,
  CheckinResponseSchema,
  ConsistencyProofSchema,
  IngestRequestSchema,
  IngestResponseSchema,
  MAX_INGEST_BYTES,
  OrderResultRequestSchema,
} from '@holdfast/api';
import type { Transaction } from '@holdfast/store';
import { z } from 'zod';
import { nowOf, type ServerContext } from '../context.ts';
import type { Router } from '../http/route.ts';
import { ingestBundles } from '../ingest/ingest.ts';
import { recordSteps } from '../ingest/remediations.ts';
import { appendTimeline, type NewTimelineEntry } from '../ingest/timeline.ts';
import type { AuthenticatedHost } from '../ingest/verify-upload.ts';
import { appendEvents, type NewEvent } from '../live/events.ts';
import { notFound, proveConsistency, readCheckpoint } from '../log/transparency-log.ts';

/** An order is sent again until its result came; after this it is taken as never answered. */
const ORDER_GRACE_MS = 300_000;
/** The thin history of check-ins keeps one row per host and this long, and each turn of the status. */
const HISTORY_EVERY_MS = 300_000;

type Checkin = z.infer<typeof CheckinRequestSchema>;
interface Before {
  readonly silent_since: Date | null;
  readonly boot_id: string | null;
  readonly guard: string | null;
  readonly status: string | null;
  readonly audit_seq: number | null;
}

function describeCheckin(before: Before, checkin: Checkin, at: string): NewTimelineEntry[] {
  const entry = (
    kind: NewTimelineEntry['kind'],
    title: string,
    severity: NewTimelineEntry['severity'],
  ): NewTimelineEntry => ({
    at,
    kind,
    title,
    severity,
    bundleId: null,
    remediationId: null,
  });
  const entries: NewTimelineEntry[] = [];
  if (before.boot_id === null) entries.push(entry('check-in', 'first check-in', 'info'));
  else if (before.silent_since !== null) entries.push(entry('check-in', 'is heard again', 'info'));
  else if (before.boot_id !== checkin.bootId) entries.push(entry('check-in', 'restarted', 'info'));
  if (checkin.health.guard === 'frozen' && before.guard !== 'frozen')
    entries.push(entry('alert', 'the guard is frozen', 'critical'));
  // An audit log only grows: one that is shorter was cut, or this is a copy of the host (T-18).
  if (checkin.audit !== null && before.audit_seq !== null && checkin.audit.seq < before.audit_seq)
    entries.push(entry('alert', 'the audit log is shorter than it was', 'critical'));
  return entries;
}

async function recordCheckin(
  tx: Transaction,
  { orgId, hostId }: AuthenticatedHost,
  checkin: Checkin,
  now: Date,
): Promise<void> {
  const [before] = await tx.query<Before>(
    `SELECT silent_since, boot_id, health->>'guard' AS guard, health->>'status' AS status, audit_seq FROM hosts WHERE host_id = $1 FOR UPDATE`,
    [hostId],
  );
  if (before === undefined) throw notFound();
  await tx.query(
    `UPDATE hosts SET last_seen_at = $2, silent_since = NULL, boot_id = $3, agent_version = $4, health = $5, policy_hash = $6,
       baseline_hash = $7, audit_seq = coalesce($8, audit_seq), audit_head = coalesce($9, audit_head) WHERE host_id = $1`,
    [
      hostId,
      now,
      checkin.bootId,
      checkin.agentVersion,
      JSON.stringify(checkin.health),
      checkin.policyHash,
      checkin.baselineHash,
      checkin.audit?.seq ?? null,
      checkin.audit?.head ?? null,
    ],
  );
  await tx.query(
    `INSERT INTO checkins (org_id, host_id, at, boot_id, status)
     SELECT $1, $2, $3::timestamptz, $4, $5 WHERE NOT EXISTS (SELECT 1 FROM checkins WHERE host_id = $2 AND at > $6 AND status = $5)
     ON CONFLICT DO NOTHING`,
    [orgId, hostId, now, checkin.bootId, checkin.health.status, new Date(now.getTime() - HISTORY_EVERY_MS)],
  );
  const steps = checkin.progress.map((progress) => ({ ...progress, bundleId: null }));
  const remediations = await recordSteps(tx, orgId, hostId, steps);
  const entries = describeCheckin(before, checkin, now.toISOString());
  await appendTimeline(tx, orgId, hostId, entries);
  const turned = entries.length > 0 || before.status !== checkin.health.status || before.guard !== checkin.health.guard;
  const events: NewEvent[] = remediations.map((id) => ({ kind: 'remediation', hostId, id }));
  if (turned || remediations.length > 0) events.push({ kind: 'host', hostId, id: hostId });
  await appendEvents(tx, orgId, events, now);
}

async function takeOrders(tx: Transaction, hostId: string, now: Date): Promise<string[]> {
  const rows = await tx.query<{ envelope: string }>(
    `UPDATE orders SET state = CASE WHEN state = 'queued' THEN 'sent' ELSE state END,
       updated_at = CASE WHEN state = 'queued' THEN $2 ELSE updated_at END
     WHERE host_id = $1 AND state IN ('queued', 'sent', 'accepted', 'running') AND expires_at > $3 RETURNING envelope, created_at`,
    [hostId, now, new Date(now.getTime() - ORDER_GRACE_MS)],
  );
  return rows.map(({ envelope }) => envelope);
}

export function addAgentRoutes(router: Router<AuthenticatedHost>, context: ServerContext): void {
  router
    .add({
      method: 'POST',
      path: '/agent/checkin',
      summary: 'Tell how the host is; get orders and the newest checkpoint',
      body: CheckinRequestSchema,
      response: CheckinResponseSchema,
      bodyLimit: 256 * 1024,
      handle: async ({ principal, body }) => {
        const now = nowOf(context);
        return context.store.withOrg(principal.orgId, async (tx) => {
          await recordCheckin(tx, principal, body, now);
          const orders = await takeOrders(tx, principal.hostId, now);
          const checkpoint = await readCheckpoint(tx);
          return { serverTime: now.toISOString(), orders, checkpoint: checkpoint?.note ?? null };
        });
      },
    })
    .add({
      method: 'POST',
      path: '/agent/evidence',
      summary: 'Hand in sealed evidence',
      body: IngestRequestSchema,
      response: IngestResponseSchema,
      bodyLimit: MAX_INGEST_BYTES,
      handle: async ({ principal, body }) => {
        const deps = { store: context.store, logSigner: context.keys.log, logOrigin: context.logOrigin };
        const results = await ingestBundles(deps, principal, body.bundles, context.clock.wallMs());
        if (results.some(({ status }) => status === 'accepted')) context.logGrew(principal.orgId);
        return { results };
      },
    })
    .add({
      method: 'POST',
      path: '/agent/orders/:orderId/result',
      summary: 'Report how an order ended',
      params: z.strictObject({ orderId: z.string().max(64) }),
      body: OrderResultRequestSchema,
      handle: async ({ principal: { orgId, hostId }, params, body }) => {
        const now = nowOf(context);
        await context.store.withOrg(orgId, async (tx) => {
          const rows = await tx.query(
            `UPDATE orders SET state = $3, code = $4, bundle_id = coalesce($5::uuid, bundle_id), updated_at = $6
             WHERE order_id = $1 AND host_id = $2 RETURNING 1`,
            [params.orderId, hostId, body.outcome, body.code, body.bundleId, now],
          );
          if (rows.length === 0) throw notFound();
          await appendEvents(tx, orgId, [{ kind: 'order', hostId, id: params.orderId }], now);
        });
      },
    })
    .add({
      method: 'GET',
      path: '/agent/log/consistency',
      summary: 'Proof that the log of one checkpoint begins with that of another',
      query: z.strictObject({ from: z.coerce.number().int().min(0), to: z.coerce.number().int().min(0) }),
      response: ConsistencyProofSchema,
      handle: ({ principal, query }) =>
        context.store.withOrg(principal.orgId, (tx) => proveConsistency(tx, query.from, query.to)),
    });
}
