/**
 * Verifies everything that is stored, from the bytes up (P-35, first form): each bundle's signature,
 * digest and derived columns, its leaf in the log, and every checkpoint's root and signature. Names
 * what differs, so that one byte changed in any row is found.
 */
import { isHoldfastError } from '@holdfast/core';
import { leafHash, nodeHash, verifyCheckpoint } from '@holdfast/crypto';
import type { EvidenceKey } from '@holdfast/evidence';
import type { Store, Transaction } from '@holdfast/store';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { LATE_AFTER_MS, DERIVED_COLUMNS, type AuthenticatedHost, verifyUpload } from './ingest/verify-upload.ts';
import { planAppend, type LogState } from './log/append.ts';
import { rootOfFrontier } from './log/transparency-log.ts';

export interface IntegrityProblem {
  /** `evidence`, `log_leaves`, `log_nodes`, `log_state` or `checkpoints`. */
  readonly table: string;
  /** Key of the row: a bundle id, or an index. */
  readonly row: string;
  readonly bundleId: string | null;
  /** What differs: a column, or an error code. */
  readonly problem: string;
}
export interface IntegrityReport {
  readonly checked: number;
  readonly problems: readonly IntegrityProblem[];
}
export interface IntegrityDeps {
  readonly store: Store;
  readonly logPublicKey: Uint8Array;
  readonly logOrigin: (orgId: string) => string;
}

const BATCH = 200;
const MAX_PROBLEMS = 100;

type Row = Readonly<Record<string, unknown>> & {
  readonly bundle_id: string;
  readonly envelope: Uint8Array;
  readonly received_at: Date;
  readonly late: boolean;
  readonly log_index: number;
  readonly host_id: string;
};

const same = (stored: unknown, derived: string | boolean | null): boolean =>
  stored instanceof Date ? stored.toISOString() === derived : stored === derived;

/** Problems of one row, as `column` or error code. The keys tell whose signature counts, not the row. */
function judgeRow(row: Row, orgId: string, hosts: ReadonlyMap<string, AuthenticatedHost>): string[] {
  const host = hosts.get(row.host_id);
  if (host === undefined) return ['host_id'];
  try {
    // Time of arrival was judged at arrival: the end of time refuses nothing here.
    const upload = verifyUpload({ ...host, orgId }, row.bundle_id, row.envelope, Number.MAX_SAFE_INTEGER);
    const problems = Object.entries(DERIVED_COLUMNS).flatMap(([column, derive]) =>
      same(row[column], derive(upload)) ? [] : [column],
    );
    const late = row.received_at.getTime() - Date.parse(upload.predicate.ended) > LATE_AFTER_MS;
    return late === row.late ? problems : [...problems, 'late'];
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    return [error.code];
  }
}

async function readHosts(tx: Transaction, orgId: string): Promise<Map<string, AuthenticatedHost>> {
  const rows = await tx.query<{ host_id: string; site_id: string; name: string; public_key: Uint8Array }>(
    'SELECT h.host_id, h.site_id, h.name, k.public_key FROM hosts h JOIN host_keys k USING (org_id, host_id)',
  );
  const hosts = new Map<string, AuthenticatedHost>();
  for (const { host_id: hostId, site_id: siteId, name: hostName, public_key: publicKey } of rows) {
    const keys: EvidenceKey[] = [
      ...(hosts.get(hostId)?.keys ?? []).filter((key): key is EvidenceKey => 'publicKey' in key),
      { publicKey, hostId },
    ];
    hosts.set(hostId, { orgId, hostId, siteId, hostName, keys });
  }
  return hosts;
}

const equal = (a: Uint8Array | undefined, b: Uint8Array): boolean => a !== undefined && Buffer.from(a).equals(b);

/**
 * Reads the whole org in one consistent view of the batch it is at; what is appended meanwhile is
 * left for the next walk.
 */
