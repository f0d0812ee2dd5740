/** libseccomp as the other opinion about a plan, through `node:ffi`: seccomp_rule_add(3), seccomp_export_bpf(3). */
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { dlopen } from 'node:ffi';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ArgumentCase, type ArgumentTest, isAlways } from '../../src/seccomp/call-rule.ts';
import type { FilterPlan } from '../../src/seccomp/plan-filter.ts';
import { type Architecture, SYSCALLS } from '../../src/seccomp/syscall-table.ts';
import { ACTION, AUDIT_ARCH } from './filter-oracle.ts';

/** seccomp.h: enum scmp_filter_attr and enum scmp_compare. */
const [SCMP_FLTATR_ACT_BADARCH, SCMP_FLTATR_CTL_OPTIMIZE, SCMP_CMP_MASKED_EQ] = [2, 8, 7];
/** seccomp.h: __NR_SCMP_ERROR */
const NO_SUCH_CALL = -1;
const ENOSYS = 38;

/** The library's functions. Throws where it is not installed. */
export function openLibSeccomp() {
  return dlopen('libseccomp.so.2', {
    seccomp_init: { arguments: ['u32'], return: 'pointer' },
    seccomp_release: { arguments: ['pointer'], return: 'void' },
    seccomp_arch_add: { arguments: ['pointer', 'u32'], return: 'i32' },
    seccomp_arch_remove: { arguments: ['pointer', 'u32'], return: 'i32' },
    seccomp_arch_native: { arguments: [], return: 'u32' },
    seccomp_attr_set: { arguments: ['pointer', 'i32', 'u32'], return: 'i32' },
    seccomp_rule_add_array: { arguments: ['pointer', 'u32', 'i32', 'u32', 'buffer'], return: 'i32' },
    seccomp_export_bpf: { arguments: ['pointer', 'i32'], return: 'i32' },
    seccomp_syscall_resolve_name: { arguments: ['string'], return: 'i32' },
    seccomp_syscall_resolve_name_arch: { arguments: ['u32', 'string'], return: 'i32' },
  }).functions;
}

export type LibSeccomp = ReturnType<typeof openLibSeccomp>;

/** The number that libseccomp knows; `undefined` when the call is younger than it, or not of the architecture. */
export function resolveName(lib: LibSeccomp, architecture: Architecture, name: string): number | undefined {
  const number = lib.seccomp_syscall_resolve_name_arch(AUDIT_ARCH[architecture], name);
  return number <= NO_SUCH_CALL ? undefined : number;
}

function must(result: number, what: string): void {
  if (result !== 0) throw new Error(`libseccomp: ${what} failed with ${result}`);
}

interface Comparison {
  readonly argument: number;
  readonly mask: bigint;
  readonly value: bigint;
}

/** struct scmp_arg_cmp: argument, comparison, mask, value. */
function encodeTests(tests: readonly Comparison[]): Buffer {
  const bytes = Buffer.alloc(24 * Math.max(tests.length, 1));
  for (const [index, { argument, mask, value }] of tests.entries()) {
    bytes.writeUInt32LE(argument, index * 24);
    bytes.writeUInt32LE(SCMP_CMP_MASKED_EQ, index * 24 + 4);
    bytes.writeBigUInt64LE(mask, index * 24 + 8);
    bytes.writeBigUInt64LE(value, index * 24 + 16);
  }
  return bytes;
}

function comparisonsOf({ argument, mask, values }: ArgumentTest): Comparison[] {
  return values.map((value) => ({ argument, mask, value }));
}

/** libseccomp compares with one value at a time: one rule for each combination. */
function singleValued(tests: ArgumentCase): Comparison[][] {
  const [first, ...rest] = tests;
  if (first === undefined) return [[]];
  const others = singleValued(rest);
  return comparisonsOf(first).flatMap((one) => others.map((row) => [one].concat(row)));
}

/**
 * The same policy compiled by libseccomp. A call with conditions falls through to its default
 * action there, ENOSYS: it cannot say two things about one call unless both have conditions.
 */
export function compileByLibSeccomp(lib: LibSeccomp, plan: FilterPlan, architecture: Architecture): Uint8Array {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-libseccomp-'));
  const context = lib.seccomp_init(ACTION.errno | ENOSYS);
  try {
    must(lib.seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, ACTION.kill), 'attr_set');
    must(lib.seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2), 'attr_set');
    if (lib.seccomp_arch_native() !== AUDIT_ARCH[architecture]) {
      must(lib.seccomp_arch_remove(context, lib.seccomp_arch_native()), 'arch_remove');
      must(lib.seccomp_arch_add(context, AUDIT_ARCH[architecture]), 'arch_add');
    }
    for (const [name, { cases, refusal }] of plan) {
      if (resolveName(lib, architecture, name) !== SYSCALLS[architecture].get(name)) continue;
      // Rules are written with the numbers of the machine that this runs on, and translated.
      const number = lib.seccomp_syscall_resolve_name(name);
      const add = (action: number, tests: readonly Comparison[]) =>
        must(lib.seccomp_rule_add_array(context, action, number, tests.length, encodeTests(tests)), name);
      if (isAlways(cases)) add(ACTION.allow, []);
      else if (cases.length > 0) for (const tests of cases.flatMap(singleValued)) add(ACTION.allow, tests);
      else if (refusal !== ENOSYS) add(ACTION.errno | refusal, []);
    }
    const path = join(directory, 'filter');
    const file = openSync(path, 'wx', 0o600);
    must(lib.seccomp_export_bpf(context, file), 'export_bpf');
    closeSync(file);
    return new Uint8Array(readFileSync(path));
  } finally {
    lib.seccomp_release(context);
    rmSync(directory, { recursive: true });
  }
}
