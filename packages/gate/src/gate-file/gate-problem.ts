/** What is wrong with a gate file, in words that say what to do. */

/** Object keys and array indices from the document down. */
export type GatePath = readonly (string | number)[];

export interface GateProblem {
  /** `packets[3].reviewer`; empty for the document as a whole. */
  readonly path: string;
  /** From 1; `null` when the gate did not come from a text. */
  readonly line: number | null;
  /** The row of the requirement that it breaks, such as `R-13`. */
  readonly rule: string;
  /** An error keeps a gate from being used; a warning says what a reader may ask about. */
  readonly severity: 'error' | 'warning';
  readonly message: string;
}

/** A problem before its line is known. */
export interface LintProblem extends Pick<GateProblem, 'rule' | 'severity' | 'message'> {
  readonly path: GatePath;
}

export function placeProblem({ path, rule, severity, message }: LintProblem, line: number | null): GateProblem {
  return { path: formatPath(path), line, rule, severity, message };
}

function formatPath(path: GatePath): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? part : `${text}.${part}`;
  }, '');
}
