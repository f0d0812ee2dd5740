/**
 * From system calls to the parts of a profile that allow them, by the filter's own rules: what is
 * proposed here is what `planFilter` will allow, argument by argument.
 */
import { constants } from 'node:os';
import { SYSCALL_PURPOSES, type SyscallPurpose } from '@holdfast/policy';
import { SOCKET_TCP } from '../seccomp/argument-rules.ts';
import { type ArgumentCase, either, ERRNO, isAlways } from '../seccomp/call-rule.ts';
import { casesOf, listedCases } from '../seccomp/plan-filter.ts';
import { LISTED_WITH_CASES, NEVER, PURPOSES, REFUSALS } from '../seccomp/purposes.ts';
import { isSyscallName } from '../seccomp/syscall-table.ts';
import type { ObservedCall } from './observations.ts';

export interface SyscallNeeds {
  /** Each with the calls for which it is there, in the order of `SYSCALL_PURPOSES`. */
  readonly purposes: ReadonlyMap<SyscallPurpose, readonly string[]>;
  readonly allow: readonly string[];
  /** What no profile gives, in words. */
  readonly unmet: readonly string[];
  /** What is refused in a way in which programs go on. */
  readonly refused: readonly string[];
}

/** A call that a profile can give. */
interface WantedCall {
  readonly name: string;
  /** Each allows every use of it that was seen. */
  readonly purposes: readonly SyscallPurpose[];
  /** Whether listing it by its name does. */
  readonly canBeListed: boolean;
}

type Arguments = readonly (bigint | null)[];

/** A purpose is proposed for this many of its calls; fewer are listed by themselves. */
const MIN_CALLS_OF_PURPOSE = 2;

/** The calls that the filter answers as a kernel that does not have them; a C library then takes another. */
const ABSENT: ReadonlySet<string> = new Set(
  Object.entries(REFUSALS)
    .filter(([, errno]) => errno === ERRNO.ENOSYS)
    .map(([name]) => name),
);

/** The name of the error by which the filter refuses a call. */
export function refusalOf(name: string): string | undefined {
  const errno = REFUSALS[name] ?? ERRNO.EPERM;
  return Object.entries(constants.errno).find(([, value]) => value === errno)?.[0];
}

/** Positions of the arguments that any rule looks at. */
export function testedArguments(name: string): ReadonlySet<number> {
  const rules = [...Object.values(PURPOSES), LISTED_WITH_CASES, { socket: SOCKET_TCP }];
  const cases = rules.flatMap((calls) => casesOf(calls, name === 'clone3' ? 'clone' : name));
  return new Set(cases.flatMap((tests) => tests.map(({ argument }) => argument)));
}

/**
 * The least that allows what was seen: as few calls listed by themselves as `MIN_CALLS_OF_PURPOSE`
 * permits, then the fewest purposes, then those that open the fewest calls.
 *
 * @param hasNetwork true when the profile lists endpoints, which brings the purpose `sockets` along
 */
export function planSyscalls(observed: readonly ObservedCall[], hasNetwork: boolean): SyscallNeeds {
  const unmet: string[] = [];
  const refused: string[] = [];
  const wanted: WantedCall[] = [];
  const useful = observed.filter(({ on, name }) => name !== 'socket' && (on !== 'tcp' || hasNetwork));
  if (useful.some(({ name }) => name === 'clone3')) refused.push('clone3');
  for (const [name, uses] of groupByName(useful)) {
    if (NEVER.has(name)) unmet.push(`the system call ${name}`);
    else if (ABSENT.has(name)) refused.push(name);
    else if (!isSyscallName(name)) unmet.push(`a system call that is not known here (${name})`);
    else {
      const possible = uses.filter((args) => matches(everyCase(name), args));
      if (possible.length < uses.length) unmet.push(`the system call ${name} with the arguments it gave`);
      if (possible.length > 0) wanted.push(want(name, possible));
    }
  }
  const given: readonly SyscallPurpose[] = hasNetwork ? ['base', 'sockets'] : ['base'];
  const open = wanted.filter(({ purposes }) => !given.some((purpose) => purposes.includes(purpose)));
  const chosen = choosePurposes(open);
  const namesOf = (of: readonly WantedCall[], purpose: SyscallPurpose): readonly string[] =>
    of.filter(({ purposes }) => purposes.includes(purpose)).map(({ name }) => name);
  return {
    purposes: new Map([
      ['base', namesOf(wanted, 'base')],
      ...chosen.map((purpose) => [purpose, namesOf(open, purpose)] as const),
    ]),
    allow: without(open, chosen)
      .map(({ name }) => name)
      .toSorted(),
    unmet,
    refused,
  };
}

