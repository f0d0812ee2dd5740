/**
 * Release gates as the control plane keeps them (R-10, W-09): every bundle that was published, each
 * the continuation of the one before, under the keys that were pinned with the first. Nothing is
 * believed that does not verify, and nothing is stored of what follows from the bundle: it is judged
 * anew for whoever looks.
 */
import { HoldfastError } from '@holdfast/core';
import { GrowingTree, sha256Hex } from '@holdfast/crypto';
import {
  assess,
  type Assessment,
  type BundlePins,
  type GateRecord,
  type LogHead,
  openBundle,
  parsePins,
  type Source,
  verifyBundle,
} from '@holdfast/gate';
import type { Transaction } from '@holdfast/store';

/** Opened bundles that are kept in memory: opening one verifies thousands of signatures. */
const MAX_OPENED = 8;

export interface PublishedGate {
  readonly gate: string;
  readonly digest: string;
  readonly head: LogHead;
  readonly records: readonly GateRecord[];
  readonly receivedAt: Date;
  /** What the last sweep found it to be worth, and when that began; `null` before the first. */
  readonly swept: { readonly standing: string; readonly since: Date } | null;
}

interface BundleRow {
  readonly gate_id: string;
  readonly digest: string;
  readonly received_at: Date;
  readonly standing: string | null;
  readonly standing_since: Date | null;
}

const NEWEST = `SELECT DISTINCT ON (gate_id) gate_id, digest, received_at, standing, standing_since
  FROM gate_bundles JOIN gates USING (org_id, gate_id)`;

/** Of this process, by the digest of the bundle. What they hold was verified when it came and when it was read. */
export class OpenedBundles {
  readonly #opened = new Map<string, { readonly head: LogHead; readonly records: readonly GateRecord[] }>();

  /** @param read fetches the bytes when they are not here */
  async open(
    digest: string,
    read: () => Promise<Uint8Array>,
  ): Promise<{ head: LogHead; records: readonly GateRecord[] }> {
    const known = this.#opened.get(digest);
    if (known !== undefined) return known;
    const { head, records } = await openBundle(await read());
    const opened = { head, records };
    for (const oldest of this.#opened.keys()) if (this.#opened.size >= MAX_OPENED) this.#opened.delete(oldest);
    this.#opened.set(digest, opened);
    return opened;
  }
}

/**
 * Takes a bundle, or says why not. The same bundle again changes nothing.
 *
 * @param pins with the first bundle of a gate; later ones are held against what was pinned then
 * @returns the gate's id
 * @throws `ERR_GATE_BUNDLE`, `ERR_GATE_KEY`
 */
export async function receiveBundle(
  tx: Transaction,
  bytes: Uint8Array,
  pins: BundlePins | null,
  { orgId, now }: { readonly orgId: string; readonly now: Date },
): Promise<string> {
  const { records, head } = await openBundle(bytes);
  const gate = records[0]?.predicate.gate ?? '';
  // One bundle of a gate at a time, until the transaction ends: each is held against the one before.
  await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`gate ${orgId} ${gate}`]);
  const [known] = await tx.query<{ pins: unknown }>('SELECT pins FROM gates WHERE gate_id = $1', [gate]);
  const pinned = known === undefined ? pins : parsePins(JSON.stringify(known.pins));
  if (pinned === null) throw refused('the first bundle of a gate comes with the keys to pin: `--keys pins.json`');
  if (known !== undefined && pins !== null)
    throw refused('keys are pinned with the first bundle only; publish this one without them');
  const { failures } = await verifyBundle(bytes, pinned, now.getTime());
  // A gate without a verdict is no worse for that: it is on its way.
  const failure = failures.find(({ rule }) => rule !== 'R-19');
  if (failure !== undefined) throw refused(`${failure.rule}: ${failure.reason}`);
  await refuseRollback(tx, gate, records, head);
  await tx.query(
    'INSERT INTO gates (org_id, gate_id, pins, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING',
    [orgId, gate, JSON.stringify(pinned), now],
  );
  await tx.query(
    `INSERT INTO gate_bundles (org_id, gate_id, size, root, digest, bytes, received_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
    [orgId, gate, head.size, head.root, sha256Hex(bytes), bytes, now],
  );
  return gate;
}

/** A log only grows: what the server saw of it is the beginning of what comes next (RFC 6962 §2.1.2). */
async function refuseRollback(
  tx: Transaction,
  gate: string,
  records: readonly GateRecord[],
  head: LogHead,
): Promise<void> {
  const [last] = await tx.query<{ size: number; root: string }>(
    'SELECT size, root FROM gate_bundles WHERE gate_id = $1 ORDER BY size DESC LIMIT 1',
    [gate],
  );
  if (last === undefined) return;
  if (head.size < last.size) throw refused(`its log has ${head.size} records, and ${last.size} were seen before`);
  const tree = new GrowingTree();
  for (const { leaf } of records.slice(0, last.size)) tree.append(Buffer.from(leaf, 'hex'));
  if (Buffer.from(tree.root()).toString('hex') !== last.root)
    throw refused(`its first ${last.size} records are not those that were seen before`);
}

/** The newest bundle of every gate, by id. */
export async function listGates(tx: Transaction, opened: OpenedBundles): Promise<PublishedGate[]> {
  const rows = await tx.query<BundleRow>(`${NEWEST} ORDER BY gate_id, size DESC`);
  const gates: PublishedGate[] = [];
  for (const row of rows) gates.push(await openRow(tx, opened, row));
  return gates;
}

/** @returns `undefined` when nothing of the gate was published */
export async function readGate(
  tx: Transaction,
  opened: OpenedBundles,
  gate: string,
): Promise<PublishedGate | undefined> {
  const [row] = await tx.query<BundleRow>(`${NEWEST} WHERE gate_id = $1 ORDER BY gate_id, size DESC`, [gate]);
  return row === undefined ? undefined : openRow(tx, opened, row);
}

export async function readBundle(tx: Transaction, gate: string, digest: string): Promise<Uint8Array> {
  const [row] = await tx.query<{ bytes: Uint8Array }>(
    'SELECT bytes FROM gate_bundles WHERE gate_id = $1 AND digest = $2',
    [gate, digest],
  );
  if (row === undefined) throw new TypeError('a bundle that was listed is not there');
  return row.bytes;
}

async function openRow(tx: Transaction, opened: OpenedBundles, row: BundleRow): Promise<PublishedGate> {
  const { gate_id: gate, digest, received_at: receivedAt, standing, standing_since: since } = row;
  const swept = standing === null || since === null ? null : { standing, since };
  return { gate, digest, receivedAt, swept, ...(await opened.open(digest, () => readBundle(tx, gate, digest))) };
}

/** What the records come to now: at the last verdict's source, or at the newest one there is. */
export function assessGate({ records }: PublishedGate, nowMs: number): Assessment {
  const verdict = records.findLast((record) => record.kind === 'gate-verdict');
  const candidate = verdict?.predicate.source ?? records.map(sourceOf).findLast((source) => source !== null);
  if (candidate === undefined || candidate === null) throw new TypeError('a log without a freeze was taken');
  return assess({ records, current: null, candidate, nowMs });
}

const sourceOf = ({ predicate }: GateRecord): Source | null => ('source' in predicate ? predicate.source : null);

function refused(reason: string): HoldfastError {
  return new HoldfastError('the bundle is not taken', { code: 'ERR_GATE_BUNDLE', fields: { reason } });
}
