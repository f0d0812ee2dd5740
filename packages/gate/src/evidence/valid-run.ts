/** A run that a record points at: to show that a finding is resolved or a condition met. */
import type { Source } from '../records/run-record.ts';
import { invalidities } from './judge-evidence.ts';
import type { RunIndex } from './run-index.ts';

export interface RunClaim {
  readonly run: string;
  /** Places in the log between which it ended: after what it answers, before the record that names it. */
  readonly after: number;
  readonly before: number;
  /** When it was named: it must have been good then, and does not age afterwards. */
  readonly atMs: number;
  readonly command?: string;
  readonly source?: Source;
}

/** Whether the run passed and was valid evidence when it was named. */
export function isValidRun(index: RunIndex, claim: RunClaim): boolean {
  const attempt = index.byRun(claim.run);
  if (attempt === undefined || attempt.role === 'mutation') return false;
  if (attempt.index <= claim.after || attempt.index >= claim.before) return false;
  const { command, role, packet, source } = attempt;
  const question = {
    command: claim.command ?? command,
    role,
    packet,
    source: claim.source ?? source,
    nowMs: claim.atMs,
  };
  return question.command === command && invalidities(index, attempt, question).length === 0;
}
