/**
 * The one function that appends to a transparency log (P-33). The row of `log_state` is both the
 * lock and all an append has to know: size and frontier, the perfect subtrees that make up the tree.
 */
import { nodeHash } from '@holdfast/crypto';
import type { Transaction } from '@holdfast/store';

export interface LogState {
  readonly size: number;
  /** Hashes of the perfect subtrees of the tree, largest first. */
  readonly frontier: readonly Uint8Array[];
}
export interface NewNode {
  readonly level: number;
  readonly index: number;
  readonly hash: Uint8Array;
}
export interface Leaf {
  readonly bundleId: string;
  readonly hash: Uint8Array;
}

/** Pure: the tree after `leaves`, and every perfect subtree above the leaves that they complete. */
export function planAppend(state: LogState, leaves: readonly Uint8Array[]): { state: LogState; nodes: NewNode[] } {
  const frontier = [...state.frontier];
  const nodes: NewNode[] = [];
  let size = state.size;
  for (const leaf of leaves) {
    let hash = leaf;
    // Each trailing 1 bit of the size is a subtree that now gets its sibling (RFC 6962 §2.1).
    for (let level = 1, rest = size; rest % 2 === 1; level++, rest = (rest - 1) / 2) {
      const left = frontier.pop();
      if (left === undefined) throw new TypeError('the frontier does not fit the size');
      hash = nodeHash(left, hash);
      nodes.push({ level, index: (rest - 1) / 2, hash });
    }
    frontier.push(hash);
    size += 1;
  }
  return { state: { size, frontier }, nodes };
}

/** Takes the org's log for this transaction: nobody else appends until it ends. */
export async function lockLog(tx: Transaction): Promise<LogState> {
  const [state] = await tx.query<LogState>('SELECT size, frontier FROM log_state FOR UPDATE');
  if (state === undefined) throw new TypeError('the org has no log');
  return state;
}

/**
 * Appends; the caller holds the lock of `state`.
 *
 * @returns index of the first new leaf; the others follow in order without a gap
 */
export async function appendLeaves(
  tx: Transaction,
  orgId: string,
  state: LogState,
  leaves: readonly Leaf[],
): Promise<number> {
  const plan = planAppend(
    state,
    leaves.map(({ hash }) => hash),
  );
  await tx.query(
    `WITH leaves AS (
       INSERT INTO log_leaves (org_id, leaf_index, bundle_id, leaf_hash)
       SELECT $1, $2::bigint + n - 1, b, h FROM unnest($3::uuid[], $4::bytea[]) WITH ORDINALITY AS u(b, h, n)
     ), nodes AS (
       INSERT INTO log_nodes (org_id, level, node_index, hash)
       SELECT $1, l, i, h FROM unnest($5::int[], $6::bigint[], $7::bytea[]) AS u(l, i, h)
     )
     UPDATE log_state SET size = $8, frontier = $9::bytea[] WHERE org_id = $1`,
    [
      orgId,
      state.size,
      leaves.map(({ bundleId }) => bundleId),
      leaves.map(({ hash }) => hash),
      plan.nodes.map(({ level }) => level),
      plan.nodes.map(({ index }) => index),
      plan.nodes.map(({ hash }) => hash),
      plan.state.size,
      plan.state.frontier,
    ],
  );
  return state.size;
}
