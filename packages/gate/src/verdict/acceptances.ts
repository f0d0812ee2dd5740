/**
 * Living with a finding for a while: which acceptances count, and the numbered
 * conditions that come of them. P1: one approver, for this release, until a date within policy, with a
 * compensating control whose command passes. P0: two different approvers and at most seven days. Whoever
 * implements what the finding is about approves nothing of it.
 */
import type { RunIndex } from '../evidence/run-index.ts';
import type { GateRecord, RecordOf } from '../records/statements.ts';
import type { ConditionView, Reason } from './assessment.ts';
import { daysFrom, earliest, isOver } from './calendar.ts';
import { blocks, type Finding, findingKey } from './findings.ts';
import { reason } from './reasons.ts';

/** */
const MAX_P0_ACCEPTANCE_DAYS = 7;

type Acceptance = RecordOf<'risk-acceptance'>;

export interface AcceptanceContext {
  readonly index: RunIndex;
  readonly nowMs: number;
  /** Whether valid evidence shows now that this command passes. */
  readonly isEvidenced: (command: string) => boolean;
}

export interface Acceptances {
  /** Ids of the open findings that are accepted. */
  readonly accepted: ReadonlySet<string>;
  readonly conditions: readonly ConditionView[];
  readonly reasons: readonly Reason[];
}

export function judgeAcceptances(
  context: AcceptanceContext,
  records: readonly GateRecord[],
  findings: readonly Finding[],
): Acceptances {
  const byFinding = acceptancesByFinding(context.index, records);
  const accepted = new Set<string>();
  const conditions: ConditionView[] = [];
  const reasons: Reason[] = [];
  for (const finding of findings.filter(blocks)) {
    const all = (byFinding.get(finding.id) ?? []).filter(({ index }) => index > finding.foundIndex);
    if (all.length === 0) continue;
    const newest = [...new Map(all.map((acceptance) => [acceptance.predicate.author, acceptance])).values()];
    if (finding.status !== 'open') {
      conditions.push(...conditionsOf(context, finding, newest));
      continue;
    }
    const problems = newest.flatMap((acceptance) => problemsOf(context, finding, acceptance));
    const good = newest.filter((acceptance) => problemsOf(context, finding, acceptance).length === 0);
    const why = needsSecond(context, finding, all);
    if (good.length >= (why === null ? 1 : 2)) {
      accepted.add(finding.id);
      // Of those that count alone: what others say of a condition neither adds one nor takes one away.
      const standing = conditionsOf(context, finding, good);
      conditions.push(...standing);
      reasons.push(...standing.map(({ id, text }) => reason('condition-standing', id, text)));
      continue;
    }
    // An addendum lifts what stands; a condition on which nothing was accepted does not.
    for (const view of conditionsOf(context, finding, newest))
      conditions.push(view.status === 'standing' ? { ...view, status: 'not-evidenced' } : view);
    if (good.length > 0 && why !== null) reasons.push(reason('acceptance-needs-second', finding.id, why));
    else reasons.push(...problems);
  }
  return { accepted, conditions: conditions.toSorted(byId), reasons: [...reasons, ...reusedIds(conditions)] };
}

/** Acceptances name a finding as it was recorded; a record about a scanner's finding is folded under that one's id. */
export function acceptancesByFinding(
  index: RunIndex,
  records: readonly GateRecord[],
): ReadonlyMap<string, readonly Acceptance[]> {
  const keys = new Map<string, string>();
  const acceptances: Acceptance[] = [];
  for (const record of records) {
    if (record.kind === 'finding') keys.set(record.predicate.id, findingKey(index, record.predicate));
    if (record.kind === 'risk-acceptance') acceptances.push(record);
  }
  return Map.groupBy(acceptances, ({ predicate }) => keys.get(predicate.finding) ?? predicate.finding);
}

