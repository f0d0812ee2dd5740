/**
 * Inclusion in a Merkle tree, RFC 6962 §2.1.1, written a second time on purpose: the page must not
 * trust the code that made the proof.
 */
import { concatenate, sha256 } from './bytes.ts';

const LEAF_PREFIX = Uint8Array.of(0);
const NODE_PREFIX = Uint8Array.of(1);

export async function hashLeaf(data: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  return sha256(concatenate(LEAF_PREFIX, data));
}

async function hashNode(left: Uint8Array, right: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  return sha256(concatenate(NODE_PREFIX, left, right));
}

/**
 * The root that this proof leads to (RFC 9162 §2.1.3.2, the same tree with the algorithm spelled out).
 *
 * @returns `undefined` when the proof has the wrong length for the index and size
 */
export async function rootOfInclusion(
  index: number,
  treeSize: number,
  leafHash: Uint8Array,
  hashes: readonly Uint8Array[],
): Promise<Uint8Array | undefined> {
  if (index < 0 || index >= treeSize) return undefined;
  let node = index;
  let last = treeSize - 1;
  let root: Uint8Array = leafHash;
  for (const hash of hashes) {
    if (last === 0) return undefined;
    if (node % 2 === 1 || node === last) {
      root = await hashNode(hash, root);
      while (node % 2 === 0 && node !== 0) {
        node = Math.floor(node / 2);
        last = Math.floor(last / 2);
      }
    } else {
      root = await hashNode(root, hash);
    }
    node = Math.floor(node / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 ? root : undefined;
}
