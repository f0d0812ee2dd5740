/**
 * What a filter says about one system call: refused, or allowed in the listed cases of its
 * arguments. Allow-lists all the way down: what no case names is refused, so a value that somebody
 * invents tomorrow is refused too. Data only, without numbers of calls or code.
 */

/**
 * One test of one argument: true when the argument's bits under `mask` equal one of `values`.
 *
 * The kernel reads an `int` argument from the low half of the register and ignores the high half:
 * such an argument MUST be compared under `INT`, or a set high bit would make another value of it.
 */
export interface ArgumentTest {
  /** 0 to 5. */
  readonly argument: number;
  readonly mask: bigint;
  /** Within `mask`, without duplicates. */
  readonly values: readonly bigint[];
}

/** All tests of a case must be true, each about another argument; a case without tests always is. */
export type ArgumentCase = readonly ArgumentTest[];

export interface CallRule {
  /** Allowed when one of them holds; none: always refused. */
  readonly cases: readonly ArgumentCase[];
  /** The error number of a refusal. */
  readonly refusal: number;
}

/** An `int`, `unsigned int` or `mode_t` argument. */
export const INT = 0xffff_ffffn;
/** A `long`, or a pointer. */
export const LONG = 0xffff_ffff_ffff_ffffn;

/** The error numbers of asm-generic/errno.h, which both architectures use. */
export const ERRNO = { EPERM: 1, EACCES: 13, ENOTTY: 25, ENOSYS: 38, EAFNOSUPPORT: 97 } as const;

export const ALWAYS: readonly ArgumentCase[] = [[]];

export function isAlways(cases: readonly ArgumentCase[]): boolean {
  return cases.some((tests) => tests.length === 0);
}

/** The argument is one of these. */
export function oneOf(argument: number, mask: bigint, ...values: readonly bigint[]): ArgumentTest {
  return { argument, mask, values };
}

/** None of these bits is set. */
export function clear(argument: number, bits: bigint): ArgumentTest {
  return { argument, mask: bits, values: [0n] };
}

/** All of these bits are set, and none of those. */
export function bits(argument: number, set: bigint, unset: bigint): ArgumentTest {
  return { argument, mask: set | unset, values: [set] };
}

/** Either is enough. A case that always holds makes the others say nothing. */
export function either(left: readonly ArgumentCase[], right: readonly ArgumentCase[]): readonly ArgumentCase[] {
  if (isAlways(left) || isAlways(right)) return ALWAYS;
  return [...left, ...right.filter((tests) => !left.includes(tests))];
}
