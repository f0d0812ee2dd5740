/**
 * From a profile to what its filter says about every call of an architecture. Names and
 * cases only: the numbers and the code are made of this by `assemble-filter.ts`, the text for
 * people by `describe-seccomp.ts`.
 */
import { HoldfastError } from '@holdfast/core';
import type { SandboxProfile, SyscallPurpose } from '@holdfast/policy';
import { SOCKET_OF_HOST, SOCKET_TCP } from './argument-rules.ts';
import { ALWAYS, type ArgumentCase, type CallRule, either, ERRNO } from './call-rule.ts';
import { type CallCases, LISTED_WITH_CASES, NEVER, PURPOSES, REFUSALS } from './purposes.ts';
import { type Architecture, isSyscallName, SYSCALLS } from './syscall-table.ts';

/** By name, every call that the architecture has. Numbers outside it are ENOSYS, as in an older kernel. */
export type FilterPlan = ReadonlyMap<string, CallRule>;

type Network = SandboxProfile['network'];

const NOTHING: readonly ArgumentCase[] = [];

function socketCases(network: Network): readonly ArgumentCase[] {
  if (network === 'none') return NOTHING;
  return network === 'host' ? SOCKET_OF_HOST : SOCKET_TCP;
}

/** A network that is there is there to be used. */
function purposesOf({ syscalls, network }: SandboxProfile): ReadonlySet<SyscallPurpose> {
  return new Set([...syscalls.purposes, ...(network === 'none' ? [] : (['sockets'] as const))]);
}

/** What a name in the profile's own `allow` stands for: the cases of every purpose, or any argument at all. */
export function listedCases(name: string): readonly ArgumentCase[] {
  const cases = Object.entries(PURPOSES)
    .filter(([purpose]) => purpose !== 'jit') // making code is asked for by its name only
    .map(([, of]) => casesOf(of, name))
    .reduce(either, casesOf(LISTED_WITH_CASES, name));
  return cases.length === 0 ? ALWAYS : cases;
}

export function casesOf(calls: CallCases, name: string): readonly ArgumentCase[] {
  return Object.hasOwn(calls, name) ? (calls[name] ?? NOTHING) : NOTHING;
}

function refused(list: 'allow' | 'deny', name: string, why: string): HoldfastError {
  return new HoldfastError(`the profile's system calls cannot be used: ${why}`, {
    code: 'ERR_SANDBOX_PROFILE',
    fields: { place: `syscalls.${list}`, name },
  });
}

function checkLists({ allow, deny }: SandboxProfile['syscalls']): void {
  for (const [list, names] of [['allow', allow] as const, ['deny', deny] as const]) {
    for (const name of names) if (!isSyscallName(name)) throw refused(list, name, 'there is none of this name');
  }
  for (const name of allow) {
    if (NEVER.has(name)) throw refused('allow', name, 'no profile gets this one');
    if (name === 'socket') throw refused('allow', name, 'which sockets there are follows from the network');
  }
}

/** @throws `ERR_SANDBOX_PROFILE` when a listed name is no system call, or one that no profile gets */
export function planFilter(profile: SandboxProfile, architecture: Architecture): FilterPlan {
  const { allow, deny } = profile.syscalls;
  checkLists(profile.syscalls);
  const purposes = [...purposesOf(profile)];
  const plan = new Map<string, CallRule>();
  for (const name of SYSCALLS[architecture].keys()) {
    let cases = purposes.map((purpose) => casesOf(PURPOSES[purpose], name)).reduce(either, NOTHING);
    if (allow.includes(name)) cases = either(cases, listedCases(name));
    if (name === 'socket') cases = socketCases(profile.network);
    if (deny.includes(name)) cases = NOTHING;
    plan.set(name, { cases, refusal: REFUSALS[name] ?? ERRNO.EPERM });
  }
  return plan;
}
