/** How people are named in runbooks, and when they can be reached. */
import { z } from 'zod';

/** An e-mail address, a URL (`https`, `mailto`) or a telephone number. */
const ContactSchema = z.union([
  z.email().max(320),
  z.url({ protocol: /^(?:https|mailto)$/ }).max(500),
  z.string().regex(/^\+[0-9 ]{6,20}$/),
]);

/** Somebody who can be named in a runbook. */
export interface Person {
  readonly id: string;
  readonly contact: string;
}

const isContact = (text: string): boolean => ContactSchema.safeParse(text).success;

/**
 * Says who `name` is: a person's id or contact. Without a list of people, a contact stands for itself.
 *
 * @returns one spelling for each person, to compare; `null` when nobody can be reached by that name
 */
export function resolvePerson(name: string, people: readonly Person[] | null): string | null {
  const bare = name.trim();
  if (people === null) return isContact(bare) ? bare.toLowerCase() : null;
  const person = people.find(({ id, contact }) => id === bare || contact.toLowerCase() === bare.toLowerCase());
  return person !== undefined && isContact(person.contact) ? person.contact.toLowerCase() : null;
}
