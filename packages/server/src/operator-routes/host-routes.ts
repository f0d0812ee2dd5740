/** Hosts, their findings, timelines and remediations (W-03, W-04). */
import {
  type HostView,
  HostFindingSchema,
  HostSchema,
  page,
  type Remediation,
  RemediationSchema,
  type TimelineEntry,
  TimelineEntrySchema,
} from '@holdfast/api';
import type { Finding } from '@holdfast/evidence';
import type { Transaction } from '@holdfast/store';
import { z } from 'zod';
import { nowOf, type ServerContext } from '../context.ts';
import type { Router } from '../http/route.ts';
import { OPEN_STATES, readSteps } from '../ingest/remediations.ts';
import { tellStory } from '../ingest/remediation-story.ts';
import { notFound } from '../log/transparency-log.ts';
import { CursorSchema, cutPage, decodeCursor, LimitSchema } from './cursor.ts';
import { type HostQuery, readHosts, readStandings } from './read-hosts.ts';
import type { Operator } from './sessions.ts';

const HostParams = z.strictObject({ hostId: z.string().max(64) });
const HostListQuery = z.strictObject({
  q: z.string().max(253).optional(),
  state: HostSchema.shape.state.optional(),
  label: z.string().max(330).optional(),
  cursor: CursorSchema,
  limit: LimitSchema,
});

async function listHosts(
  context: ServerContext,
  tx: Transaction,
  query: z.infer<typeof HostListQuery>,
): Promise<{ items: HostView[]; nextCursor: string | null }> {
  const [nowMs, after, limit] = [context.clock.wallMs(), decodeCursor(query.cursor), query.limit + 1];
  const read = (part: Partial<HostQuery>): Promise<HostView[]> =>
    readHosts(tx, { ...part, limit }, nowMs, context.checkinIntervalMs);
  if (query.state === undefined) return cutHosts(await read({ ...query, after }), query.limit);
  // The state follows from more than one row: it is judged for all that match, then one page is read.
  const standings = await readStandings(tx, { ...query, after }, nowMs, context.checkinIntervalMs);
  const wanted = standings.filter(({ state }) => state === query.state).slice(0, limit);
  return cutHosts(await read({ hostIds: wanted.map(({ hostId }) => hostId) }), query.limit);
}
const cutHosts = (hosts: HostView[], limit: number): { items: HostView[]; nextCursor: string | null } =>
  cutPage(hosts, limit, ({ name, hostId }) => [name, hostId]);

interface RemediationRow {
  readonly remediationId: string;
  readonly hostId: string;
  readonly hostName: string;
  readonly check: string;
  readonly operation: string | null;
  readonly state: Remediation['state'];
  readonly opened_at: Date;
}
/** Paged by when it was opened, which is not part of what is shown. */
interface OpenedRemediation {
  readonly opened: string;
  readonly remediation: Remediation;
}

async function readRemediations(
  tx: Transaction,
  filter: {
    hostId?: string | undefined;
    remediationId?: string | undefined;
    open?: boolean | undefined;
    after?: readonly [string, string] | undefined;
    limit: number;
  },
): Promise<OpenedRemediation[]> {
  const rows = await tx.query<RemediationRow>(
    `SELECT r.remediation_id AS "remediationId", r.host_id AS "hostId", h.name AS "hostName", r.check_name AS check, r.operation, r.state, r.opened_at
     FROM remediations r JOIN hosts h USING (org_id, host_id)
     WHERE ($1::text IS NULL OR r.host_id = $1) AND ($2::uuid IS NULL OR r.remediation_id = $2)
       AND ($3::boolean IS NULL OR (r.state = ANY ($4::text[])) = $3)
       AND ($5::timestamptz IS NULL OR (r.opened_at, r.remediation_id) < ($5, $6::uuid))
     ORDER BY r.opened_at DESC, r.remediation_id DESC LIMIT $7`,
    [
      filter.hostId ?? null,
      filter.remediationId ?? null,
      filter.open ?? null,
      OPEN_STATES,
      filter.after?.[0] ?? null,
      filter.after?.[1] ?? null,
      filter.limit,
    ],
  );
  const ids = rows.map(({ remediationId }) => remediationId);
  const steps = Map.groupBy(await readSteps(tx, ids), (step) => step.remediation_id);
  return rows.map(({ opened_at, ...row }) => {
    const history = tellStory(steps.get(row.remediationId) ?? []).map(({ state, at, bundleId }) => ({
      state,
      at: at.toISOString(),
      bundleId,
    }));
    return { opened: opened_at.toISOString(), remediation: Object.assign(row, { history }) };
  });
}

