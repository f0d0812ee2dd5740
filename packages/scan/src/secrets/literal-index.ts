/**
 * Finds many literals in bytes at once: the automaton of Aho and Corasick (CACM 18/6, 1975) as one
 * dense table, so that every byte costs one look-up however many literals there are. ASCII letters
 * match in either case. This is what makes a scan cheap: rules run only where one of their literals is.
 */

const BYTES = 256;

export class LiteralIndex {
  readonly #lengths: readonly number[];
  /** `next[state << 8 | byte]`, already shifted. */
  readonly #next: Int32Array;
  /** Literals that end in a state; `undefined` for nearly all. */
  readonly #ends: readonly (readonly number[] | undefined)[];
  /** States are numbered so that those in which a literal ends come last. */
  readonly #firstEnding: number;

  /** @param literals lower case, not empty */
  constructor(literals: readonly string[]) {
    this.#lengths = literals.map((literal) => literal.length);
    const children: Map<number, number>[] = [new Map()];
    const ends: number[][] = [[]];
    for (const [index, literal] of literals.entries()) {
      let state = 0;
      for (const byte of Buffer.from(literal, 'latin1')) {
        let child = children[state]!.get(byte);
        if (child === undefined) {
          child = children.length;
          children.push(new Map());
          ends.push([]);
          children[state]!.set(byte, child);
        }
        state = child;
      }
      ends[state]!.push(index);
    }
    const next = new Int32Array(children.length * BYTES);
    const fail = new Int32Array(children.length);
    const queue = [0];
    // Breadth first: the state failed to is shorter, hence complete.
    for (let at = 0; at < queue.length; at++) {
      const state = queue[at]!;
      const failed = fail[state]!;
      if (state !== 0) {
        next.copyWithin(state * BYTES, failed * BYTES, failed * BYTES + BYTES);
        ends[state]!.push(...ends[failed]!);
      }
      for (const [byte, child] of children[state]!) {
        fail[child] = state === 0 ? 0 : next[failed * BYTES + byte]!;
        next[state * BYTES + byte] = child;
        queue.push(child);
      }
    }
    const order = queue.toSorted((a, b) => Number(ends[a]!.length > 0) - Number(ends[b]!.length > 0));
    const renamed = new Int32Array(children.length);
    for (const [to, from] of order.entries()) renamed[from] = to;
    this.#next = new Int32Array(next.length);
    for (const [to, from] of order.entries()) {
      for (let byte = 0; byte < BYTES; byte++) {
        // Literals are lower case: an upper-case letter goes where its lower-case form goes.
        const folded = byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
        this.#next[to * BYTES + byte] = renamed[next[from * BYTES + folded]!]! * BYTES;
      }
    }
    this.#ends = order.map((from) => (ends[from]!.length > 0 ? ends[from] : undefined));
    this.#firstEnding = order.findIndex((from) => ends[from]!.length > 0) * BYTES;
  }

  /** Calls `visit` with the index of each literal found and where it starts, in the order of their ends. */
  find(bytes: Uint8Array, visit: (literal: number, start: number) => void): void {
    const next = this.#next;
    const firstEnding = this.#firstEnding;
    let state = 0;
    for (let at = 0; at < bytes.length; at++) {
      state = next[state | bytes[at]!]!;
      if (state < firstEnding) continue;
      for (const literal of this.#ends[state >> 8]!) visit(literal, at + 1 - this.#lengths[literal]!);
    }
  }
}
