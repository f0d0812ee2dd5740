/**
 * What is wrong with a gate beyond its shape. Each rule names the sections that it reads, so
 * that it can speak about a file of which other sections are broken.
 */
import { type GateProblem, type LintProblem, placeProblem } from './gate-problem.ts';
import type { Gate } from './gate-schema.ts';
import type { LintRule } from './lint-rule.ts';
import { COMMAND_RULES } from './rules/command-rules.ts';
import { COVERAGE_RULES } from './rules/coverage-rules.ts';
import { NAME_RULES } from './rules/name-rules.ts';
import { PACKET_RULES } from './rules/packet-rules.ts';
import { PEOPLE_RULES } from './rules/people-rules.ts';
import { SCOPE_RULES } from './rules/scope-rules.ts';

const RULES: readonly LintRule[] = [
  ...NAME_RULES,
  ...SCOPE_RULES,
  ...COMMAND_RULES,
  ...PACKET_RULES,
  ...COVERAGE_RULES,
  ...PEOPLE_RULES,
];

/** Lints the sections that there are. */
export function lintSections(sections: Partial<Gate>): LintProblem[] {
  const problems: LintProblem[] = [];
  for (const rule of RULES) {
    if (!rule.sections.every((name) => name in sections)) continue;
    problems.push(...rule.check(sections as Gate)); // it has all that this rule can read
  }
  return problems;
}

/** Lints a gate that did not come from a text: without lines. */
export function lintGate(gate: Gate): GateProblem[] {
  return lintSections(gate).map((problem) => placeProblem(problem, null));
}