function want(name: string, uses: readonly Arguments[]): WantedCall {
  const allowsAll = (cases: readonly ArgumentCase[]): boolean => uses.every((args) => matches(cases, args));
  return {
    name,
    purposes: SYSCALL_PURPOSES.filter((purpose) => allowsAll(casesOf(PURPOSES[purpose], name))),
    canBeListed: allowsAll(listedCases(name)),
  };
}

/** Tries all sets of purposes: there are 128. */
function choosePurposes(open: readonly WantedCall[]): readonly SyscallPurpose[] {
  const candidates = SYSCALL_PURPOSES.filter((purpose) => open.some(({ purposes }) => purposes.includes(purpose)));
  const plans = Array.from({ length: 2 ** candidates.length }, (_, bits) => {
    const set = candidates.filter((__, index) => (bits & (1 << index)) !== 0);
    const opened = new Set(set.flatMap((purpose) => Object.keys(PURPOSES[purpose])));
    return { set, cost: [without(open, set).length, set.length, opened.size] };
  });
  const allowed = plans.filter(
    ({ set }) =>
      without(open, set).every(({ canBeListed }) => canBeListed) && set.every((purpose) => isWorthIt(purpose, open)),
  );
  return allowed.toSorted((a, b) => compare(a.cost, b.cost))[0]?.set ?? [];
}

function isWorthIt(purpose: SyscallPurpose, open: readonly WantedCall[]): boolean {
  const calls = open.filter(({ purposes }) => purposes.includes(purpose));
  return calls.length >= MIN_CALLS_OF_PURPOSE || calls.some(({ canBeListed }) => !canBeListed);
}

function without(open: readonly WantedCall[], set: readonly SyscallPurpose[]): readonly WantedCall[] {
  return open.filter(({ purposes }) => !purposes.some((purpose) => set.includes(purpose)));
}

function compare(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at === -1 ? 0 : (a[at] ?? 0) - (b[at] ?? 0);
}

/** A `clone3` comes back as `clone`, which the C library tries next. */
function groupByName(observed: readonly ObservedCall[]): ReadonlyMap<string, readonly Arguments[]> {
  const groups = new Map<string, Arguments[]>();
  for (const { name, args } of observed) {
    const as = name === 'clone3' ? 'clone' : name;
    const numbers = args.map((text) => (text === null ? null : BigInt.asUintN(64, BigInt(text))));
    groups.set(as, [...(groups.get(as) ?? []), numbers]);
  }
  return groups;
}

/** Every way in which some profile allows a call; that is any, when the rules do not know it. */
function everyCase(name: string): readonly ArgumentCase[] {
  return either(listedCases(name), casesOf(PURPOSES.jit, name));
}

/** An argument that is not known is taken for one that is allowed: the run that verifies will tell. */
function matches(cases: readonly ArgumentCase[], args: Arguments): boolean {
  if (isAlways(cases)) return true;
  return cases.some((tests) =>
    tests.every(({ argument, mask, values }) => {
      const value = args[argument] ?? null;
      return value === null || values.includes(value & mask);
    }),
  );
}
