/**
 * Reading an org's transparency log: checkpoints, proofs and tiles (P-33, P-34). Follows
 * https://c2sp.org/tlog-checkpoint and https://c2sp.org/tlog-tiles; leaf data is the exact bytes of
 * the evidence envelope.
 */
import { HoldfastError } from '@holdfast/core';
import {
  consistencyNodes,
  consistencyProof,
  type GetNode,
  inclusionNodes,
  inclusionProof,
  nodeHash,
  type NodeId,
  signCheckpoint,
  type Signer,
} from '@holdfast/crypto';
import type { Transaction } from '@holdfast/store';

/** Width of a full tile (tlog-tiles: height 8). */
export const TILE_WIDTH = 256;
/** tlog-tiles: an entry's length is a big-endian uint16. */
const MAX_TILE_ENTRY_BYTES = 65_535;

export interface StoredCheckpoint {
  readonly size: number;
  readonly root: Uint8Array;
  readonly note: string;
  readonly signedAt: Date;
}

/** C2SP origin of an org's log. */
export const logOriginOf = (name: string, orgId: string): string => `${name}/log/${orgId}`;

export const notFound = (): HoldfastError => new HoldfastError('no such thing', { code: 'ERR_SERVER_NOT_FOUND' });

/** Root of a tree from its frontier: the right-most subtrees are joined first. */
export function rootOfFrontier(frontier: readonly Uint8Array[]): Uint8Array {
  return frontier.reduceRight((right, left) => nodeHash(left, right));
}

export async function readCheckpoint(tx: Transaction, size?: number): Promise<StoredCheckpoint | undefined> {
  const [row] = await tx.query<StoredCheckpoint>(
    `SELECT size, root, note, signed_at AS "signedAt" FROM checkpoints
     WHERE $1::bigint IS NULL OR size = $1 ORDER BY size DESC LIMIT 1`,
    [size ?? null],
  );
  return row;
}

/** Signs the log as it is now. Does nothing when that was signed already. @returns whether it signed */
export async function publishCheckpoint(
  tx: Transaction,
  orgId: string,
  origin: string,
  signer: Signer,
  now: Date,
): Promise<boolean> {
  const [state] = await tx.query<{ size: number; frontier: Uint8Array[] }>(
    'SELECT size, frontier FROM log_state WHERE size > coalesce((SELECT max(size) FROM checkpoints), 0)',
  );
  if (state === undefined) return false;
  const root = rootOfFrontier(state.frontier);
  const inserted = await tx.query(
    'INSERT INTO checkpoints (org_id, size, root, note, signed_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING 1',
    [orgId, state.size, root, signCheckpoint({ origin, size: state.size, root }, signer), now],
  );
  return inserted.length > 0;
}

async function fetchNodes(tx: Transaction, nodes: readonly NodeId[]): Promise<GetNode> {
  const rows = await tx.query<{ level: number; index: number; hash: Uint8Array }>(
    `SELECT level, node_index AS index, hash FROM log_nodes
       WHERE (level, node_index) IN (SELECT * FROM unnest($1::int[], $2::bigint[]))
     UNION ALL
     SELECT 0, leaf_index, leaf_hash FROM log_leaves WHERE leaf_index = ANY ($3::bigint[])`,
    [
      nodes.map(({ level }) => level),
      nodes.map(({ index }) => index),
      nodes.filter(({ level }) => level === 0).map(({ index }) => index),
    ],
  );
  const hashes = new Map(rows.map(({ level, index, hash }) => [`${level}/${index}`, hash]));
  return (level, index) => {
    const hash = hashes.get(`${level}/${index}`);
    if (hash === undefined) throw new TypeError('a node of the log is missing');
    return hash;
  };
}

const hex = (hash: Uint8Array): string => Buffer.from(hash).toString('hex');

export interface InclusionProof {
  readonly index: number;
  readonly treeSize: number;
  readonly leafHash: string;
  readonly hashes: string[];
  readonly checkpoint: string;
}

/** @throws `ERR_SERVER_NOT_FOUND` when there is no such leaf, or no checkpoint that covers it yet */
export async function proveInclusion(
  tx: Transaction,
  leaf: { bundleId?: string | undefined; index?: number | undefined },
  size?: number,
): Promise<InclusionProof> {
  const [row] = await tx.query<{ index: number; hash: Uint8Array }>(
    leaf.bundleId === undefined
      ? 'SELECT leaf_index AS index, leaf_hash AS hash FROM log_leaves WHERE leaf_index = $1'
      : 'SELECT l.leaf_index AS index, l.leaf_hash AS hash FROM log_leaves l JOIN evidence e ON e.log_index = l.leaf_index WHERE e.bundle_id = $1',
    [leaf.bundleId ?? leaf.index ?? null],
  );
  const checkpoint = await readCheckpoint(tx, size);
  if (row === undefined || checkpoint === undefined || row.index >= checkpoint.size) throw notFound();
  const getNode = await fetchNodes(tx, inclusionNodes(row.index, checkpoint.size));
  return {
    index: row.index,
    treeSize: checkpoint.size,
    leafHash: hex(row.hash),
    hashes: inclusionProof(row.index, checkpoint.size, getNode).map(hex),
    checkpoint: checkpoint.note,
  };
}

/** @throws `ERR_SERVER_NOT_FOUND` when the log is not that large, `ERR_INPUT_INVALID` when `from` > `to` */
export async function proveConsistency(
  tx: Transaction,
  from: number,
  to: number,
): Promise<{ from: number; to: number; hashes: string[] }> {
  if (from > to) throw new HoldfastError('the older tree is larger', { code: 'ERR_INPUT_INVALID' });
  const [state] = await tx.query<{ size: number }>('SELECT size FROM log_state');
  if (state === undefined || to > state.size) throw notFound();
  const getNode = await fetchNodes(tx, consistencyNodes(from, to));
  return { from, to, hashes: consistencyProof(from, to, getNode).map(hex) };
}

/** Bytes of a hash tile: `width` hashes of tree level 8 × `tileLevel`. @throws `ERR_SERVER_NOT_FOUND` when not complete */
export async function readTile(
  tx: Transaction,
  tileLevel: number,
  tileIndex: number,
  width: number,
): Promise<Uint8Array> {
  const level = tileLevel * 8;
  const first = tileIndex * TILE_WIDTH;
  const getNode = await fetchNodes(
    tx,
    Array.from({ length: width }, (_, offset) => ({ level, index: first + offset })),
  );
  const hashes: Uint8Array[] = [];
  try {
    for (let offset = 0; offset < width; offset++) hashes.push(getNode(level, first + offset));
  } catch {
    throw notFound(); // beyond the end of the tree
  }
  return Buffer.concat(hashes);
}

/** Bytes of an entry bundle: each leaf's data behind its length. @throws `ERR_SERVER_NOT_FOUND` when not complete */
export async function readEntries(tx: Transaction, tileIndex: number, width: number): Promise<Uint8Array> {
  const first = tileIndex * TILE_WIDTH;
  const rows = await tx.query<{ envelope: Uint8Array }>(
    'SELECT envelope FROM evidence WHERE log_index >= $1 AND log_index < $2 ORDER BY log_index',
    [first, first + width],
  );
  if (rows.length !== width) throw notFound();
  const parts: Uint8Array[] = [];
  for (const { envelope } of rows) {
    if (envelope.length > MAX_TILE_ENTRY_BYTES) throw notFound(); // has no spelling in this format
    const length = Buffer.alloc(2);
    length.writeUInt16BE(envelope.length);
    parts.push(length, envelope);
  }
  return Buffer.concat(parts);
}
