/** What a profile's filter says, for people: the text behind `holdfast sandbox show`. */
import type { SandboxProfile } from '@holdfast/policy';
import type { KernelFeatures } from '../plan.ts';
import { type ArgumentCase, type ArgumentTest, ERRNO, INT, isAlways, LONG } from './call-rule.ts';
import { planFilter } from './plan-filter.ts';

const LINE_CHARS = 100;

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}

function describeTest({ argument, mask, values }: ArgumentTest): string {
  const place = mask === INT || mask === LONG ? `arg${argument}` : `arg${argument} & ${hex(mask)}`;
  return values.length === 1 ? `${place} = ${hex(values[0] ?? 0n)}` : `${place} in {${values.map(hex).join(' ')}}`;
}

function describeCases(cases: readonly ArgumentCase[]): string {
  return cases.map((tests) => tests.map(describeTest).join(' and ')).join(', or ');
}

function errorName(refusal: number): string {
  return Object.entries(ERRNO).find(([, number]) => number === refusal)?.[0] ?? String(refusal);
}

function wrap(names: readonly string[]): string[] {
  const lines: string[] = [];
  for (const name of names) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + name.length < LINE_CHARS) lines[lines.length - 1] = `${last} ${name}`;
    else lines.push(`  ${name}`);
  }
  return lines;
}

/**
 * Every call of the architecture with what becomes of it, a line or a list each.
 *
 * @throws `ERR_SANDBOX_PROFILE` like `compileSeccomp`
 */
export function describeSeccomp(profile: SandboxProfile, { architecture }: KernelFeatures): string {
  const plan = planFilter(profile, architecture);
  const allowed = [...plan].filter(([, { cases }]) => isAlways(cases)).map(([name]) => name);
  const conditional = [...plan].filter(([, { cases }]) => cases.length > 0 && !isAlways(cases));
  const refused = Map.groupBy(
    [...plan].filter(([, { cases }]) => cases.length === 0),
    ([, { refusal }]) => errorName(refusal),
  );
  const lines = [
    `system calls of another architecture${architecture === 'x64' ? ', and x32' : ''}: the process is killed`,
    'system calls without a name here: ENOSYS',
    `allowed (${allowed.length}):`,
    ...wrap(allowed.toSorted()),
    `allowed with these arguments only (${conditional.length}):`,
    ...conditional.map(
      ([name, { cases, refusal }]) => `  ${name}: ${describeCases(cases)}; otherwise ${errorName(refusal)}`,
    ),
  ];
  for (const [error, calls] of refused) {
    lines.push(`${error} (${calls.length}):`, ...wrap(calls.map(([name]) => name).toSorted()));
  }
  return `${lines.join('\n')}\n`;
}
