/**
 * Verdicts that were issued, and addenda to them. A verdict by somebody who may not issue it
 * does not count. An addendum lifts the conditions of one verdict, all of them or none: each with a run of
 * that condition's command which passed on the new sources after the verdict.
 */
import type { Board } from '../board/board.ts';
import { isValidRun } from '../evidence/valid-run.ts';
import type { RunIndex } from '../evidence/run-index.ts';
import type { Source } from '../records/run-record.ts';
import { isSameSource } from '../records/same-source.ts';
import type { GateRecord, RecordOf } from '../records/statements.ts';
import { acceptancesByFinding } from './acceptances.ts';
import type { Reason, VerdictView } from './assessment.ts';
import type { Lift } from './findings.ts';
import { refuseIssuer } from './issuer.ts';
import { reason } from './reasons.ts';

export interface IssuedVerdicts {
  /** Those that count, oldest first. */
  readonly counted: readonly RecordOf<'gate-verdict'>[];
  /** Why others do not. */
  readonly refused: readonly Reason[];
}

/** Each verdict is held against the people of the freeze under which it was issued. */
export function issuedVerdicts(board: Board, records: readonly GateRecord[]): IssuedVerdicts {
  const counted: RecordOf<'gate-verdict'>[] = [];
  const refused: Reason[] = [];
  for (const record of records) {
    if (record.kind !== 'gate-verdict') continue;
    const gate = board.freezes.findLast(({ index }) => index < record.index)?.gate;
    const refusal = gate === undefined ? { reason: 'nothing was frozen' } : refuseIssuer(gate, record.predicate.author);
    if (refusal === null) counted.push(record);
    else refused.push(reason('verdict-not-by-issuer', record.leaf, refusal.reason));
  }
  return { counted, refused };
}

export interface Addenda {
  readonly lifts: readonly Lift[];
  /** What is wrong with an addendum to the last verdict. */
  readonly reasons: readonly Reason[];
}

/** The newest addendum to each verdict counts. */
export function judgeAddenda(
  index: RunIndex,
  records: readonly GateRecord[],
  { counted }: IssuedVerdicts,
  candidate: Source,
): Addenda {
  const lifts: Lift[] = [];
  let reasons: readonly Reason[] = [];
  for (const verdict of counted) {
    const addendum = addendumTo(records, verdict);
    if (addendum === undefined) continue;
    const problems = problemsOf(index, records, verdict, addendum);
    if (problems.length === 0) {
      for (const { finding } of verdict.predicate.conditions) lifts.push({ finding, index: addendum.index });
    }
    if (verdict !== counted.at(-1)) continue;
    const isOther = !isSameSource(addendum.predicate.source, candidate);
    reasons = isOther ? [...problems, reason('addendum-other-source')] : problems;
  }
  return { lifts, reasons };
}

function* unmet(
  index: RunIndex,
  records: readonly GateRecord[],
  verdict: RecordOf<'gate-verdict'>,
  { predicate, index: before }: RecordOf<'addendum'>,
): Generator<Reason> {
  const claim = { after: verdict.index, before, atMs: Date.parse(predicate.at), source: predicate.source };
  const acceptances = acceptancesByFinding(index, records.slice(0, verdict.index));
  for (const { id, finding, command } of verdict.predicate.conditions) {
    const isAccepted = acceptances
      .get(finding)
      ?.some(({ predicate: { condition } }) => condition.id === id && condition.command === command);
    // Else a verdict that was typed would close what it likes.
    if (isAccepted !== true) yield reason('addendum-condition-unknown', id, finding);
    const lift = predicate.lifts.find(({ condition }) => condition === id);
    if (lift === undefined) yield reason('addendum-incomplete', id);
    else if (!isValidRun(index, { ...claim, run: lift.run, command }))
      yield reason('addendum-run-invalid', id, command);
  }
}
const problemsOf = (...args: Parameters<typeof unmet>): readonly Reason[] => [...unmet(...args)];

const addendumTo = (
  records: readonly GateRecord[],
  verdict: RecordOf<'gate-verdict'>,
): RecordOf<'addendum'> | undefined =>
  records
    .filter((record) => record.kind === 'addendum')
    .findLast(({ predicate, index }) => predicate.verdict === verdict.leaf && index > verdict.index);

export function verdictViews(records: readonly GateRecord[], { counted }: IssuedVerdicts): readonly VerdictView[] {
  return counted.map(({ leaf, index, predicate }, at) => {
    const before = counted[at - 1];
    const addendum = before === undefined ? undefined : addendumTo(records.slice(0, index), before);
    const { verdict, author, source } = predicate;
    return { leaf, verdict, at: predicate.at, issuer: author, commit: source.commit, addendum: addendum !== undefined };
  });
}
