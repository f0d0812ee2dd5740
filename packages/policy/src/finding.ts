/** What lint has to say about a policy (G-08). */
export type FindingSeverity = 'ERROR' | 'WARN' | 'INFO';

export interface PolicyFinding {
  readonly severity: FindingSeverity;
  /** A stable kind, such as `shadowed-rule`. */
  readonly code: string;
  /** Where: `rules.3.params.unit` or the rule's name. Never a value of the file. */
  readonly path: string;
  readonly message: string;
}
