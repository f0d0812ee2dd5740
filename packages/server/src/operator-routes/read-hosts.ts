/** Reads hosts with their newest statuses as the API shows them, and how all of them stand without the detail. */
import type { HostView } from '@holdfast/api';
import type { Transaction } from '@holdfast/store';
import {
  type CheckStatus,
  scoreOf,
  STALE_AFTER_MS,
  stateOfHost,
  type Tally,
  TALLY_SQL,
  tallyOf,
} from '../host-view.ts';

interface HostRow {
  readonly host_id: string;
  readonly site_id: string;
  readonly name: string;
  readonly simulated: boolean;
  readonly platform: HostView['platform'];
  readonly labels: HostView['labels'];
  readonly enrolled_at: Date;
  readonly last_seen_at: Date | null;
  readonly health: HostView['health'];
  readonly healing: boolean;
  readonly public_key: Uint8Array;
}
interface StatusRow {
  readonly host_id: string;
  readonly check: string;
  readonly status: CheckStatus['status'];
  readonly severity: CheckStatus['severity'];
  readonly at: Date;
  readonly since: Date;
  readonly bundleId: string;
}
export interface HostQuery {
  readonly hostIds?: readonly string[] | undefined;
  readonly q?: string | undefined;
  /** `key=value` */
  readonly label?: string | undefined;
  readonly after?: readonly [name: string, hostId: string] | undefined;
  readonly limit: number;
}

/** A healing nobody hears of any more is not one. */
const HEALING_MS = 600_000;

const likePattern = (text: string): string => `%${text.replace(/[\\%_]/g, String.raw`\$&`)}%`;

export async function readHosts(
  tx: Transaction,
  query: HostQuery,
  nowMs: number,
  checkinIntervalMs: number,
): Promise<HostView[]> {
  const [labelKey, labelValue] = query.label === undefined ? [] : query.label.split('=', 2);
  const rows = await tx.query<HostRow>(
    // The page is cut before anything is looked up for its hosts.
    `WITH h AS MATERIALIZED (
       SELECT * FROM hosts
       WHERE deleted_at IS NULL AND ($1::text[] IS NULL OR host_id = ANY ($1)) AND ($2::text IS NULL OR name ILIKE $2)
         AND ($3::text IS NULL OR labels->>$3 = coalesce($4, labels->>$3))
         AND ($5::text IS NULL OR (name, host_id) > ($5, $6))
       ORDER BY name, host_id LIMIT $7)
     SELECT h.*, k.public_key, EXISTS (
       SELECT 1 FROM remediations r WHERE r.org_id = h.org_id AND r.host_id = h.host_id
         AND r.state IN ('applying', 'verifying', 'confirming') AND r.updated_at > $8) AS healing
     FROM h JOIN LATERAL (SELECT public_key FROM host_keys k WHERE k.host_id = h.host_id AND k.org_id = h.org_id ORDER BY valid_from DESC LIMIT 1) k ON true
     ORDER BY h.name, h.host_id`,
    [
      query.hostIds ?? null,
      query.q === undefined ? null : likePattern(query.q),
      labelKey ?? null,
      labelValue ?? null,
      query.after?.[0] ?? null,
      query.after?.[1] ?? null,
      query.limit,
      new Date(nowMs - HEALING_MS),
    ],
  );
  const statuses = await tx.query<StatusRow>(
    `SELECT host_id, check_name AS check, status, severity, at, since, bundle_id AS "bundleId" FROM check_status
     WHERE host_id = ANY ($1::text[]) ORDER BY check_name`,
    [rows.map((row) => row.host_id)],
  );
  const byHost = Map.groupBy(statuses, (status) => status.host_id);
  return rows.map((row) => {
    const checks = (byHost.get(row.host_id) ?? []).map(
      ({ check, status, severity, at, since, bundleId }): CheckStatus => ({
        check,
        status,
        severity,
        bundleId,
        at: at.toISOString(),
        since: since.toISOString(),
        stale: nowMs - at.getTime() > STALE_AFTER_MS,
      }),
    );
    const tally = tallyOf(checks);
    return {
      hostId: row.host_id,
      siteId: row.site_id,
      name: row.name,
      simulated: row.simulated,
      platform: row.platform,
      labels: row.labels,
      enrolledAt: row.enrolled_at.toISOString(),
      lastSeenAt: row.last_seen_at?.toISOString() ?? null,
      state: stateOfHost({
        nowMs,
        lastSeenMs: row.last_seen_at?.getTime() ?? null,
        enrolledMs: row.enrolled_at.getTime(),
        checkinIntervalMs,
        frozen: row.health?.guard === 'frozen',
        healing: row.healing,
        tally,
      }),
      health: row.health,
      checks,
      score: scoreOf(tally),
      publicKey: Buffer.from(row.public_key).toString('base64'),
    };
  });
}

/** How one host stands. */
export interface HostStanding {
  readonly hostId: string;
  readonly name: string;
  readonly state: HostView['state'];
  readonly tally: Tally;
}
interface StandingRow extends Tally {
  readonly host_id: string;
  readonly name: string;
  readonly enrolled_at: Date;
  readonly last_seen_at: Date | null;
  readonly frozen: boolean;
  readonly healing: boolean;
}

/** Every host that matches, by name: light enough to be asked for a whole fleet. */
export async function readStandings(
  tx: Transaction,
  query: Pick<HostQuery, 'q' | 'label' | 'after'>,
  nowMs: number,
  checkinIntervalMs: number,
): Promise<HostStanding[]> {
  const [labelKey, labelValue] = query.label === undefined ? [] : query.label.split('=', 2);
  const rows = await tx.query<StandingRow>(
    `WITH tallies AS (SELECT host_id, ${TALLY_SQL} FROM check_status GROUP BY host_id),
       healing AS (SELECT DISTINCT host_id FROM remediations WHERE state IN ('applying', 'verifying', 'confirming') AND updated_at > $2)
     SELECT h.host_id, h.name, h.enrolled_at, h.last_seen_at, h.health->>'guard' IS NOT DISTINCT FROM 'frozen' AS frozen,
       r.host_id IS NOT NULL AS healing, coalesce(t.applicable, 0) AS applicable, coalesce(t.measured, 0) AS measured,
       coalesce(t.good, 0) AS good, coalesce(t.failing, 0) AS failing
     FROM hosts h LEFT JOIN tallies t USING (host_id) LEFT JOIN healing r USING (host_id)
     WHERE h.deleted_at IS NULL AND ($3::text IS NULL OR h.name ILIKE $3) AND ($4::text IS NULL OR h.labels->>$4 = coalesce($5, h.labels->>$4))
       AND ($6::text IS NULL OR (h.name, h.host_id) > ($6, $7))
     ORDER BY h.name, h.host_id`,
    [
      new Date(nowMs - STALE_AFTER_MS),
      new Date(nowMs - HEALING_MS),
      query.q === undefined ? null : likePattern(query.q),
      labelKey ?? null,
      labelValue ?? null,
      query.after?.[0] ?? null,
      query.after?.[1] ?? null,
    ],
  );
  return rows.map(({ host_id, name, enrolled_at, last_seen_at, frozen, healing, ...tally }) => {
    const [enrolledMs, lastSeenMs] = [enrolled_at.getTime(), last_seen_at?.getTime() ?? null];
    const state = stateOfHost({ nowMs, lastSeenMs, enrolledMs, checkinIntervalMs, frozen, healing, tally });
    return { hostId: host_id, name, state, tally };
  });
}
