/** What needs a person now, each with the next step (W-02). */
import type { Attention, HostView, Remediation } from '@holdfast/api';
import { SEVERITIES } from '@holdfast/evidence';
import type { Transaction } from '@holdfast/store';
import type { HostStanding } from './read-hosts.ts';

/** More than anyone reads; the hosts page has them all. */
const MAX_ATTENTION = 200;
/** P-33: a proof within five seconds; what waits longer is worth a look. */
const UNANCHORED_AFTER_MS = 30_000;
/** Hosts renew their certificate of a day when a third of it is left; with this little left renewal does not work. */
const CERTIFICATE_ENDS_MS = 4 * 3_600_000;

interface OpenRemediation {
  readonly hostId: string;
  readonly check: string;
  readonly state: Remediation['state'];
  readonly operation: string | null;
}
type Find = (hostId: string, check: string) => OpenRemediation | undefined;

const nowhere = { hostId: null, check: null, bundleId: null } as const;

const LOOK = (): string => 'Open the host to see observed beside expected.';
const HEALING = (operation: string): string => `Nothing yet: ${operation} is healing it.`;
const GAVE_UP = (operation: string): string =>
  `${operation} did not mend it: look at its evidence, then repair the host by hand.`;
/** What to do about a drift follows from what is being done about it. */
const NEXT_STEPS: Readonly<Record<Remediation['state'], (operation: string) => string>> = {
  detected: LOOK,
  waiting: (operation) => `Nothing yet: ${operation} waits for its turn, for approval or for the maintenance window.`,
  deferred: (operation) => `${operation} waits for the maintenance window: wait, or heal it now by hand.`,
  applying: HEALING,
  verifying: HEALING,
  confirming: HEALING,
  reverted: GAVE_UP,
  failed: GAVE_UP,
  alert: () =>
    'It is not healed without a person: compare observed with expected, then mend the host or sign a new baseline.',
  fixed: LOOK,
};
const describeNextStep = (remediation: OpenRemediation | undefined): string =>
  NEXT_STEPS[remediation?.state ?? 'detected'](remediation?.operation ?? 'The remediation');

function listOfHost(host: HostView, find: Find): Attention[] {
  const about = { hostId: host.hostId, check: null, bundleId: null, since: host.lastSeenAt ?? host.enrolledAt };
  if (host.state === 'silent')
    return [
      {
        ...about,
        kind: 'silent-host',
        severity: 'high',
        title: `${host.name} is silent`,
        nextStep: 'Look whether the host and its agent run and reach the server: `holdfast doctor` on the host.',
      },
    ];
  if (host.state === 'frozen')
    return [
      {
        ...about,
        kind: 'frozen-host',
        severity: 'critical',
        title: `${host.name} is frozen: a change could not be reverted`,
        nextStep: 'Repair the host by hand, then unfreeze its guard.',
      },
    ];
  return host.checks.flatMap((check): Attention[] => {
    const at = { ...about, check: check.check, bundleId: check.bundleId, since: check.since };
    if (check.status === 'fail' && !check.stale)
      return [
        {
          ...at,
          kind: check.check === 'certificates' ? 'certificate' : 'drift',
          severity: check.severity,
          title:
            check.check === 'certificates'
              ? `A certificate on ${host.name} has expired or soon will`
              : `${check.check} drifted on ${host.name}`,
          nextStep: describeNextStep(find(host.hostId, check.check)),
        },
      ];
    if (check.stale || check.status === 'unknown' || check.status === 'error')
      return [
        {
          ...at,
          kind: 'unknown',
          severity: 'medium',
          title: `${check.check} on ${host.name} is not known`,
          nextStep: check.stale
            ? 'Look why the host has not measured it for a day.'
            : 'Look why the check could not measure: its evidence names the reason.',
        },
      ];
    return [];
  });
}

async function findRemediations(tx: Transaction, hosts: readonly HostView[]): Promise<Find> {
  const failing = hosts.filter(({ checks }) => checks.some(({ status }) => status === 'fail'));
  const rows = await tx.query<OpenRemediation>(
    `SELECT DISTINCT ON (host_id, check_name) host_id AS "hostId", check_name AS check, state, operation FROM remediations
     WHERE host_id = ANY ($1::text[]) ORDER BY host_id, check_name, opened_at DESC`,
    [failing.map(({ hostId }) => hostId)],
  );
  const byCheck = new Map(rows.map((row) => [`${row.hostId} ${row.check}`, row]));
  return (hostId, check) => byCheck.get(`${hostId} ${check}`);
}

