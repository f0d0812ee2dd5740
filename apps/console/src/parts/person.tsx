import type { GateView } from '@holdfast/api';

export type People = GateView['people'];

/** Somebody of the gate by name, and how to reach them. An id that nobody has is shown as it is. */
export function Person({ id, people }: { id: string; people: People }) {
  const person = people.find((each) => each.id === id);
  if (person === undefined) return <>{id}</>;
  return (
    <span className="person">
      {person.name} <Contact text={person.contact} />
    </span>
  );
}

export const nameOf = (people: People, id: string): string => people.find((each) => each.id === id)?.name ?? id;

/** A gate file takes an e-mail address, a web address or a telephone number. */
const EMAIL = /^[^\s@<>"]+@[^\s@<>"]+$/;
const WEB = /^https?:\/\//;

function Contact({ text }: { text: string }) {
  if (EMAIL.test(text)) return <a href={`mailto:${text}`}>{text}</a>;
  if (WEB.test(text)) return <a href={text}>{text}</a>;
  return <span className="quiet">{text}</span>;
}
