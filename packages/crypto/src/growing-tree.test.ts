import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GrowingTree, leafHash, rootOf } from './index.ts';

describe('GrowingTree', () => {
  it('has at every size the root that the whole tree of that size has', () => {
    const tree = new GrowingTree();
    const leaves: Uint8Array[] = [];
    assert.deepEqual(Buffer.from(tree.root()), Buffer.from(rootOf([])));
    for (let size = 1; size <= 70; size++) {
      const leaf = leafHash(Buffer.from(`leaf ${size}`));
      leaves.push(leaf);
      tree.append(leaf);
      assert.equal(tree.size, size);
      assert.deepEqual(Buffer.from(tree.root()), Buffer.from(rootOf(leaves)));
    }
  });
  it('copies into a tree that grows on its own', () => {
    const [first, second, third] = ['one', 'two', 'three'].map((text) => leafHash(Buffer.from(text))) as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ];
    const tree = new GrowingTree();
    tree.append(first);
    const copy = tree.copy();
    copy.append(second);
    tree.append(third);
    assert.deepEqual(Buffer.from(copy.root()), Buffer.from(rootOf([first, second])));
    assert.deepEqual(Buffer.from(tree.root()), Buffer.from(rootOf([first, third])));
  });
});
