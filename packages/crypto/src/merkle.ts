/**
 * Merkle trees as of RFC 6962 §2.1: hashing, audit paths, consistency proofs and their verification.
 * Pure: nodes come from `getNode`, which knows the hashes of perfect subtrees only. The node
 * (level, index) covers the leaves [index·2^level, (index+1)·2^level), so a node once complete never changes.
 */
import { createHash } from 'node:crypto';
import { sha256 } from './digest.ts';

export const HASH_BYTES = 32;
const LEAF_PREFIX = Uint8Array.of(0); // RFC 6962 §2.1
const NODE_PREFIX = Uint8Array.of(1);

/** Hash of the perfect subtree at `level` (0 are leaves) and `index`. Asked only for subtrees within the tree. */
export type GetNode = (level: number, index: number) => Uint8Array;
export interface NodeId {
  readonly level: number;
  readonly index: number;
}

export const leafHash = (bytes: Uint8Array): Uint8Array =>
  createHash('sha256').update(LEAF_PREFIX).update(bytes).digest();

export const nodeHash = (left: Uint8Array, right: Uint8Array): Uint8Array =>
  createHash('sha256').update(NODE_PREFIX).update(left).update(right).digest();

/** RFC 6962 §2.1: the hash of the empty string. */
export const emptyRoot = (): Uint8Array => sha256('');

/** Root over leaf hashes that are all at hand. */
export function rootOf(leafHashes: readonly Uint8Array[]): Uint8Array {
  return treeRoot(leafHashes.length, nodesOf(leafHashes));
}

/** Root of the first `size` leaves. */
export function treeRoot(size: number, getNode: GetNode): Uint8Array {
  requireCount(size);
  return size === 0 ? emptyRoot() : rangeHash(0, size, getNode);
}

/** A `GetNode` that computes what it is asked for, from leaf hashes. For small trees and tests. */
export function nodesOf(leafHashes: readonly Uint8Array[]): GetNode {
  const getNode: GetNode = (level, index) => {
    if (level > 0) return nodeHash(getNode(level - 1, 2 * index), getNode(level - 1, 2 * index + 1));
    const leaf = leafHashes[index];
    if (leaf === undefined) throw new TypeError('asked for a leaf outside the tree');
    return leaf;
  };
  return getNode;
}

/** `PATH(index, D[size])` of RFC 6962 §2.1.1: from the leaf's sibling up. */
export function inclusionProof(index: number, size: number, getNode: GetNode): Uint8Array[] {
  requireCount(size);
  requireCount(index);
  if (index >= size) throw new TypeError('the leaf is outside the tree');
  return path(index, 0, size, getNode);
}

/** `PROOF(from, D[to])` of RFC 6962 §2.1.2. Empty when `from` is 0 or equals `to`. */
export function consistencyProof(from: number, to: number, getNode: GetNode): Uint8Array[] {
  requireCount(from);
  requireCount(to);
  if (from > to) throw new TypeError('the older tree is larger');
  return from === 0 || from === to ? [] : subProof(from, 0, to, true, getNode);
}

/** What `inclusionProof` will ask `getNode` for, so that a store can fetch it all at once. */
export function inclusionNodes(index: number, size: number): NodeId[] {
  return recordNodes((getNode) => inclusionProof(index, size, getNode));
}

/** What `consistencyProof` will ask `getNode` for. */
export function consistencyNodes(from: number, to: number): NodeId[] {
  return recordNodes((getNode) => consistencyProof(from, to, getNode));
}

/** What `treeRoot` will ask `getNode` for: the peaks of the tree, largest first. */
export function rootNodes(size: number): NodeId[] {
  return recordNodes((getNode) => treeRoot(size, getNode));
}

export interface InclusionClaim {
  readonly index: number;
  readonly size: number;
  readonly leafHash: Uint8Array;
  readonly hashes: readonly Uint8Array[];
  readonly root: Uint8Array;
}

