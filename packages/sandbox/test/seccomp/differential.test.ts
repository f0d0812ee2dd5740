/** our filters against libseccomp's, call by call, on both architectures. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { SandboxProfile } from '@holdfast/policy';
import { needs } from '@holdfast/testing';
import { assembleFilter } from '../../src/seccomp/assemble-filter.ts';
import { planFilter } from '../../src/seccomp/plan-filter.ts';
import { type Architecture, SYSCALLS } from '../../src/seccomp/syscall-table.ts';
import { ACTION, namesByNumber, oracleOf } from './filter-oracle.ts';
import { type CallData, decodeFilter, interpretFilter, wordsOf } from './interpret-filter.ts';
import { compileByLibSeccomp, type LibSeccomp, openLibSeccomp, resolveName } from './libseccomp.ts';
import { foreignProbes, probesOf } from './probes.ts';
import { PROFILES } from './profiles.ts';

const ENOSYS = 38;
/** over all profiles and both architectures. */
const MIN_CASES = 300_000;

/** A tracer skips a call by giving it this number, which libseccomp lets pass; here nothing is traced. */
const SKIPPED_CALL = 0xffff_ffff;

interface Compared {
  readonly cases: number;
  readonly instructions: readonly [own: number, other: number];
}

function show(call: CallData): string {
  return JSON.stringify(call, (_key, value: unknown) =>
    typeof value === 'bigint' ? `0x${value.toString(16)}` : value,
  );
}

function compare(lib: LibSeccomp, profile: SandboxProfile, architecture: Architecture): Compared {
  const plan = planFilter(profile, architecture);
  const own = decodeFilter(assembleFilter(plan, architecture));
  const other = decodeFilter(compileByLibSeccomp(lib, plan, architecture));
  const oracle = oracleOf(plan, architecture);
  const names = namesByNumber(architecture);
  const younger = new Set([...names.values()].filter((name) => resolveName(lib, architecture, name) === undefined));
  let cases = 0;
  for (const call of [
    ...probesOf(plan, architecture, { perNumber: 24, perRule: 20_000 }),
    ...foreignProbes(architecture),
  ]) {
    const words = wordsOf(call);
    const answer = interpretFilter(own, words);
    if (answer !== oracle(call)) assert.equal(answer, oracle(call), show(call));
    const name = names.get(call.number) ?? '';
    if (answer !== ACTION.kill && younger.has(name)) continue;
    if (architecture === 'x64' && call.number === SKIPPED_CALL) continue;
    cases++;
    // What no condition allows is the default action there, since a call with conditions can have no other.
    const { cases: conditions = [], refusal = ENOSYS } = plan.get(name) ?? {};
    const said = interpretFilter(other, words);
    const fellThrough = conditions.length > 0 && said === (ACTION.errno | ENOSYS);
    const wanted = fellThrough ? ACTION.errno | refusal : said;
    if (answer !== wanted) assert.equal(answer, wanted, show(call));
  }
  return { cases, instructions: [own.length, other.length] };
}

describe('seccomp filters', () => {
  it('X-02: say what libseccomp says, in at least 300,000 cases', needs('libseccomp'), (t) => {
    const lib = openLibSeccomp();
    let total = 0;
    for (const [name, profile] of Object.entries(PROFILES)) {
      for (const architecture of ['x64', 'arm64'] as const) {
        const { cases, instructions } = compare(lib, profile, architecture);
        t.diagnostic(`${name}, ${architecture}: ${cases} cases, ${instructions.join(' to ')} instructions`);
        total += cases;
      }
    }
    t.diagnostic(`${total} cases`);
    assert.ok(total >= MIN_CASES, `only ${total} cases`);
  });

  it('X-02: number calls as libseccomp does', needs('libseccomp'), (t) => {
    const lib = openLibSeccomp();
    for (const architecture of ['x64', 'arm64'] as const) {
      const younger: string[] = [];
      for (const [name, number] of SYSCALLS[architecture]) {
        const known = resolveName(lib, architecture, name);
        if (known === undefined) younger.push(name);
        else assert.equal(number, known, `${architecture}: ${name}`);
      }
      t.diagnostic(`${architecture}: unknown to this libseccomp: ${younger.join(' ')}`);
      assert.ok(younger.length < 40, 'the table is mostly unknown to libseccomp');
    }
  });
});
