/** One lint rule: the sections that it reads, and what it finds in them. */
import type { GatePath, LintProblem } from './gate-problem.ts';
import type { Gate } from './gate-schema.ts';

export interface LintRule {
  readonly sections: readonly (keyof Gate)[];
  readonly check: (gate: Gate) => Iterable<LintProblem>;
}

/** A rule can read no section but those it names: they may be all that a broken file has. */
export function lintRule<K extends keyof Gate>(
  sections: readonly K[],
  check: (gate: Pick<Gate, K>) => Iterable<LintProblem>,
): LintRule {
  return { sections, check };
}

export const lintError = (rule: string, path: GatePath, message: string): LintProblem => ({
  path,
  rule,
  severity: 'error',
  message,
});
export const lintWarning = (rule: string, path: GatePath, message: string): LintProblem => ({
  path,
  rule,
  severity: 'warning',
  message,
});

/** What names a test by name, as opposed to a scan's findings. */
const SCAN_FORMATS: ReadonlySet<string> = new Set(['sarif', 'scan']);
/** Whether a command's report says which tests it executed: only such commands reach a surface. */
export const reportsTests = ({ report }: Pick<Gate['commands'][number], 'report'>): boolean =>
  report !== null && !SCAN_FORMATS.has(report.format);

/** What starting files and people leave to be filled in. */
export const PLACEHOLDER = /^<[^<>]+>$|\b(?:FILL[-_ ]?IN|CHANGE[-_ ]?ME|TODO|FIXME|XXX)\b/i;
