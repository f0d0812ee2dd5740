/** Summary and what needs a person now (W-02). */
import { type Attention, AttentionSchema, page, type HostView, SummarySchema } from '@holdfast/api';
import { SEVERITIES } from '@holdfast/evidence';
import type { Transaction } from '@holdfast/store';
import type { z } from 'zod';
import type { ServerContext } from '../context.ts';
import { scoreOf } from '../host-view.ts';
import type { Router } from '../http/route.ts';
import { OPEN_STATES } from '../ingest/remediations.ts';
import { readHosts } from './read-hosts.ts';
import type { Operator } from './sessions.ts';

const MAX_HOSTS = 10_000;
const MAX_ATTENTION = 200;
/** P-33: a proof within five seconds; what waits longer is worth a look. */
const UNANCHORED_AFTER_MS = 30_000;
const DAY_MS = 86_400_000;

interface Counts {
  readonly total: number;
  readonly unanchored: number;
  readonly oldest_unanchored: Date | null;
  readonly last: Date | null;
  readonly open: number;
  readonly fixed: number;
  readonly reverted: number;
}
async function count(tx: Transaction, now: Date): Promise<Counts> {
  const [counts] = await tx.query<Counts>(
    `WITH anchored AS (SELECT coalesce(max(size), 0) AS size FROM checkpoints)
     SELECT s.size AS total, s.size - a.size AS unanchored,
       (SELECT received_at FROM evidence WHERE log_index = a.size) AS oldest_unanchored,
       (SELECT received_at FROM evidence WHERE log_index = s.size - 1) AS last,
       (SELECT count(*) FROM remediations WHERE state = ANY ($1::text[])) AS open,
       (SELECT count(*) FROM remediations WHERE state = 'fixed' AND updated_at > $2) AS fixed,
       (SELECT count(*) FROM remediations WHERE state = 'reverted' AND updated_at > $2) AS reverted
     FROM log_state s, anchored a`,
    [OPEN_STATES, new Date(now.getTime() - DAY_MS)],
  );
  if (counts === undefined) throw new TypeError('the org has no log');
  return counts;
}

type Summary = z.infer<typeof SummarySchema>;
function countHosts(hosts: readonly HostView[]): Summary['hosts'] {
  const of = (...states: HostView['state'][]): number => hosts.filter(({ state }) => states.includes(state)).length;
  return {
    total: hosts.length,
    good: of('good'),
    drift: of('drift', 'healing'),
    unknown: of('unknown', 'frozen'),
    silent: of('silent'),
  };
}

function attentionOfHost(host: HostView): Attention[] {
  const about = (
    kind: Attention['kind'],
    severity: Attention['severity'],
    title: string,
    nextStep: string,
    since: string,
  ): Attention => ({
    kind,
    severity,
    title,
    nextStep,
    hostId: host.hostId,
    check: null,
    bundleId: null,
    since,
  });
  const since = host.lastSeenAt ?? host.enrolledAt;
  if (host.state === 'silent')
    return [
      about(
        'silent-host',
        'high',
        `${host.name} is silent`,
        'Look whether the host and its agent run and reach the server.',
        since,
      ),
    ];
  if (host.state === 'frozen')
    return [
      about(
        'frozen-host',
        'critical',
        `${host.name} is frozen: a change could not be reverted`,
        'Repair the host by hand, then unfreeze its guard.',
        since,
      ),
    ];
  return host.checks.flatMap((check): Attention[] => {
    const { bundleId, at, severity } = check;
    if (check.status === 'fail' && !check.stale)
      return [
        {
          ...about(
            'drift',
            severity,
            `${check.check} drifted on ${host.name}`,
            'Open the host to see observed beside expected.',
            at,
          ),
          check: check.check,
          bundleId,
        },
      ];
    if (check.stale || check.status === 'unknown' || check.status === 'error')
      return [
        {
          ...about(
            'unknown',
            'medium',
            `${check.check} on ${host.name} is not known`,
            'Look why the check could not measure.',
            at,
          ),
          check: check.check,
          bundleId,
        },
      ];
    return [];
  });
}

