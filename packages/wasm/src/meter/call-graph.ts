/**
 * Which functions test the counter when they are entered, and which are so simple that their
 * callers charge for them. Decided over the graph of direct calls, before anything is rewritten.
 *
 * Work without a test must be bounded. Loops test at their heads; what is left is recursion,
 * where one function of every cycle tests, and chains of calls that multiply, where a function
 * tests once the code below it that does not is more than `MAX_UNTESTED`. A cycle through a table
 * passes through a function that calls indirectly, and those always test. What a call adds is counted
 * where it is made, so that a function's calls together are bounded too.
 */
import { MAX_UNTESTED, MAX_UNTESTED_BY_REFERENCE } from './scan.ts';

/** Facts about the defined functions, by their number among these. */
export interface CallFacts {
  readonly importCount: number;
  /** Static cost. */
  readonly costs: Float64Array;
  /** 1: without branches, calls and charges by length, and reachable by direct calls only. */
  readonly chargeable: Uint8Array;
  /** 1: has a `call_indirect`. */
  readonly indirect: Uint8Array;
  /** 1: may be called through a table. */
  readonly referenced: Uint8Array;
  /** Callees, function by function, as indices of the module; `edgeStart[f]` to `edgeStart[f + 1]`. */
  readonly edges: Int32Array;
  readonly edgeStart: Int32Array;
}

export interface MeteringPlan {
  /** 1: tests on entry. */
  readonly tests: Uint8Array;
  /** 1: its callers charge `costs` for it. */
  readonly prepaid: Uint8Array;
  /** Cost of what runs from entry to exit without a test; 0 of a function that tests. */
  readonly untested: Float64Array;
}

const UNSEEN = 0;
const OPEN = 1;
const DONE = 2;

export function planMetering(facts: CallFacts): MeteringPlan {
  const { importCount, costs, chargeable, indirect, referenced, edges, edgeStart } = facts;
  const count = costs.length;
  const tests = new Uint8Array(indirect);
  const prepaid = new Uint8Array(count);
  const state = new Uint8Array(count);
  const next = new Int32Array(edgeStart);
  const untested = new Float64Array(count);
  for (let f = 0; f < count; f++) if (chargeable[f] === 1 && costs[f]! <= MAX_UNTESTED) prepaid[f] = 1;

  // Depth first, callees before callers, with a stack of our own: the graph is a stranger's.
  const stack: number[] = [];
  for (let root = 0; root < count; root++) {
    if (state[root] !== UNSEEN) continue;
    stack.push(root);
    state[root] = OPEN;
    untested[root] = costs[root]!;
    while (stack.length > 0) {
      const f = stack.at(-1)!;
      if (next[f]! < edgeStart[f + 1]!) {
        const callee = edges[next[f]!]! - importCount;
        if (callee < 0) {
          next[f]!++;
        } else if (state[callee] === UNSEEN) {
          state[callee] = OPEN;
          untested[callee] = costs[callee]!;
          stack.push(callee); // The edge is looked at again when the callee is done.
        } else {
          if (state[callee] === OPEN) tests[callee] = 1;
          else untested[f]! += untested[callee]!;
          next[f]!++;
        }
      } else {
        if (untested[f]! > (referenced[f] === 1 ? MAX_UNTESTED_BY_REFERENCE : MAX_UNTESTED)) tests[f] = 1;
        if (tests[f] === 1) untested[f] = 0;
        state[f] = DONE;
        stack.pop();
      }
    }
  }
  return { tests, prepaid, untested };
}
