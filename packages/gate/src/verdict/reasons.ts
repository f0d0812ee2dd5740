/**
 * Why a verdict is no better than it is: the closed table of reasons, each with the row it enforces and
 * what it allows at best. A verdict is the worst that any of its reasons allows; nothing else
 * decides it.
 */
import type { VerdictResult } from '../records/statements.ts';
import type { Reason } from './assessment.ts';

interface ReasonRow {
  readonly rule: string;
  readonly allows: Exclude<VerdictResult, 'GO'>;
  /** `{subject}` and `{detail}` are filled in. */
  readonly text: string;
}
const row = (rule: string, text: string, allows: ReasonRow['allows'] = 'NO_GO'): ReasonRow => ({ rule, allows, text });

export const REASONS = {
  'not-frozen': row('R-03', 'no gate file is frozen: nothing is decided by a file that anybody can still change'),
  'gate-file-changed': row('R-03', 'the gate file is not the frozen one: freeze it anew, or restore it'),
  'illegal-record': row('R-04', 'record {subject} was not legal when it was appended: {detail}'),
  'shared-key': row('R-13', 'one key signed for {subject}: different people have different keys'),
  'same-person': row('R-13', 'implementer and reviewer of packet {subject} are the same person'),
  'record-from-the-future': row(
    'R-08',
    'record {subject} is later than now: a clock is wrong, here or where it was written',
  ),
  'empty-policy': row('R-19', 'the gate file has no {subject}: what asks for nothing approves nothing'),
  'no-evidence': row('R-19', 'no evidence is required of any packet or the milestone'),
  'candidate-dirty': row('R-08', '{subject} files of the candidate are not committed'),
  'packet-not-approved': row('R-19', 'packet {subject} is not done and approved: {detail}'),
  'unreviewed-changes': row(
    'R-14',
    'nobody reviewed all that changed up to {subject}: reopen or start a packet, submit it there, and have it approved',
  ),
  'second-review-missing': row('R-13', 'a P0 was found in packet {subject}, which two reviewers approve: {detail}'),
  'evidence-invalid': row('R-08', 'evidence of {subject} does not count: {detail}'),
  'evidence-inconclusive': row('R-25', 'evidence of {subject} could not be judged: {detail}', 'INCONCLUSIVE'),
  'surface-uncovered': row('R-06', 'no required command reached surface {subject} with a test that ran'),
  'surface-tier-too-low': row('R-11', 'surface {subject} is reached only by evidence below {detail}'),
  'milestone-misses-surface': row(
    'R-20',
    'a P0 can arise in surface {subject}, and no command of the milestone reached it at the candidate',
  ),
  'open-finding': row('R-17', 'finding {subject} is open: {detail}'),
  'severity-lowering-ignored': row(
    'R-16',
    'the severity of finding {subject} was lowered by {detail}, who set it or implements: another person lowers it',
  ),
  'dismissal-ignored': row(
    'R-16',
    'finding {subject} was dismissed by {detail}, who implements: another person dismisses it',
  ),
  'resolution-not-evidenced': row(
    'R-16',
    'the resolution of finding {subject} points at no valid passing run after it was found',
  ),
  'resolution-contradicted': row(
    'R-16',
    'finding {subject} is recorded as resolved, and the newest scan still finds it',
  ),
  'secret-not-closed': row('R-24', 'secret {subject} closes only with proof of revocation and of replacement'),
  'clause-unknown': row(
    'R-16',
    'finding {subject} cites clause {detail}, which the rubric does not have for its severity',
  ),
  'acceptance-refused': row('R-17', 'the acceptance of finding {subject} does not count: {detail}'),
  'acceptance-expired': row('R-17', 'the acceptance of finding {subject} expired on {detail}'),
  'acceptance-needs-second': row('R-17', 'finding {subject} takes acceptances of two approvers: {detail}'),
  'condition-lapsed': row('R-19', 'condition {subject} was due on {detail}'),
  'condition-id-reused': row('R-19', 'condition {subject} stands for two findings'),
  'too-many-conditions': row('R-19', '{subject} conditions: a release with more than 200 is not one with conditions'),
  'condition-standing': row('R-19', 'condition {subject} stands: {detail}', 'GO_WITH_CONDITIONS'),
  'risk-overdue': row('R-18', 'residual risk {subject} was due on {detail}'),
  'risk-owner-unknown': row('R-18', 'residual risk {subject} is owned by {detail}, who is no person of the gate'),
  'risk-waived-alone': row(
    'R-18',
    'the date of residual risk {subject} was moved {detail} times: two approvers move it again',
  ),
  'addendum-incomplete': row('R-21', 'the addendum does not name condition {subject} of the verdict it follows'),
  'addendum-condition-unknown': row(
    'R-21',
    'condition {subject} of the verdict before is none on which finding {detail} was accepted',
  ),
  'addendum-run-invalid': row(
    'R-21',
    'the addendum lifts condition {subject} with a run that is no valid passing run of {detail} on the new source',
  ),
  'addendum-other-source': row('R-21', 'the addendum is about other sources than the candidate'),
  'verdict-other-source': row('R-21', 'the last verdict is about other sources than the candidate'),
  'verdict-other-policy': row('R-03', 'the gate file was frozen anew after the last verdict'),
  'verdict-not-by-issuer': row('R-13', 'verdict {subject} does not count: {detail}'),
  'more-reasons': row('R-22', '{subject} more reasons are not listed'),
} as const satisfies Readonly<Record<string, ReasonRow>>;
export type ReasonCode = keyof typeof REASONS;

/** As `ReasonSchema` bounds it. */
const MAX_TEXT_CHARS = 1_000;

export function reason(code: ReasonCode, subject: string = '', detail: string = ''): Reason {
  const { rule, text }: ReasonRow = REASONS[code];
  // A function as replacement: what a person wrote may hold `$&`.
  const filled = text.replace('{subject}', () => subject).replace('{detail}', () => detail);
  return { code, rule, subject: cut(subject), text: cut(filled) };
}

const cut = (text: string): string =>
  text.length <= MAX_TEXT_CHARS ? text : `${text.slice(0, MAX_TEXT_CHARS - 1).toWellFormed()}…`;

/** what is wrong makes NO_GO; what could not be judged, when nothing is wrong, INCONCLUSIVE; what was accepted, conditions. */
const WORST_FIRST: readonly VerdictResult[] = ['NO_GO', 'INCONCLUSIVE', 'GO_WITH_CONDITIONS', 'GO'];

/** The verdict that follows from `reasons`. A code that is not in the table allows nothing. */
export function verdictOf(reasons: readonly Reason[]): VerdictResult {
  const allowed = new Set<VerdictResult>(
    reasons.map(({ code }) => (isReasonCode(code) ? REASONS[code].allows : 'NO_GO')),
  );
  return WORST_FIRST.find((result) => allowed.has(result)) ?? 'GO';
}

/** Whether `result` is less good than `than`. */
export function isWorse(result: VerdictResult, than: VerdictResult): boolean {
  return WORST_FIRST.indexOf(result) < WORST_FIRST.indexOf(than);
}

const isReasonCode = (code: string): code is ReasonCode => Object.hasOwn(REASONS, code);