async function listEndingCertificates(
  tx: Transaction,
  hosts: readonly HostStanding[],
  now: Date,
): Promise<Attention[]> {
  const heard = new Map(hosts.filter(({ state }) => state !== 'silent').map((host) => [host.hostId, host]));
  const rows = await tx.query<{ host_id: string; not_after: Date }>(
    'SELECT host_id, max(not_after) AS not_after FROM host_certificates GROUP BY host_id HAVING max(not_after) < $1',
    [new Date(now.getTime() + CERTIFICATE_ENDS_MS)],
  );
  return rows.flatMap(({ host_id, not_after }): Attention[] => {
    const host = heard.get(host_id);
    if (host === undefined) return [];
    return [
      {
        ...nowhere,
        hostId: host_id,
        kind: 'certificate',
        severity: 'high',
        title: `The agent’s certificate of ${host.name} is not being renewed`,
        nextStep: `It ends ${not_after.toISOString()}; after that the host is silent. Look into the agent’s log, or enrol the host again.`,
        since: new Date(not_after.getTime() - CERTIFICATE_ENDS_MS).toISOString(),
      },
    ];
  });
}

async function listUnanchored(tx: Transaction, now: Date): Promise<Attention[]> {
  const [oldest] = await tx.query<{ received_at: Date }>(
    'SELECT received_at FROM evidence WHERE log_index = (SELECT coalesce(max(size), 0) FROM checkpoints)',
  );
  if (oldest === undefined || now.getTime() - oldest.received_at.getTime() <= UNANCHORED_AFTER_MS) return [];
  return [
    {
      ...nowhere,
      kind: 'unanchored',
      severity: 'high',
      title: 'Evidence waits for a checkpoint',
      nextStep: 'Look into the server’s log: it cannot sign the transparency log.',
      since: oldest.received_at.toISOString(),
    },
  ];
}

async function listConflicts(tx: Transaction): Promise<Attention[]> {
  const rows = await tx.query<{ hostId: string; bundleId: string; at: Date }>(
    'SELECT host_id AS "hostId", bundle_id AS "bundleId", at FROM conflicts ORDER BY at DESC LIMIT 20',
  );
  return rows.map(({ hostId, bundleId, at }) => ({
    kind: 'conflict',
    severity: 'critical',
    title: 'Other evidence arrived under an id that was taken',
    nextStep: 'Treat the host as suspect: compare both bundles.',
    hostId,
    check: null,
    bundleId,
    since: at.toISOString(),
  }));
}

async function listIntegrityProblems(tx: Transaction): Promise<Attention[]> {
  const [walk] = await tx.query<{ verified_at: Date; problems: { bundleId: string | null; problem: string }[] }>(
    'SELECT verified_at, problems FROM integrity',
  );
  return (walk?.problems ?? []).map(({ bundleId, problem }) => ({
    hostId: null,
    check: null,
    bundleId,
    kind: 'alert',
    severity: 'critical',
    title: `Stored evidence does not verify: ${problem}`,
    nextStep: 'Somebody or something changed the database: keep it as it is and restore from a backup.',
    since: walk?.verified_at.toISOString() ?? '',
  }));
}

const urgency = (severity: Attention['severity']): number => -SEVERITIES.indexOf(severity);

/**
 * @param hosts all of them
 * @param troubled those of them that are not good
 * @param gates what release gates need
 * @returns the most urgent first, of these the oldest first
 */
export async function listAttention(
  tx: Transaction,
  hosts: readonly HostStanding[],
  troubled: readonly HostView[],
  gates: readonly Attention[],
  now: Date,
): Promise<Attention[]> {
  const find = await findRemediations(tx, troubled);
  const items = [
    ...troubled.flatMap((host) => listOfHost(host, find)),
    ...(await listEndingCertificates(tx, hosts, now)),
    ...(await listUnanchored(tx, now)),
    ...(await listConflicts(tx)),
    ...(await listIntegrityProblems(tx)),
    ...gates,
  ];
  if (hosts.length === 0)
    items.push({
      ...nowhere,
      kind: 'no-hosts',
      severity: 'info',
      title: 'No host is enrolled',
      nextStep: 'Make an enrolment token and run its command on a host.',
      since: now.toISOString(),
    });
  return items
    .toSorted((a, b) => urgency(a.severity) - urgency(b.severity) || a.since.localeCompare(b.since))
    .slice(0, MAX_ATTENTION);
}
