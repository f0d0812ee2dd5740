import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import {
  consistencyNodes,
  consistencyProof,
  emptyRoot,
  type GetNode,
  inclusionNodes,
  inclusionProof,
  leafHash,
  nodeHash,
  nodesOf,
  rootNodes,
  rootOf,
  treeRoot,
  verifyConsistency,
  verifyInclusion,
} from './merkle.ts';

interface Vectors {
  emptyRoot: string;
  leaves: string[];
  roots: string[];
  inclusion: { index: number; size: number; hashes: string[] }[];
  consistency: { from: number; to: number; hashes: string[] }[];
}
const vectors = JSON.parse(readFileSync(new URL('../vectors/rfc6962.json', import.meta.url), 'utf8')) as Vectors;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const bytes = (text: string): Uint8Array => Buffer.from(text, 'hex');

const referenceLeaves = vectors.leaves.map((leaf) => leafHash(bytes(leaf)));
const leavesOf = (count: number): Uint8Array[] =>
  Array.from({ length: count }, (_, index) => leafHash(Buffer.from(`leaf ${index}`)));

/** RFC 6962 §2.1, word for word, as the oracle. */
function oracleRoot(leaves: readonly Uint8Array[]): Uint8Array {
  const [only] = leaves;
  if (only === undefined) return emptyRoot();
  if (leaves.length === 1) return only;
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return nodeHash(oracleRoot(leaves.slice(0, split)), oracleRoot(leaves.slice(split)));
}

function flipBit(hash: Uint8Array, bit: number): Uint8Array {
  const flipped = Uint8Array.from(hash);
  flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return flipped;
}

