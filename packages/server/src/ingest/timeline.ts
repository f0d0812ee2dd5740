/** What happened to a host, in the order it happened (T-18). Titles are ours: never a stranger's text alone. */
import type { TimelineEntry } from '@holdfast/api';
import type { Transaction } from '@holdfast/store';

export type NewTimelineEntry = Omit<TimelineEntry, 'id'>;

export async function appendTimeline(
  tx: Transaction,
  orgId: string,
  hostId: string,
  entries: readonly NewTimelineEntry[],
): Promise<void> {
  if (entries.length === 0) return;
  await tx.query(
    `INSERT INTO timeline (org_id, host_id, at, kind, title, severity, bundle_id, remediation_id)
     SELECT $1, $2, u.* FROM unnest($3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::uuid[], $8::uuid[]) u`,
    [
      orgId,
      hostId,
      entries.map(({ at }) => at),
      entries.map(({ kind }) => kind),
      entries.map(({ title }) => title),
      entries.map(({ severity }) => severity),
      entries.map(({ bundleId }) => bundleId),
      entries.map(({ remediationId }) => remediationId),
    ],
  );
}
