/**
 * Who may move a packet, and when: what the state table cannot say. Used twice with
 * the same code: before a record is signed, to refuse it with the rule's name, and when records are
 * folded, so that a record which was forced into the log moves nothing.
 *
 * Whether evidence is good is not asked here: it depends on the time, and `assess` asks it again.
 */
import { FREEZE_PACKET, type Person } from '../gate-file/gate-schema.ts';
import type { PredicateOf } from '../records/statements.ts';
import type { Board, FreezableFile, Freeze, PacketStanding } from './board.ts';
import { type SignedEvent, TRANSITIONS } from './states.ts';

/** Why a step is not legal: the requirement's row and a sentence that says what would be. */
export interface Refusal {
  readonly rule: string;
  readonly reason: string;
}

const refuse = (rule: string, reason: string): Refusal => ({ rule, reason });

/** What both kinds of step need: a freeze, its revision, the packet, and a cell of the table. */
export function refuseEvent(
  board: Board,
  event: SignedEvent,
  { revision, packet }: { readonly revision: number; readonly packet: string },
): Refusal | null {
  const { freeze } = board;
  if (freeze === null)
    return refuse('R-03', 'nothing starts before the gate file is frozen: run `holdfast gate freeze`');
  if (revision !== freeze.revision)
    return refuse('R-03', `it was decided under revision ${revision}; revision ${freeze.revision} is frozen`);
  const standing = board.packets.get(packet);
  if (standing === undefined) return refuse('R-02', `there is no packet ${packet}`);
  if (TRANSITIONS[standing.state][event] === null)
    return standing.state === 'PENDING'
      ? refuse('R-05', `packet ${packet} waits for ${standing.waitsFor.join(', ')}`)
      : refuse('R-04', `${event} is not legal for a packet that is ${standing.state}`);
  return null;
}

/** @returns `null` when the step is legal now */
export function refuseTransition(board: Board, step: PredicateOf<'transition'>): Refusal | null {
  const illegal = refuseEvent(board, step.event, step);
  if (illegal !== null) return illegal;
  const packet = packetOf(board.freeze, step.packet);
  const may = step.event === 'reopen' ? [packet?.implementer, packet?.reviewer] : [packet?.implementer];
  if (!may.includes(step.author))
    return refuse('R-13', `${step.event} of packet ${step.packet} is for ${may.join(' or ')}, not for ${step.author}`);
  if (step.event === 'start' && step.packet !== FREEZE_PACKET && !isApproved(board.packets.get(FREEZE_PACKET)))
    return refuse('R-03', `revision ${step.revision} of the gate file is not approved yet: packet 00 first`);
  if ((step.event === 'block' || step.event === 'reopen') && step.reason === null)
    return refuse('R-04', `${step.event} says why: give a reason`);
  if (step.event === 'submit' && step.source.dirtyFiles > 0)
    return refuse('R-08', `${step.source.dirtyFiles} files differ from the commit: commit them, then submit`);
  return null;
}

/** A freeze is the next revision of the same gate, by whoever implements packet `00` in it. */
export function refuseFreeze(
  before: Freeze | null,
  after: FreezableFile,
  record: PredicateOf<'freeze'>,
): Refusal | null {
  const expected = (before?.revision ?? 0) + 1;
  if (record.revision !== expected) return refuse('R-03', `the next revision is ${expected}`);
  if (after.gate.id !== record.gate) return refuse('R-03', `the gate file is of ${after.gate.id}`);
  if (before !== null && before.policyDigest === after.policyDigest)
    return refuse('R-03', 'the gate file is frozen as it is already');
  const owner = packetOf(after, FREEZE_PACKET)?.implementer;
  if (record.author !== owner)
    return refuse('R-13', `a freeze is for the implementer of packet 00, ${owner ?? 'nobody'}`);
  if (record.source.dirtyFiles > 0)
    return refuse('R-08', `${record.source.dirtyFiles} files differ from the commit: commit them, then freeze`);
  return null;
}

/** Whether work on `packet` is waiting for nothing but its own people. */
export function isApproved(standing: PacketStanding | undefined): boolean {
  return standing?.state === 'DONE' && standing.review === 'APPROVED';
}

export const packetOf = (freeze: Freeze | null | FreezableFile, id: string) =>
  freeze?.gate.packets.find((packet) => packet.id === id);

export const personOf = (freeze: Freeze | null, id: string): Person | undefined =>
  freeze?.gate.people.find((person) => person.id === id);
