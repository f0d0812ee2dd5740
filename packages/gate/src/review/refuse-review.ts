/**
 * What makes a review a review. Every missing part is named at once. The same code
 * refuses before a record is signed and when records are folded; what only the repository knows (which
 * files changed) is checked before signing, when the caller passes it.
 */
import type { Board } from '../board/board.ts';
import { packetOf, personOf, refuseEvent, type Refusal } from '../board/rules.ts';
import { isSameSource } from '../records/same-source.ts';
import type { PredicateOf } from '../records/statements.ts';

type PacketReview = PredicateOf<'packet-review'>;

export interface ReviewContext {
  /** Head of the log before this record. */
  readonly head: { readonly size: number; readonly root: string };
  /** Whether a P0 was found or accepted in the packet. */
  readonly needsSecond: boolean;
  /** Sessions in which its author ran the packet's commands as reviewer, since it was submitted. */
  readonly sessions: ReadonlySet<string>;
  /** Every path that changed, as git has it; `null` where there is no repository to ask. */
  readonly changed: readonly string[] | null;
}

/** @returns every reason why the review is none; empty when it is one */
export function refuseReview(board: Board, review: PacketReview, context: ReviewContext): readonly Refusal[] {
  const illegal = refuseEvent(board, review.decision, review);
  if (illegal !== null) return [illegal];
  const refusals = [...refusePeople(board, review, context), ...refuseRecord(board, review, context)];
  return review.decision === 'approve' ? [...refusals, ...refuseApproval(board, review, context)] : refusals;
}

function* refusePeople(board: Board, review: PacketReview, { needsSecond }: ReviewContext): Generator<Refusal> {
  const packet = packetOf(board.freeze, review.packet);
  const person = personOf(board.freeze, review.author);
  if (packet === undefined || person === undefined) {
    yield { rule: 'R-13', reason: `${review.author} is no person of the gate` };
    return;
  }
  if (person.id === packet.implementer)
    yield { rule: 'R-13', reason: 'the implementer does not review: another person does, with another key' };
  const isSecond = needsSecond && (packet.secondReviewer === null || packet.secondReviewer === person.id);
  if (person.id !== packet.reviewer && !(isSecond && person.roles.includes('reviewer')))
    yield { rule: 'R-13', reason: `the reviewer of packet ${packet.id} is ${packet.reviewer}, not ${person.id}` };
  const own = new Set(person.git.map((email) => email.toLowerCase()));
  if (review.authors.some((email) => own.has(email.toLowerCase())))
    yield { rule: 'R-13', reason: `${person.id} wrote a part of the change and does not review it` };
  const standing = board.packets.get(review.packet);
  if (review.decision === 'approve' && standing?.approvals.some(({ predicate }) => predicate.author === person.id))
    yield { rule: 'R-13', reason: `${person.id} approved already; a second approval is by somebody else` };
}

function* refuseRecord(board: Board, review: PacketReview, { head, changed }: ReviewContext): Generator<Refusal> {
  const submitted = board.packets.get(review.packet)?.submittedSource;
  if (submitted === undefined || submitted === null || !isSameSource(submitted, review.source))
    yield { rule: 'R-14', reason: 'it is not about the sources that were submitted' };
  if (review.source.dirtyFiles > 0)
    yield { rule: 'R-08', reason: `${review.source.dirtyFiles} files differ from the commit` };
  const { checkpoint } = review;
  if (checkpoint.size !== head.size || checkpoint.root !== head.root || checkpoint.commit !== review.source.commit)
    yield { rule: 'R-15', reason: 'its checkpoint is not the log and the commit that were reviewed' };
  const paths = review.changes.map(({ path }) => path);
  if (new Set(paths).size !== paths.length) yield { rule: 'R-14', reason: 'it lists a changed file twice' };
  const missing = changed?.filter((path) => !paths.includes(path)) ?? [];
  if (missing.length > 0)
    yield { rule: 'R-14', reason: `no reason is given for ${missing.length} changed files, first ${missing[0] ?? ''}` };
  const strangers = changed === null ? [] : paths.filter((path) => !changed.includes(path));
  if (strangers.length > 0)
    yield { rule: 'R-14', reason: `it lists files that did not change, first ${strangers[0] ?? ''}` };
  if (review.checks.integrity.result === 'N/A') yield { rule: 'R-14', reason: 'the integrity check is never N/A' };
  if (review.rollback.changesDataOrConfiguration && isOnlyRevert(review.rollback.plan))
    yield { rule: 'R-14', reason: 'data or configuration changed: the rollback is more than reverting the commit' };
}

function* refuseApproval(board: Board, review: PacketReview, { sessions }: ReviewContext): Generator<Refusal> {
  const packet = packetOf(board.freeze, review.packet);
  const commands = packet?.commands ?? [];
  if (commands.length > 0 && !sessions.has(review.session ?? ''))
    yield { rule: 'R-14', reason: 'the reviewer ran the commands again, and names that session' };
  const open = packet?.checklist.filter(
    (item) => !review.checklist.some((answer) => answer.item === item && answer.done),
  );
  if (open === undefined || open.length > 0)
    yield { rule: 'R-14', reason: `the checklist is not done: ${open?.[0] ?? 'there is none'}` };
  for (const [name, { result }] of Object.entries(review.checks))
    if (result === 'FAIL') yield { rule: 'R-14', reason: `the ${name} check failed: request changes instead` };
}

/** Words of which a plan that only reverts consists. */
const REVERT_WORDS = new Set(
  'a all and back commit commits deploy git it merge of pr previous redeploy release revert roll rollback simply the then these this to undo version'.split(
    ' ',
  ),
);

/** Whether nothing in `plan` goes beyond going back to the commit before. */
export function isOnlyRevert(plan: string): boolean {
  const words = plan.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  return words.every((word) => REVERT_WORDS.has(word));
}