export async function verifyStoredEvidence(deps: IntegrityDeps, orgId: string): Promise<IntegrityReport> {
  const { store } = deps;
  const problems: IntegrityProblem[] = [];
  const found = (table: string, row: string | number, bundleId: string | null, problem: string): void => {
    if (problems.length < MAX_PROBLEMS) problems.push({ table, row: String(row), bundleId, problem });
  };
  const start = await store.withOrg(orgId, async (tx) => {
    const [state] = await tx.query<LogState>('SELECT size, frontier FROM log_state');
    const checkpoints = await tx.query<{ size: number; root: Uint8Array; note: string }>(
      'SELECT size, root, note FROM checkpoints ORDER BY size',
    );
    return { state, checkpoints, hosts: await readHosts(tx, orgId) };
  });
  const size = start.state?.size ?? 0;
  const checkpoints = new Map(start.checkpoints.map((checkpoint) => [checkpoint.size, checkpoint]));
  let tree: LogState = { size: 0, frontier: [] };

  for (let first = 0; first < size; first += BATCH) {
    const end = Math.min(first + BATCH, size);
    const { rows, leaves, nodes } = await store.withOrg(orgId, async (tx) => ({
      rows: await tx.query<Row>('SELECT * FROM evidence WHERE log_index >= $1 AND log_index < $2', [first, end]),
      leaves: await tx.query<{ leaf_index: number; bundle_id: string; leaf_hash: Uint8Array }>(
        'SELECT leaf_index, bundle_id, leaf_hash FROM log_leaves WHERE leaf_index >= $1 AND leaf_index < $2',
        [first, end],
      ),
      // A node is written with its last leaf, so those of this batch end in it.
      nodes: await tx.query<{ level: number; node_index: number; hash: Uint8Array }>(
        'SELECT level, node_index, hash FROM log_nodes WHERE (node_index + 1) * (1::bigint << level) > $1 AND (node_index + 1) * (1::bigint << level) <= $2',
        [first, end],
      ),
    }));
    const rowAt = new Map(rows.map((row) => [row.log_index, row]));
    const leafAt = new Map(leaves.map((leaf) => [leaf.leaf_index, leaf]));
    const nodeAt = new Map(nodes.map((node) => [`${node.level}/${node.node_index}`, node.hash]));
    for (let index = first; index < end; index++) {
      const row = rowAt.get(index);
      const leaf = leafAt.get(index);
      if (row === undefined) found('evidence', index, leaf?.bundle_id ?? null, 'missing');
      else {
        for (const problem of judgeRow(row, orgId, start.hosts))
          found('evidence', row.bundle_id, row.bundle_id, problem);
        if (leaf !== undefined && leaf.bundle_id !== row.bundle_id)
          found('log_leaves', index, row.bundle_id, 'bundle_id');
        if (!equal(leaf?.leaf_hash, leafHash(row.envelope))) found('log_leaves', index, row.bundle_id, 'leaf_hash');
      }
      const hash =
        leaf?.leaf_hash ?? (row === undefined ? nodeHash(Buffer.alloc(32), Buffer.alloc(32)) : leafHash(row.envelope));
      const plan = planAppend(tree, [hash]);
      tree = plan.state;
      for (const node of plan.nodes)
        if (!equal(nodeAt.get(`${node.level}/${node.index}`), node.hash))
          found('log_nodes', `${node.level}/${node.index}`, null, 'hash');
      const checkpoint = checkpoints.get(index + 1);
      if (checkpoint !== undefined) {
        checkpoints.delete(index + 1);
        judgeCheckpoint(deps, orgId, checkpoint, rootOfFrontier(tree.frontier)).forEach((problem) =>
          found('checkpoints', index + 1, null, problem),
        );
      }
    }
    await nextTurn();
  }
  for (const beyond of checkpoints.keys()) found('checkpoints', beyond, null, 'beyond the end of the log');
  const frontier = start.state?.frontier ?? [];
  if (frontier.length !== tree.frontier.length || !frontier.every((hash, at) => equal(tree.frontier[at], hash)))
    found('log_state', orgId, null, 'frontier');
  return { checked: size, problems };
}

function judgeCheckpoint(
  { logPublicKey, logOrigin }: IntegrityDeps,
  orgId: string,
  stored: { readonly size: number; readonly root: Uint8Array; readonly note: string },
  root: Uint8Array,
): string[] {
  const problems = equal(stored.root, root) ? [] : ['root'];
  try {
    const signed = verifyCheckpoint(stored.note, { origin: logOrigin(orgId), publicKey: logPublicKey });
    if (signed.size !== stored.size || !equal(signed.root, root)) problems.push('note');
  } catch {
    problems.push('note'); // its signature does not verify
  }
  return problems;
}
