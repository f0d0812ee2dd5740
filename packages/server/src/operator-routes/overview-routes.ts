/** Summary and what needs a person now (W-02). */
import { AttentionSchema, page, type HostView, SummarySchema } from '@holdfast/api';
import type { Transaction } from '@holdfast/store';
import type { z } from 'zod';
import type { ServerContext } from '../context.ts';
import { scoreOf, type Tally } from '../host-view.ts';
import { gateAttention } from '../gates/describe-gate.ts';
import { assessGate, listGates, type OpenedBundles } from '../gates/published-gates.ts';
import type { Router } from '../http/route.ts';
import { OPEN_STATES } from '../ingest/remediations.ts';
import { listAttention } from './attention.ts';
import { type HostStanding, readHosts, readStandings } from './read-hosts.ts';
import type { Operator } from './sessions.ts';

/** Far more than anyone reads in a list of what needs attention. */
const MAX_TROUBLED = 1_000;
const DAY_MS = 86_400_000;

interface Counts {
  readonly total: number;
  readonly unanchored: number;
  readonly last: Date | null;
  readonly open: number;
  readonly fixed: number;
  readonly reverted: number;
}
async function count(tx: Transaction, now: Date): Promise<Counts> {
  const [counts] = await tx.query<Counts>(
    `WITH anchored AS (SELECT coalesce(max(size), 0) AS size FROM checkpoints)
     SELECT s.size AS total, s.size - a.size AS unanchored,
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
function countHosts(hosts: readonly HostStanding[]): Summary['hosts'] {
  const of = (...states: HostStanding['state'][]): number => hosts.filter(({ state }) => states.includes(state)).length;
  return {
    total: hosts.length,
    good: of('good'),
    drift: of('drift', 'healing'),
    unknown: of('unknown', 'frozen'),
    silent: of('silent'),
  };
}

const sum = (hosts: readonly HostStanding[], name: keyof Tally): number =>
  hosts.reduce((total, { tally }) => total + tally[name], 0);
const sumTallies = (hosts: readonly HostStanding[]): Tally => ({
  applicable: sum(hosts, 'applicable'),
  measured: sum(hosts, 'measured'),
  good: sum(hosts, 'good'),
  failing: sum(hosts, 'failing'),
});

export function addOverviewRoutes(router: Router<Operator>, context: ServerContext, opened: OpenedBundles): void {
  const everyHost = (tx: Transaction): Promise<HostStanding[]> =>
    readStandings(tx, {}, context.clock.wallMs(), context.checkinIntervalMs);
  /** Those that may need a person, with their statuses. */
  const troubled = async (tx: Transaction, hosts: readonly HostStanding[]): Promise<HostView[]> => {
    const hostIds = hosts.filter(({ state }) => state !== 'good').map(({ hostId }) => hostId);
    const page = { hostIds: hostIds.slice(0, MAX_TROUBLED), limit: MAX_TROUBLED };
    return readHosts(tx, page, context.clock.wallMs(), context.checkinIntervalMs);
  };
  router
    .add({
      method: 'GET',
      path: '/summary',
      summary: 'The fleet in figures',
      response: SummarySchema,
      handle: ({ principal }) =>
        context.store.withOrg(principal.orgId, async (tx) => {
          const now = new Date(context.clock.wallMs());
          const hosts = await everyHost(tx);
          const counts = await count(tx, now);
          return {
            score: scoreOf(sumTallies(hosts)),
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
        context.store.withOrg(principal.orgId, async (tx) => {
          const hosts = await everyHost(tx);
          const now = new Date(context.clock.wallMs());
          const published = await listGates(tx, opened);
          const gates = published.flatMap((gate) => gateAttention(gate, assessGate(gate, now.getTime())));
          const items = await listAttention(tx, hosts, await troubled(tx, hosts), gates, now);
          return { items, nextCursor: null };
        }),
    });
}
