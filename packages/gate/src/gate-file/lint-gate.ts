/**
 * What is wrong with a gate beyond its shape. Each rule names the sections that it reads, so
 * that it can speak about a file of which other sections are broken.
 */
import { formatPath, type GatePath, type GateProblem, type LintProblem } from './gate-problem.ts';
import type { Gate } from './gate-schema.ts';

const RULES: readonly never[] = [];

/** Lints the sections that there are. */
export function lintSections(_sections: Partial<Gate>): LintProblem[] {
  return [...RULES];
}

/** Lints a gate that did not come from a text: without lines. */
export function lintGate(gate: Gate): GateProblem[] {
  return lintSections(gate).map((problem) => ({ ...problem, path: formatPath(problem.path as GatePath), line: null }));
}
