/**
 * The calls to ask a filter about: every number with arguments that have nothing to do with it,
 * around every value that a plan compares with, in both halves of the register, and other machines.
 */
import type { ArgumentCase } from '../../src/seccomp/call-rule.ts';
import type { FilterPlan } from '../../src/seccomp/plan-filter.ts';
import { type Architecture, SYSCALLS } from '../../src/seccomp/syscall-table.ts';
import { AUDIT_ARCH } from './filter-oracle.ts';
import type { CallData } from './interpret-filter.ts';

const ARGUMENTS = 6;
const ALL_ONES = 0xffff_ffff_ffff_ffffn;
/** Below the last number of either table, and some above. */
const NUMBERS = 512;

/** The last before x32's, x32's own, the signs. */
const ODD_NUMBERS = [
  0x3fff_ffff, 0x4000_0000, 0x4000_0001, 0x4000_0200, 0x4000_0223, 0x7fff_ffff, 0x8000_0000, 0xc000_0000, 0xffff_fffe,
  0xffff_ffff,
];

/** A small generator with a seed (mulberry32): the same probes in every run. */
export function randomWords(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b_79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

function randomArguments(next: () => number): bigint[] {
  return Array.from({ length: ARGUMENTS }, () => (BigInt(next()) << 32n) | BigInt(next()));
}

/** One below, itself, one above, with the high half set, with a bit of the mask flipped. */
function around(value: bigint, mask: bigint): bigint[] {
  const flipped = [mask & -mask, 1n << BigInt(mask.toString(2).length - 1)].map((bit) => value ^ bit);
  const outside = ALL_ONES & ~mask;
  const near = [value, value - 1n, value + 1n, ...flipped];
  const high = [1n << 32n, 1n << 63n, 0xffff_ffff_0000_0000n, outside].map((bits) => value | bits);
  return [...near, ...high, ...flipped.map((other) => other | outside)].map((one) => BigInt.asUintN(64, one));
}

/** By argument, the values of interest of all cases of a call. */
function valuesOf(cases: readonly ArgumentCase[]): Map<number, bigint[]> {
  const values = new Map<number, Set<bigint>>();
  for (const { argument, mask, values: wanted } of cases.flat()) {
    const set = values.get(argument) ?? new Set([0n, ALL_ONES]);
    for (const value of wanted.flatMap((one) => around(one, mask))) set.add(value);
    values.set(argument, set);
  }
  return new Map([...values].map(([argument, set]) => [argument, [...set]]));
}

/** Combinations of the values of interest, all of them if they are few; the other arguments are noise. */
function* combinations(cases: readonly ArgumentCase[], most: number, next: () => number): Generator<bigint[]> {
  const lists = [...valuesOf(cases)];
  const total = lists.reduce((product, [, values]) => product * values.length, 1);
  for (let index = 0; index < Math.min(total, most); index++) {
    const chosen = randomArguments(next);
    let rest = total <= most ? index : next() % total;
    for (const [argument, values] of lists) {
      chosen[argument] = values[rest % values.length] ?? 0n;
      rest = Math.floor(rest / values.length);
    }
    yield chosen;
  }
}

/** Of the plan's own architecture: numbers, and arguments around what is compared with. */
export function* probesOf(
  plan: FilterPlan,
  architecture: Architecture,
  { perNumber, perRule }: { readonly perNumber: number; readonly perRule: number },
): Generator<CallData> {
  const next = randomWords(0x484f_4c44);
  const machine = AUDIT_ARCH[architecture];
  for (const number of [...Array(NUMBERS).keys(), ...ODD_NUMBERS]) {
    for (let index = 0; index < perNumber; index++) {
      yield { number, architecture: machine, arguments: randomArguments(next) };
    }
    yield { number, architecture: machine, arguments: Array<bigint>(ARGUMENTS).fill(0n) };
    yield { number, architecture: machine, arguments: Array<bigint>(ARGUMENTS).fill(ALL_ONES) };
  }
  for (const [name, { cases }] of plan) {
    const number = SYSCALLS[architecture].get(name) ?? 0;
    for (const values of combinations(cases, perRule, next)) {
      // What a rule allows must be allowed to its own number only, so the neighbours are asked as well.
      yield { number, architecture: machine, arguments: values };
      yield { number: number + 1, architecture: machine, arguments: values };
      if (number > 0) yield { number: number - 1, architecture: machine, arguments: values };
    }
  }
}

/** The same numbers on machines that the filter is not for. */
export function* foreignProbes(architecture: Architecture): Generator<CallData> {
  const next = randomWords(0x4641_5354);
  for (const machine of [...Object.values(AUDIT_ARCH), 0, 0xffff_ffff]) {
    if (machine === AUDIT_ARCH[architecture]) continue;
    for (const number of [...Array(NUMBERS).keys(), ...ODD_NUMBERS]) {
      for (let index = 0; index < 4; index++) {
        yield { number, architecture: machine, arguments: randomArguments(next) };
      }
    }
  }
}
