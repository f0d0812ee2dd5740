/** Reads hosts with their newest statuses as the API shows them. */
import type { HostView } from '@holdfast/api';
import type { Transaction } from '@holdfast/store';
import { type CheckStatus, scoreOf, STALE_AFTER_MS, stateOfHost } from '../host-view.ts';

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
  readonly hostId?: string | undefined;
  readonly q?: string | undefined;
  /** `key=value` */
  readonly label?: string | undefined;
  readonly after?: readonly [name: string, hostId: string] | undefined;
  readonly limit: number;
}

const likePattern = (text: string): string => `%${text.replace(/[\\%_]/g, String.raw`\$&`)}%`;

export async function readHosts(
  tx: Transaction,
  query: HostQuery,
  nowMs: number,
  checkinIntervalMs: number,
): Promise<HostView[]> {
  const [labelKey, labelValue] = query.label === undefined ? [] : query.label.split('=', 2);
  const rows = await tx.query<HostRow>(
    `SELECT h.*, k.public_key, EXISTS (
       SELECT 1 FROM remediations r WHERE r.host_id = h.host_id AND r.state IN ('applying', 'verifying', 'confirming')
         AND r.updated_at > $8) AS healing
     FROM hosts h JOIN LATERAL (SELECT public_key FROM host_keys k WHERE k.host_id = h.host_id AND k.org_id = h.org_id ORDER BY valid_from DESC LIMIT 1) k ON true
     WHERE h.deleted_at IS NULL AND ($1::text IS NULL OR h.host_id = $1) AND ($2::text IS NULL OR h.name ILIKE $2)
       AND ($3::text IS NULL OR h.labels->>$3 = coalesce($4, h.labels->>$3))
       AND ($5::text IS NULL OR (h.name, h.host_id) > ($5, $6))
     ORDER BY h.name, h.host_id LIMIT $7`,
    [
      query.hostId ?? null,
      query.q === undefined ? null : likePattern(query.q),
      labelKey ?? null,
      labelValue ?? null,
      query.after?.[0] ?? null,
      query.after?.[1] ?? null,
      query.limit,
      new Date(nowMs - 600_000), // a healing nobody hears of any more is not one
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
        checks,
      }),
      health: row.health,
      checks,
      score: scoreOf(checks),
      publicKey: Buffer.from(row.public_key).toString('base64'),
    };
  });
}
