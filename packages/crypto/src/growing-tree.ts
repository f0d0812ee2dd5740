/**
 * A Merkle tree (RFC 6962 §2.1) that only grows, and that knows its root at every size on the way. It
 * keeps the roots of the perfect subtrees alone: one for each bit of its size.
 */
import { emptyRoot, nodeHash } from './merkle.ts';

export class GrowingTree {
  readonly #peaks: { readonly hash: Uint8Array; readonly level: number }[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** One that grows on its own from here. */
  copy(): GrowingTree {
    const copy = new GrowingTree();
    copy.#peaks.push(...this.#peaks);
    copy.#size = this.#size;
    return copy;
  }

  append(leafHash: Uint8Array): void {
    let peak = { hash: leafHash, level: 0 };
    for (let last = this.#peaks.at(-1); last?.level === peak.level; last = this.#peaks.at(-1)) {
      this.#peaks.pop();
      peak = { hash: nodeHash(last.hash, peak.hash), level: peak.level + 1 };
    }
    this.#peaks.push(peak);
    this.#size += 1;
  }

  root(): Uint8Array {
    const smallestFirst = this.#peaks.map(({ hash }) => hash).toReversed();
    const [smallest, ...larger] = smallestFirst;
    if (smallest === undefined) return emptyRoot();
    return larger.reduce((right, left) => nodeHash(left, right), smallest);
  }
}