/** Everything for which one person's acceptance does not count; empty when it does. */
function problemsOf(context: AcceptanceContext, finding: Finding, { predicate }: Acceptance): readonly Reason[] {
  const { index, nowMs, isEvidenced } = context;
  const { author, at, release, expires, control, condition } = predicate;
  const gate = index.board.freeze?.gate;
  const refused = (detail: string): Reason => reason('acceptance-refused', finding.id, detail);
  const reasons: Reason[] = [];
  if (release !== gate?.release) reasons.push(refused(`it is for release ${release}`));
  if (!(index.people.get(author)?.roles.includes('approver') ?? false))
    reasons.push(refused(`${author} has not the role approver`));
  if (finding.implementers.has(author)) reasons.push(refused(`${author} implements what it is about`));
  const maxDays = finding.severity === 'P0' ? MAX_P0_ACCEPTANCE_DAYS : (gate?.policies.maxP1AcceptanceDays ?? 0);
  if (!(daysFrom(at, expires) <= maxDays))
    reasons.push(refused(`a ${finding.severity} is accepted for ${maxDays} days at most`));
  if (!index.people.has(condition.owner)) reasons.push(refused(`${condition.owner} is no person of the gate`));
  if (!index.commands.has(condition.command))
    reasons.push(refused(`there is no command ${condition.command} to tell that it is met`));
  if (!isEvidenced(control.command))
    reasons.push(refused(`no valid evidence that its control, ${control.command}, passes`));
  if (isOver(expires, nowMs)) reasons.push(reason('acceptance-expired', finding.id, expires));
  if (isOver(condition.due, nowMs)) reasons.push(reason('condition-lapsed', condition.id, condition.due));
  return reasons;
}

/** why one approver is not enough. @returns `null` when one is */
function needsSecond({ index }: AcceptanceContext, { severity }: Finding, all: readonly Acceptance[]): string | null {
  if (severity === 'P0') return 'it is a P0';
  // what the log itself shows is counted, whatever the record says.
  const renewals = [...Map.groupBy(all, ({ predicate }) => predicate.author).values()].map((own) => own.length - 1);
  const said = all.map(({ predicate }) => predicate.waivers);
  const waivers = renewals.concat(said).reduce((most, each) => Math.max(most, each), 0);
  const max = index.board.freeze?.gate.policies.maxConsecutiveWaivers ?? 0;
  return waivers > max ? `it was waived ${waivers} times in a row` : null;
}

/** One view for each condition id; what two approvers say of it holds for the shorter time. */
function conditionsOf(
  context: AcceptanceContext,
  finding: Finding,
  acceptances: readonly Acceptance[],
): readonly ConditionView[] {
  const byCondition = Map.groupBy(acceptances, ({ predicate }) => predicate.condition.id);
  return [...byCondition.values()].flatMap((same) => {
    const last = same.at(-1)?.predicate;
    if (last === undefined) return [];
    const due = earliest(last.condition.due, ...same.map(({ predicate }) => predicate.condition.due));
    const expires = earliest(last.expires, ...same.map(({ predicate }) => predicate.expires));
    const { id, text, command, owner } = last.condition;
    const approvers = same.map(({ predicate }) => predicate.author).toSorted();
    const control = last.control.command;
    const view = { id, finding: finding.id, text, command, owner, due, expires, approvers, control };
    return [{ ...view, status: statusOf(context, finding, view) }];
  });
}

function statusOf(
  { nowMs, isEvidenced }: AcceptanceContext,
  finding: Finding,
  { due, expires, control }: Pick<ConditionView, 'due' | 'expires' | 'control'>,
): ConditionView['status'] {
  if (finding.status !== 'open') return 'lifted';
  if (isOver(due, nowMs) || isOver(expires, nowMs)) return 'lapsed';
  return isEvidenced(control) ? 'standing' : 'not-evidenced';
}

function reusedIds(conditions: readonly ConditionView[]): readonly Reason[] {
  const reused = [...Map.groupBy(conditions, ({ id }) => id)].filter(([, same]) => same.length > 1);
  return reused.map(([id]) => reason('condition-id-reused', id));
}

const byId = (one: ConditionView, other: ConditionView): number =>
  one.id === other.id ? (one.finding < other.finding ? -1 : 1) : one.id < other.id ? -1 : 1;