/** Whether the proof shows the leaf at `index` of the tree of `size`. Never throws for hostile input. */
export function verifyInclusion({ index, size, leafHash, hashes, root }: InclusionClaim): boolean {
  if (!isCount(index) || !isCount(size) || index >= size) return false;
  if (![leafHash, root, ...hashes].every(isHash)) return false;
  // RFC 9162 §2.1.3.2, the same algorithm for the same tree. Division instead of shifts: indexes exceed 32 bits.
  let position = index;
  let last = size - 1;
  let hash = leafHash;
  for (const sibling of hashes) {
    if (last === 0) return false;
    if (position % 2 === 1 || position === last) {
      hash = nodeHash(sibling, hash);
      while (position % 2 === 0 && position !== 0) [position, last] = [position / 2, half(last)];
    } else {
      hash = nodeHash(hash, sibling);
    }
    [position, last] = [half(position), half(last)];
  }
  return last === 0 && isEqual(hash, root);
}

export interface ConsistencyClaim {
  readonly from: number;
  readonly to: number;
  readonly fromRoot: Uint8Array;
  readonly toRoot: Uint8Array;
  readonly hashes: readonly Uint8Array[];
}

/** Whether the tree of `to` begins with the tree of `from`. Never throws for hostile input. */
export function verifyConsistency({ from, to, fromRoot, toRoot, hashes }: ConsistencyClaim): boolean {
  if (!isCount(from) || !isCount(to) || from > to) return false;
  if (![fromRoot, toRoot, ...hashes].every(isHash)) return false;
  if (from === 0) return hashes.length === 0 && isEqual(fromRoot, emptyRoot()) && (to > 0 || isEqual(toRoot, fromRoot));
  if (from === to) return hashes.length === 0 && isEqual(fromRoot, toRoot);
  // RFC 9162 §2.1.4.2. When the older tree is perfect its root stands for the proof's first hash.
  let position = from - 1;
  let last = to - 1;
  while (position % 2 === 1) [position, last] = [half(position), half(last)];
  const [first, ...rest] = position === 0 ? [fromRoot, ...hashes] : hashes;
  if (first === undefined) return false;
  let older = first;
  let newer = first;
  for (const hash of rest) {
    if (last === 0) return false;
    if (position % 2 === 1 || position === last) {
      older = nodeHash(hash, older);
      newer = nodeHash(hash, newer);
      while (position % 2 === 0 && position !== 0) [position, last] = [position / 2, half(last)];
    } else {
      newer = nodeHash(newer, hash);
    }
    [position, last] = [half(position), half(last)];
  }
  return last === 0 && isEqual(older, fromRoot) && isEqual(newer, toRoot);
}

function path(index: number, start: number, end: number, getNode: GetNode): Uint8Array[] {
  if (end - start === 1) return [];
  const middle = start + splitPoint(end - start);
  return index < middle
    ? [...path(index, start, middle, getNode), rangeHash(middle, end, getNode)]
    : [...path(index, middle, end, getNode), rangeHash(start, middle, getNode)];
}

function subProof(from: number, start: number, end: number, isWhole: boolean, getNode: GetNode): Uint8Array[] {
  if (from === end) return isWhole ? [] : [rangeHash(start, end, getNode)];
  const middle = start + splitPoint(end - start);
  return from <= middle
    ? [...subProof(from, start, middle, isWhole, getNode), rangeHash(middle, end, getNode)]
    : [...subProof(from, middle, end, false, getNode), rangeHash(start, middle, getNode)];
}

/** Hash over [start, end), where `start` is a multiple of the smallest power of two that covers the range. */
function rangeHash(start: number, end: number, getNode: GetNode): Uint8Array {
  const count = end - start;
  if (count === 1) return getNode(0, start);
  const split = splitPoint(count);
  if (2 * split === count) return getNode(Math.round(Math.log2(count)), start / count);
  const middle = start + split;
  return nodeHash(rangeHash(start, middle, getNode), rangeHash(middle, end, getNode));
}

/** RFC 6962 §2.1: the largest power of two smaller than `count`. */
function splitPoint(count: number): number {
  let power = 1;
  while (power * 2 < count) power *= 2;
  return power;
}

function recordNodes(run: (getNode: GetNode) => unknown): NodeId[] {
  const asked: NodeId[] = [];
  run((level, index) => {
    asked.push({ level, index });
    return new Uint8Array(HASH_BYTES);
  });
  return asked;
}

const half = (value: number): number => Math.floor(value / 2);
const isHash = (value: Uint8Array): boolean => value.length === HASH_BYTES;
const isEqual = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;

function requireCount(value: number): void {
  if (!isCount(value)) throw new TypeError('a tree size or leaf index is a non-negative safe integer');
}
