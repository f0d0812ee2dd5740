/** Who may issue a verdict: a person with the role who neither made nor reviewed anything it is about. */
import type { Refusal } from '../board/rules.ts';
import type { Gate } from '../gate-file/gate-schema.ts';

const refuse = (reason: string): Refusal => ({ rule: 'R-13', reason });

/** @returns `null` when `author` may issue verdicts of this gate */
export function refuseIssuer(gate: Gate, author: string): Refusal | null {
  const person = gate.people.find(({ id }) => id === author);
  if (person === undefined) return refuse(`${author} is no person of the gate`);
  if (!person.roles.includes('issuer')) return refuse(`${author} has not the role issuer`);
  const own = gate.packets.find((packet) =>
    [packet.implementer, packet.reviewer, packet.secondReviewer].includes(author),
  );
  return own === undefined ? null : refuse(`${author} implements or reviews packet ${own.id}`);
}