type TimelineRow = Omit<TimelineEntry, 'at' | 'id'> & { readonly at: Date; readonly id: number };
const toEntry = (row: TimelineRow): TimelineEntry => ({ ...row, id: String(row.id), at: row.at.toISOString() });

export function addHostRoutes(router: Router<Operator>, context: ServerContext): void {
  router
    .add({
      method: 'GET',
      path: '/hosts',
      summary: 'Hosts by name',
      query: HostListQuery,
      response: page(HostSchema),
      handle: ({ principal, query }) => context.store.withOrg(principal.orgId, (tx) => listHosts(context, tx, query)),
    })
    .add({
      method: 'GET',
      path: '/hosts/:hostId',
      summary: 'One host',
      params: HostParams,
      response: HostSchema,
      handle: async ({ principal, params }) => {
        const nowMs = context.clock.wallMs();
        const [host] = await context.store.withOrg(principal.orgId, (tx) =>
          readHosts(tx, { hostIds: [params.hostId], limit: 1 }, nowMs, context.checkinIntervalMs),
        );
        if (host === undefined) throw notFound();
        return host;
      },
    })
    .add({
      method: 'DELETE',
      path: '/hosts/:hostId',
      summary: 'Remove a host: its certificate counts no longer, its evidence stays',
      params: HostParams,
      handle: async ({ principal, params }) => {
        const rows = await context.store.withOrg(principal.orgId, (tx) =>
          tx.query('UPDATE hosts SET deleted_at = $2 WHERE host_id = $1 AND deleted_at IS NULL RETURNING 1', [
            params.hostId,
            nowOf(context),
          ]),
        );
        if (rows.length === 0) throw notFound();
      },
    })
    .add({
      method: 'GET',
      path: '/hosts/:hostId/findings',
      summary: 'Newest findings of every check on a host',
      params: HostParams,
      response: page(HostFindingSchema),
      handle: async ({ principal, params }) => {
        const rows = await context.store.withOrg(principal.orgId, (tx) =>
          tx.query<{ check: string; at: Date; bundleId: string; findings: Finding[] }>(
            'SELECT check_name AS check, at, bundle_id AS "bundleId", findings FROM check_status WHERE host_id = $1 ORDER BY check_name',
            [params.hostId],
          ),
        );
        const items = rows.flatMap(({ check, at, bundleId, findings }) =>
          findings.map((finding) => ({ check, at: at.toISOString(), bundleId, finding })),
        );
        return { items, nextCursor: null };
      },
    })
    .add({
      method: 'GET',
      path: '/hosts/:hostId/timeline',
      summary: 'What happened to a host',
      params: HostParams,
      query: z.strictObject({ cursor: CursorSchema, limit: LimitSchema }),
      response: page(TimelineEntrySchema),
      handle: async ({ principal, params, query }) => {
        const after = decodeCursor(query.cursor);
        const rows = await context.store.withOrg(principal.orgId, (tx) =>
          tx.query<TimelineRow>(
            `SELECT entry_id AS id, at, kind, title, severity, bundle_id AS "bundleId", remediation_id AS "remediationId" FROM timeline
             WHERE host_id = $1 AND ($2::timestamptz IS NULL OR (at, entry_id) < ($2, $3::bigint)) ORDER BY at DESC, entry_id DESC LIMIT $4`,
            [params.hostId, after?.[0] ?? null, after?.[1] ?? null, query.limit + 1],
          ),
        );
        const entries = rows.map(toEntry);
        return cutPage(entries, query.limit, ({ at, id }) => [at, id]);
      },
    })
    .add({
      method: 'GET',
      path: '/remediations',
      summary: 'Remediations, newest first',
      query: z.strictObject({
        hostId: z.string().max(64).optional(),
        open: z.stringbool().optional(),
        cursor: CursorSchema,
        limit: LimitSchema,
      }),
      response: page(RemediationSchema),
      handle: async ({ principal, query }) => {
        const rows = await context.store.withOrg(principal.orgId, (tx) =>
          readRemediations(tx, { ...query, after: decodeCursor(query.cursor), limit: query.limit + 1 }),
        );
        const { items, nextCursor } = cutPage(rows, query.limit, ({ opened, remediation }) => [
          opened,
          remediation.remediationId,
        ]);
        return { items: items.map(({ remediation }) => remediation), nextCursor };
      },
    })
    .add({
      method: 'GET',
      path: '/remediations/:remediationId',
      summary: 'One remediation with its whole story',
      params: z.strictObject({ remediationId: z.uuid() }),
      response: RemediationSchema,
      handle: async ({ principal, params }) => {
        const [row] = await context.store.withOrg(principal.orgId, (tx) =>
          readRemediations(tx, { ...params, limit: 1 }),
        );
        if (row === undefined) throw notFound();
        return row.remediation;
      },
    });
}