const urgency = (severity: Attention['severity']): number => -SEVERITIES.indexOf(severity);

async function listAttention(tx: Transaction, hosts: readonly HostView[], now: Date): Promise<Attention[]> {
  const plain = { hostId: null, check: null, bundleId: null };
  const items = hosts.flatMap(attentionOfHost);
  if (hosts.length === 0)
    items.push({
      ...plain,
      kind: 'no-hosts',
      severity: 'info',
      title: 'No host is enrolled',
      nextStep: 'Make an enrolment token and run its command on a host.',
      since: now.toISOString(),
    });
  const { oldest_unanchored: oldest } = await count(tx, now);
  if (oldest !== null && now.getTime() - oldest.getTime() > UNANCHORED_AFTER_MS)
    items.push({
      ...plain,
      kind: 'unanchored',
      severity: 'high',
      title: 'Evidence waits for a checkpoint',
      nextStep: 'Look into the server’s log: it cannot sign the transparency log.',
      since: oldest.toISOString(),
    });
  const conflicts = await tx.query<{ hostId: string; bundleId: string; at: Date }>(
    'SELECT host_id AS "hostId", bundle_id AS "bundleId", at FROM conflicts ORDER BY at DESC LIMIT 20',
  );
  for (const { at, ...conflict } of conflicts)
    items.push({
      ...plain,
      ...conflict,
      kind: 'conflict',
      severity: 'critical',
      title: 'Other evidence arrived under an id that was taken',
      nextStep: 'Treat the host as suspect: compare both bundles.',
      since: at.toISOString(),
    });
  const [integrity] = await tx.query<{ verified_at: Date; problems: { bundleId: string | null; problem: string }[] }>(
    'SELECT verified_at, problems FROM integrity',
  );
  for (const { bundleId, problem } of integrity?.problems ?? [])
    items.push({
      ...plain,
      bundleId,
      kind: 'alert',
      severity: 'critical',
      title: `Stored evidence does not verify: ${problem}`,
      nextStep: 'Somebody or something changed the database: keep it as it is and restore from a backup.',
      since: integrity?.verified_at.toISOString() ?? now.toISOString(),
    });
  return items
    .toSorted((a, b) => urgency(a.severity) - urgency(b.severity) || a.since.localeCompare(b.since))
    .slice(0, MAX_ATTENTION);
}

export function addOverviewRoutes(router: Router<Operator>, context: ServerContext): void {
  const allHosts = (tx: Transaction): Promise<HostView[]> =>
    readHosts(tx, { limit: MAX_HOSTS }, context.clock.wallMs(), context.checkinIntervalMs);
  router
    .add({
      method: 'GET',
      path: '/summary',
      summary: 'The fleet in figures',
      response: SummarySchema,
      handle: ({ principal }) =>
        context.store.withOrg(principal.orgId, async (tx) => {
          const now = new Date(context.clock.wallMs());
          const hosts = await allHosts(tx);
          const counts = await count(tx, now);
          return {
            score: scoreOf(hosts.flatMap(({ checks }) => checks)),
            hosts: countHosts(hosts),
            evidence: {
              total: counts.total,
              unanchored: counts.unanchored,
              lastReceivedAt: counts.last?.toISOString() ?? null,
            },
            remediations: { open: counts.open, fixed24h: counts.fixed, reverted24h: counts.reverted },
            asOf: now.toISOString(),
          };
        }),
    })
    .add({
      method: 'GET',
      path: '/attention',
      summary: 'What needs a person now, most urgent first',
      response: page(AttentionSchema),
      handle: ({ principal }) =>
        context.store.withOrg(principal.orgId, async (tx) => ({
          items: await listAttention(tx, await allHosts(tx), new Date(context.clock.wallMs())),
          nextCursor: null,
        })),
    });
}
