/** What a plan says about one call, worked out from the plan and not from the filter made of it. */
import type { ArgumentTest } from '../../src/seccomp/call-rule.ts';
import type { FilterPlan } from '../../src/seccomp/plan-filter.ts';
import { type Architecture, SYSCALLS } from '../../src/seccomp/syscall-table.ts';
import type { CallData } from './interpret-filter.ts';

/** linux/seccomp.h */
export const ACTION = { kill: 0x8000_0000, allow: 0x7fff_0000, errno: 0x0005_0000 } as const;

/** linux/audit.h */
export const AUDIT_ARCH = {
  x64: 0xc000_003e,
  arm64: 0xc000_00b7,
  i386: 0x4000_0003,
  arm: 0x4000_0028,
  riscv64: 0xc000_00f3,
  x64BigEndian: 0x8000_003e,
} as const;

const ENOSYS = 38;
const X32_BIT = 0x4000_0000;

export function namesByNumber(architecture: Architecture): ReadonlyMap<number, string> {
  return new Map([...SYSCALLS[architecture]].map(([name, number]) => [number, name]));
}

function holds({ argument, mask, values }: ArgumentTest, call: CallData): boolean {
  return values.includes((call.arguments[argument] ?? 0n) & mask);
}

export type Oracle = (call: CallData) => number;

export function oracleOf(plan: FilterPlan, architecture: Architecture): Oracle {
  const names = namesByNumber(architecture);
  return (call) => {
    if (call.architecture !== AUDIT_ARCH[architecture]) return ACTION.kill;
    if (architecture === 'x64' && call.number >= X32_BIT) return ACTION.kill;
    const rule = plan.get(names.get(call.number) ?? '');
    if (rule === undefined) return ACTION.errno | ENOSYS;
    const allowed = rule.cases.some((tests) => tests.every((test) => holds(test, call)));
    return allowed ? ACTION.allow : ACTION.errno | rule.refusal;
  };
}