describe('Merkle trees', () => {
  it('P-33: the empty tree has the root of RFC 6962', () => {
    assert.equal(hex(rootOf([])), vectors.emptyRoot);
  });

  vectors.roots.forEach((root, index) => {
    it(`P-33: the reference tree of ${index + 1} leaves has its published root`, () => {
      assert.equal(hex(rootOf(referenceLeaves.slice(0, index + 1))), root);
    });
  });

  for (const { index, size, hashes } of vectors.inclusion) {
    it(`P-33: proves leaf ${index} of ${size} with the published path`, () => {
      const path = inclusionProof(index, size, nodesOf(referenceLeaves));
      assert.deepEqual(path.map(hex), hashes);
      const leaf = referenceLeaves[index];
      assert.ok(leaf);
      const root = bytes(vectors.roots[size - 1] ?? '');
      assert.ok(verifyInclusion({ index, size, leafHash: leaf, hashes: path, root }));
    });
  }

  for (const { from, to, hashes } of vectors.consistency) {
    it(`P-33: proves that ${to} leaves begin with ${from} by the published proof`, () => {
      const proof = consistencyProof(from, to, nodesOf(referenceLeaves));
      assert.deepEqual(proof.map(hex), hashes);
      const fromRoot = bytes(vectors.roots[from - 1] ?? '');
      const toRoot = bytes(vectors.roots[to - 1] ?? '');
      assert.ok(verifyConsistency({ from, to, fromRoot, toRoot, hashes: proof }));
    });
  }

  it('P-33: every leaf of every tree up to 70 is proven, and as no other leaf, index or size', () => {
    const leaves = leavesOf(70);
    const getNode = nodesOf(leaves);
    for (let size = 1; size <= leaves.length; size += 1) {
      const root = treeRoot(size, getNode);
      assert.deepEqual(root, oracleRoot(leaves.slice(0, size)));
      for (let index = 0; index < size; index += 1) {
        const leaf = leaves[index];
        assert.ok(leaf);
        const hashes = inclusionProof(index, size, getNode);
        const claim = { index, size, leafHash: leaf, hashes, root };
        assert.ok(verifyInclusion(claim));
        assert.ok(!verifyInclusion({ ...claim, index: index + 1 }));
        assert.ok(!verifyInclusion({ ...claim, leafHash: leafHash(leaf) }));
        assert.ok(!verifyInclusion({ ...claim, hashes: [...hashes, root] }));
        assert.ok(!verifyInclusion({ ...claim, hashes: [root, ...hashes] }));
        if (hashes.length > 0) assert.ok(!verifyInclusion({ ...claim, hashes: hashes.slice(1) }));
        if (hashes.length > 0) assert.ok(!verifyInclusion({ ...claim, hashes: hashes.slice(0, -1) }));
      }
    }
  });

  it('P-33: every tree up to 50 is consistent with every earlier one, and with no other', () => {
    const getNode = nodesOf(leavesOf(50));
    for (let to = 0; to <= 50; to += 1) {
      const toRoot = treeRoot(to, getNode);
      for (let from = 0; from <= to; from += 1) {
        const fromRoot = treeRoot(from, getNode);
        const claim = { from, to, fromRoot, toRoot, hashes: consistencyProof(from, to, getNode) };
        assert.ok(verifyConsistency(claim), `${from} to ${to}`);
        assert.ok(!verifyConsistency({ ...claim, fromRoot: leafHash(fromRoot) }));
        assert.ok(!verifyConsistency({ ...claim, hashes: [...claim.hashes, toRoot] }));
        if (from > 0) assert.ok(!verifyConsistency({ ...claim, toRoot: leafHash(toRoot) }));
        if (claim.hashes.length > 0) assert.ok(!verifyConsistency({ ...claim, hashes: claim.hashes.slice(1) }));
      }
    }
  });

  it('P-33: any changed bit of any hash in a proof is refused', () => {
    const leaves = leavesOf(200);
    const getNode = nodesOf(leaves);
    fc.assert(
      fc.property(fc.nat(199), fc.nat(199), fc.nat(), fc.nat(255), (a, b, which, bit) => {
        const size = Math.max(a, b) + 1;
        const index = Math.min(a, b);
        const root = treeRoot(size, getNode);
        const leaf = leaves[index];
        assert.ok(leaf);
        const path = inclusionProof(index, size, getNode);
        if (path.length > 0) {
          const hashes = path.map((hash, at) => (at === which % path.length ? flipBit(hash, bit) : hash));
          assert.ok(!verifyInclusion({ index, size, leafHash: leaf, hashes, root }));
        }
        assert.ok(!verifyInclusion({ index, size, leafHash: flipBit(leaf, bit), hashes: path, root }));
        assert.ok(!verifyInclusion({ index, size, leafHash: leaf, hashes: path, root: flipBit(root, bit) }));
        const proof = consistencyProof(index, size, getNode);
        if (proof.length > 0) {
          const hashes = proof.map((hash, at) => (at === which % proof.length ? flipBit(hash, bit) : hash));
          const fromRoot = treeRoot(index, getNode);
          assert.ok(!verifyConsistency({ from: index, to: size, fromRoot, toRoot: root, hashes }));
        }
      }),
    );
  });

  it('P-33: asks only for perfect subtrees that lie within the tree, and says before for which', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 40 }), fc.double({ min: 0, max: 1, noNaN: true }), (size, part) => {
        const index = Math.min(size - 1, Math.floor(part * size));
        const asked: string[] = [];
        const getNode: GetNode = (level, at) => {
          assert.ok(Number.isInteger(at) && (at + 1) * 2 ** level <= size, `${level}/${at} in ${size}`);
          asked.push(`${level}/${at}`);
          return new Uint8Array(32);
        };
        inclusionProof(index, size, getNode);
        consistencyProof(index, size, getNode);
        treeRoot(size, getNode);
        const announced = [...inclusionNodes(index, size), ...consistencyNodes(index, size), ...rootNodes(size)];
        assert.deepEqual(
          announced.map(({ level, index: at }) => `${level}/${at}`),
          asked,
        );
        assert.ok(asked.length < 3 * 42 * 42);
      }),
    );
  });

  it('P-33: verifies proofs in trees larger than 32-bit numbers', () => {
    // A perfect tree of equal leaves: each level has one hash.
    const levels = [leafHash(Buffer.from('x'))];
    for (let level = 1; level <= 41; level += 1) {
      const below = levels[level - 1];
      assert.ok(below);
      levels.push(nodeHash(below, below));
    }
    const getNode: GetNode = (level) => levels[level] ?? assert.fail();
    const size = 2 ** 40 + 3;
    const root = treeRoot(size, getNode);
    const leaf = getNode(0, 0);
    for (const index of [0, 2 ** 33 + 1, 2 ** 40, size - 1]) {
      const hashes = inclusionProof(index, size, getNode);
      assert.ok(verifyInclusion({ index, size, leafHash: leaf, hashes, root }));
    }
    const from = 2 ** 35 + 5;
    const hashes = consistencyProof(from, size, getNode);
    assert.ok(verifyConsistency({ from, to: size, fromRoot: treeRoot(from, getNode), toRoot: root, hashes }));
  });

  it('P-33: nonsense is refused, not thrown', () => {
    const hash = leafHash(Buffer.from('x'));
    for (const index of [-1, 0.5, NaN, Infinity, 2 ** 60]) {
      assert.ok(!verifyInclusion({ index, size: 1, leafHash: hash, hashes: [], root: hash }));
      assert.ok(!verifyConsistency({ from: index, to: 1, fromRoot: hash, toRoot: hash, hashes: [] }));
    }
    assert.ok(!verifyInclusion({ index: 0, size: 0, leafHash: hash, hashes: [], root: hash }));
    assert.ok(!verifyInclusion({ index: 0, size: 1, leafHash: Buffer.alloc(31), hashes: [], root: Buffer.alloc(31) }));
    assert.ok(!verifyConsistency({ from: 2, to: 1, fromRoot: hash, toRoot: hash, hashes: [] }));
    assert.ok(!verifyConsistency({ from: 0, to: 0, fromRoot: emptyRoot(), toRoot: hash, hashes: [] }));
  });
});
