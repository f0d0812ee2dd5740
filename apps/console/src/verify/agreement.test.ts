/** The browser's verifier is a second implementation: here it is held against the first (W-06). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  formatVerifierKey,
  inclusionProof,
  leafHash,
  nodeHash,
  rootOf,
  signCheckpoint,
  signerFromSeed,
  verifyCheckpoint,
  verifyInclusion,
} from '@holdfast/crypto';
import * as fc from 'fast-check';
import { toHex } from './bytes.ts';
import { openCheckpoint, parseVerifierKey } from './checkpoint.ts';
import { hashLeaf, rootOfInclusion } from './merkle.ts';

const ORIGIN = 'holdfast.test/log/default';
const signer = signerFromSeed(new Uint8Array(32).fill(7));
const key = formatVerifierKey(ORIGIN, signer.publicKey);

function treeOf(size: number): { leaves: Uint8Array[]; root: Uint8Array; proofOf: (index: number) => Uint8Array[] } {
  const leaves = Array.from({ length: size }, (_, index) => leafHash(Buffer.from(`leaf ${index}`)));
  const nodeAt = (level: number, index: number): Uint8Array => {
    if (level > 0) return nodeHash(nodeAt(level - 1, 2 * index), nodeAt(level - 1, 2 * index + 1));
    const leaf = leaves[index];
    if (leaf === undefined) throw new RangeError('no such leaf');
    return leaf;
  };
  return { leaves, root: rootOf(leaves), proofOf: (index) => [...inclusionProof(index, size, nodeAt)] };
}

async function isAccepted(
  index: number,
  size: number,
  leaf: Uint8Array,
  hashes: readonly Uint8Array[],
  root: Uint8Array,
) {
  const reached = await rootOfInclusion(index, size, leaf, hashes);
  return reached !== undefined && toHex(reached) === toHex(root);
}

async function accepts(open: () => unknown): Promise<boolean> {
  try {
    await open();
    return true;
  } catch {
    return false; // which error it is, is each verifier's own
  }
}

describe('the second verifier', () => {
  it('W-06: hashes leaves as the first does', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        assert.equal(toHex(await hashLeaf(bytes)), toHex(leafHash(bytes)));
      }),
      { numRuns: 50 },
    );
  });

  it('W-06: accepts every inclusion proof of every tree up to 40 leaves', async () => {
    for (let size = 1; size <= 40; size += 1) {
      const { leaves, root, proofOf } = treeOf(size);
      for (const [index, leaf] of leaves.entries()) {
        assert.ok(await isAccepted(index, size, leaf, proofOf(index), root), `${index} of ${size}`);
      }
    }
  });

  it('W-06: judges every damaged proof exactly as the first does', async () => {
    const damaged = fc.record({
      size: fc.integer({ min: 1, max: 33 }),
      at: fc.nat(32),
      claimIndex: fc.integer({ min: -1, max: 34 }),
      claimSize: fc.integer({ min: 0, max: 34 }),
      drop: fc.option(fc.nat(6)),
      extra: fc.boolean(),
      flip: fc.option(fc.tuple(fc.nat(6), fc.nat(31))),
    });
    await fc.assert(
      fc.asyncProperty(damaged, async ({ size, at, claimIndex, claimSize, drop, extra, flip }) => {
        const { leaves, root, proofOf } = treeOf(size);
        const [index, leaf] = [at % size, leaves[at % size] ?? new Uint8Array()];
        let hashes = proofOf(index).map((hash) => Uint8Array.from(hash));
        if (drop !== null) hashes = hashes.filter((_, position) => position !== drop);
        if (extra) hashes.push(new Uint8Array(32));
        const victim = flip === null ? undefined : hashes[flip[0]];
        if (flip !== null && victim !== undefined) victim[flip[1]] = (victim[flip[1]] ?? 0) ^ 1;
        const first = verifyInclusion({ index: claimIndex, size: claimSize, leafHash: leaf, hashes, root });
        assert.equal(await isAccepted(claimIndex, claimSize, leaf, hashes, root), first);
      }),
      { numRuns: 300 },
    );
  });

  it('W-06: opens every checkpoint that the first signed, and reads the same from it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(1_000_000_000), fc.uint8Array({ minLength: 32, maxLength: 32 }), async (size, root) => {
        const opened = await openCheckpoint(signCheckpoint({ origin: ORIGIN, size, root }, signer), key);
        assert.deepEqual([opened.origin, opened.size, toHex(opened.root)], [ORIGIN, size, toHex(root)]);
      }),
      { numRuns: 30 },
    );
  });

  it('W-06: refuses a checkpoint with one character changed wherever the first refuses it', async () => {
    const note = signCheckpoint({ origin: ORIGIN, size: 12, root: new Uint8Array(32).fill(1) }, signer);
    for (let at = 0; at < note.length; at += 1) {
      for (const character of ['A', '0', '\n', ' ', '+', '=', '—', '']) {
        const changed = note.slice(0, at) + character + note.slice(at + 1);
        const first = await accepts(() => verifyCheckpoint(changed, { origin: ORIGIN, publicKey: signer.publicKey }));
        const second = await accepts(() => openCheckpoint(changed, key));
        // Stricter is fine; what the first refuses, the second must not believe.
        assert.ok(first || !second, JSON.stringify(changed));
        if (changed === note) assert.ok(first && second);
      }
    }
  });

  it('W-06: a log key of another kind, cut, or with another hash is none', async () => {
    assert.equal((await parseVerifierKey(key)).name, ORIGIN);
    for (const wrong of ['', ORIGIN, key.slice(0, -4), key.replace(/\+[0-9a-f]{8}\+/, '+00000000+'), `other${key}`]) {
      await assert.rejects(parseVerifierKey(wrong), wrong);
    }
  });
});
