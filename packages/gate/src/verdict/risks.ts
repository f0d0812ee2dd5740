/** Residual risks, folded by id: each has an owner who can be reached and a date; moving the date again and again takes two approvers. */
import type { RunIndex } from '../evidence/run-index.ts';
import type { GateRecord, RecordOf } from '../records/statements.ts';
import type { Reason, RiskView } from './assessment.ts';
import { isOver } from './calendar.ts';
import { reason } from './reasons.ts';

export interface Risks {
  readonly risks: readonly RiskView[];
  readonly reasons: readonly Reason[];
}

export function judgeRisks(index: RunIndex, records: readonly GateRecord[], nowMs: number): Risks {
  const all = records.filter((record) => record.kind === 'residual-risk');
  const byId = Map.groupBy(all, ({ predicate }) => predicate.id);
  const risks: RiskView[] = [];
  const reasons: Reason[] = [];
  for (const id of [...byId.keys()].toSorted()) {
    const history = byId.get(id) ?? [];
    const last = history.at(-1)?.predicate;
    if (last === undefined) continue;
    const { text, owner, due } = last;
    const contact = index.people.get(owner)?.contact ?? '';
    const status = last.status === 'closed' ? 'closed' : isOver(due, nowMs) ? 'overdue' : 'open';
    const waivers = Math.max(last.waivers, movesOf(history));
    risks.push({ id, text, owner, contact, due, status, waivers });
    if (status === 'closed') continue;
    if (contact === '') reasons.push(reason('risk-owner-unknown', id, owner));
    if (status === 'overdue') reasons.push(reason('risk-overdue', id, due));
    if (waivers > maxWaivers(index) && approversOf(index, history, due).size < 2)
      reasons.push(reason('risk-waived-alone', id, String(waivers)));
  }
  return { risks, reasons };
}

const maxWaivers = ({ board }: RunIndex): number => board.freeze?.gate.policies.maxConsecutiveWaivers ?? 0;

/** how often the date was moved back, as the log shows it. */
const movesOf = (history: readonly RecordOf<'residual-risk'>[]): number =>
  history.filter(({ predicate }, at) => predicate.due > (history[at - 1]?.predicate.due ?? predicate.due)).length;

/** Approvers who signed the date it has now. */
const approversOf = (
  { people }: RunIndex,
  history: readonly RecordOf<'residual-risk'>[],
  due: string,
): ReadonlySet<string> =>
  new Set(
    history
      .filter(({ predicate }) => predicate.due === due && people.get(predicate.author)?.roles.includes('approver'))
      .map(({ predicate }) => predicate.author),
  );
