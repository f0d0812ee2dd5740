/** Newest status of every check on a host, and what its turns mean for the timeline. */
import type { FindingStatus } from '@holdfast/evidence';
import { FINDING_STATUSES } from '@holdfast/evidence';
import type { Transaction } from '@holdfast/store';
import type { NewTimelineEntry } from './timeline.ts';
import type { VerifiedUpload } from './verify-upload.ts';

interface Status {
  readonly check: string;
  readonly status: FindingStatus;
  readonly at: Date;
  readonly since: Date;
  readonly bundleId: string;
}

/** An outcome that is no status of a check was not measured: `unknown`. */
const statusOf = (outcome: string): FindingStatus => FINDING_STATUSES.find((status) => status === outcome) ?? 'unknown';

function turn(before: Status | undefined, after: Status, { predicate, bundleId }: VerifiedUpload): NewTimelineEntry[] {
  const { ended: at, remediationId } = predicate;
  if (after.status === 'fail' && before?.status !== 'fail')
    return [
      { at, kind: 'drift', title: `${after.check} drifted`, severity: predicate.severity, bundleId, remediationId },
    ];
  if (after.status === 'pass' && before?.status === 'fail')
    return [
      { at, kind: 'recovered', title: `${after.check} is as wanted again`, severity: 'info', bundleId, remediationId },
    ];
  if (before !== undefined && after.status === 'pass' && before.status !== 'pass')
    return [{ at, kind: 'recovered', title: `${after.check} passes again`, severity: 'info', bundleId, remediationId }];
  if (before !== undefined && before.status !== after.status)
    return [
      {
        at,
        kind: 'alert',
        title: `${after.check} is ${after.status}`,
        severity: predicate.severity,
        bundleId,
        remediationId,
      },
    ];
  return [];
}

/** @returns what to tell the timeline */
export async function recordStatuses(
  tx: Transaction,
  orgId: string,
  hostId: string,
  uploads: readonly VerifiedUpload[],
): Promise<NewTimelineEntry[]> {
  const checks = uploads
    .filter(({ kind, predicate }) => kind === 'check' && predicate.check !== null)
    .toSorted((a, b) => a.predicate.ended.localeCompare(b.predicate.ended));
  if (checks.length === 0) return [];
  const rows = await tx.query<Status>(
    'SELECT check_name AS check, status, at, since, bundle_id AS "bundleId" FROM check_status WHERE host_id = $1',
    [hostId],
  );
  const current = new Map(rows.map((row) => [row.check, row]));
  const newest = new Map<string, VerifiedUpload>();
  const entries: NewTimelineEntry[] = [];
  for (const upload of checks) {
    const check = upload.predicate.check ?? '';
    const before = current.get(check);
    const at = new Date(upload.predicate.ended);
    if (before !== undefined && at < before.at) continue; // late: history, not the present
    const status = statusOf(upload.predicate.outcome);
    const since = before?.status === status ? before.since : at;
    const after: Status = { check, status, at, since, bundleId: upload.bundleId };
    entries.push(...turn(before, after, upload));
    current.set(check, after);
    newest.set(check, upload);
  }
  const list = [...newest].toSorted(([a], [b]) => a.localeCompare(b));
  const column = <T>(pick: (status: Status, upload: VerifiedUpload) => T): T[] =>
    list.flatMap(([check, upload]) => {
      const status = current.get(check);
      return status === undefined ? [] : [pick(status, upload)];
    });
  await tx.query(
    `INSERT INTO check_status (org_id, host_id, check_name, status, severity, at, since, bundle_id, findings)
     SELECT $1, $2, u.* FROM unnest($3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[], $8::uuid[], $9::jsonb[]) u
     ON CONFLICT (org_id, host_id, check_name) DO UPDATE SET status = excluded.status, severity = excluded.severity,
       at = excluded.at, since = excluded.since, bundle_id = excluded.bundle_id, findings = excluded.findings`,
    [
      orgId,
      hostId,
      column(({ check }) => check),
      column(({ status }) => status),
      column((_, { predicate }) => predicate.severity),
      column(({ at }) => at),
      column(({ since }) => since),
      column(({ bundleId }) => bundleId),
      // As text with \u0000 taken out: JSON may hold it, jsonb may not; the evidence keeps the exact bytes.
      column((_, { predicate }) => JSON.stringify(predicate.findings).replaceAll('\\u0000', '\\ufffd')),
    ],
  );
  return entries;
}
