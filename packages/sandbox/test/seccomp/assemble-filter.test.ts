/** filters of random plans answer as their plans do, at any size, and a wrong filter is noticed. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { assembleFilter } from '../../src/seccomp/assemble-filter.ts';
import type { ArgumentCase, CallRule } from '../../src/seccomp/call-rule.ts';
import { type FilterPlan, planFilter } from '../../src/seccomp/plan-filter.ts';
import { SYSCALLS } from '../../src/seccomp/syscall-table.ts';
import { AUDIT_ARCH, oracleOf } from './filter-oracle.ts';
import { type CallData, decodeFilter, type Instruction, interpretFilter, wordsOf } from './interpret-filter.ts';
import { foreignProbes, probesOf } from './probes.ts';
import { PROFILES } from './profiles.ts';

/** linux/filter.h: BPF_MAXINSNS. */
const MAX_INSTRUCTIONS = 4_096;

const word = fc.oneof(
  fc.bigInt({ min: 0n, max: 8n }),
  fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }),
  fc.constantFrom(0xffff_ffffn, 1n << 32n, 1n << 63n, 0xffff_ffff_ffff_ffffn),
);
const testOf = (argument: number) =>
  fc
    .record({ mask: word.filter((mask) => mask !== 0n), values: fc.uniqueArray(word, { minLength: 1, maxLength: 4 }) })
    .map(({ mask, values }) => ({ argument, mask, values: [...new Set(values.map((value) => value & mask))] }));
const argumentCase: fc.Arbitrary<ArgumentCase> = fc
  .uniqueArray(fc.nat(5), { minLength: 1, maxLength: 3 })
  .chain((places) => fc.tuple(...places.map(testOf)));
const rule: fc.Arbitrary<CallRule> = fc.record({
  cases: fc.oneof(fc.constant([]), fc.constant([[]]), fc.array(argumentCase, { minLength: 1, maxLength: 3 })),
  refusal: fc.constantFrom(1, 13, 25, 38, 97),
});

const names = [...SYSCALLS.x64.keys()];
const randomPlan: fc.Arbitrary<FilterPlan> = fc
  .tuple(fc.array(rule, { minLength: 1, maxLength: 12 }), fc.array(fc.nat(), { minLength: 40, maxLength: 40 }))
  .map(([rules, picks]) => {
    const pick = (index: number) => rules[((picks[index % picks.length] ?? 0) + index) % rules.length];
    return new Map(names.map((name, index) => [name, pick(index) ?? { cases: [], refusal: 1 }]));
  });

/** Every other call has a rule like no other's: the tree spans thousands of instructions. */
function ownRule(index: number): CallRule {
  const test = { argument: index % 6, mask: 0xffff_ffff_ffff_ffffn, values: [BigInt(index)] };
  return { cases: index % 2 === 0 ? [[]] : [[test]], refusal: 1 };
}

function sample<T>(items: Iterable<T>, every: number): T[] {
  return [...items].filter((_, index) => index % every === 0);
}

function findDifference(
  program: readonly Instruction[],
  answers: readonly (readonly [Uint32Array, number])[],
): boolean {
  return answers.some(([words, answer]) => interpretFilter(program, words) !== answer);
}

describe('assembleFilter', () => {
  it('X-02: answers as the plan does, for random plans', () => {
    fc.assert(
      fc.property(randomPlan, (plan) => {
        const program = decodeFilter(assembleFilter(plan, 'x64'));
        const oracle = oracleOf(plan, 'x64');
        for (const call of probesOf(plan, 'x64', { perNumber: 1, perRule: 10 })) {
          assert.equal(interpretFilter(program, wordsOf(call)), oracle(call));
        }
      }),
      { numRuns: 40 },
    );
  });

  it('X-02: jumps further than a conditional jump can', () => {
    const plan: FilterPlan = new Map(names.map((name, index) => [name, ownRule(index)]));
    const program = decodeFilter(assembleFilter(plan, 'x64'));
    assert.ok(program.length > 1_000 && program.some(({ code, k }) => code === 0x05 && k > 255));
    const oracle = oracleOf(plan, 'x64');
    for (const call of probesOf(plan, 'x64', { perNumber: 2, perRule: 40 }))
      assert.equal(interpretFilter(program, wordsOf(call)), oracle(call));
  });

  it('X-02: refuses to write more than the kernel takes', () => {
    const values = Array.from({ length: 200 }, (_, index) => BigInt(index) << 32n);
    const plan: FilterPlan = new Map(
      names.map((name, index) => [
        name,
        {
          cases: [[{ argument: index % 6, mask: 0xffff_ffff_ffff_ffffn, values: [...values, BigInt(index)] }]],
          refusal: 1,
        },
      ]),
    );
    assert.throws(() => assembleFilter(plan, 'x64'), TypeError);
  });

  it('X-02: stays far below the limit', (t) => {
    for (const [name, profile] of Object.entries(PROFILES)) {
      const plan = planFilter(profile, 'x64');
      const program = decodeFilter(assembleFilter(plan, 'x64'));
      t.diagnostic(`${name}: ${program.length} instructions`);
      assert.ok(program.length < MAX_INSTRUCTIONS / 4);
    }
  });

  it('X-02: a swapped jump, a moved bound, a changed return and a missing call are each noticed', (t) => {
    const profile = PROFILES['default'];
    assert.ok(profile);
    const plan = planFilter(profile, 'x64');
    const program = decodeFilter(assembleFilter(plan, 'x64'));
    const oracle = oracleOf(plan, 'x64');
    const calls: CallData[] = [
      ...probesOf(plan, 'x64', { perNumber: 1, perRule: 2_000 }),
      ...sample(foreignProbes('x64'), 50),
    ];
    const answers = calls.map((call) => [wordsOf(call), oracle(call)] as const);
    assert.ok(!findDifference(program, answers));

    let mutants = 0;
    const mustBeNoticed = (index: number, change: Partial<Instruction>, what: string) => {
      const mutant = program.map((instruction, at) => (at === index ? { ...instruction, ...change } : instruction));
      assert.ok(findDifference(mutant, answers), `${what} at ${index} is not noticed`);
      mutants++;
    };
    for (const [index, { code, jt, jf, k }] of program.entries()) {
      if ([0x15, 0x35].includes(code)) mustBeNoticed(index, { jt: jf, jf: jt }, 'a swapped jump');
      if (code === 0x35) mustBeNoticed(index, { k: k + 1 }, 'a moved bound');
      if (code === 0x06) mustBeNoticed(index, { k: (k ^ 1) >>> 0 }, 'a changed return');
    }
    for (const name of plan.keys()) {
      const less = new Map([...plan].filter(([other]) => other !== name));
      const number = SYSCALLS.x64.get(name) ?? 0;
      const of = calls.filter((call) => call.number === number && call.architecture === AUDIT_ARCH.x64);
      const mutant = decodeFilter(assembleFilter(less, 'x64'));
      const changed = of.some((call) => interpretFilter(mutant, wordsOf(call)) !== oracle(call));
      const same = plan.get(name)?.cases.length === 0 && plan.get(name)?.refusal === 38;
      assert.equal(changed, !same, `a missing ${name}`);
      mutants++;
    }
    t.diagnostic(`${mutants} wrong filters, all noticed`);
  });
});
