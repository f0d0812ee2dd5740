/** Who does what, with which key: different people with different keys, who can be reached. */
import type { LintProblem } from '../gate-problem.ts';
import { parsePublicKey } from '../../records/keys.ts';
import type { Gate, Packet, Person, ROLES } from '../gate-schema.ts';
import { lintError, lintRule, lintWarning, PLACEHOLDER } from '../lint-rule.ts';

type Role = (typeof ROLES)[number];
const PARTS = [
  ['implementer', 'implementer'],
  ['reviewer', 'reviewer'],
  ['secondReviewer', 'reviewer'],
] as const satisfies readonly (readonly [keyof Packet, Role])[];

function* partsOf(packet: Packet, index: number, people: ReadonlyMap<string, Person>): Iterable<LintProblem> {
  for (const [part, role] of PARTS) {
    const id = packet[part];
    if (id === null) continue;
    const path = ['packets', index, part];
    const person = people.get(id);
    if (person === undefined)
      yield lintError('R-13', path, `there is no person \`${id}\`; add them or correct the name`);
    else if (!person.roles.includes(role))
      yield lintError(
        'R-13',
        path,
        `\`${id}\` does not have the role ${role}; add it to them or choose another person`,
      );
  }
}

function* differentPeople({ implementer, reviewer, secondReviewer }: Packet, index: number): Iterable<LintProblem> {
  if (reviewer === implementer)
    yield lintError(
      'R-13',
      ['packets', index, 'reviewer'],
      `\`${reviewer}\` also implements it; choose another reviewer`,
    );
  if (secondReviewer === null) return;
  const path = ['packets', index, 'secondReviewer'];
  if (secondReviewer === implementer)
    yield lintError('R-13', path, `\`${secondReviewer}\` also implements it; choose another person`);
  if (secondReviewer === reviewer)
    yield lintError('R-13', path, `\`${secondReviewer}\` is also the first reviewer; choose another person`);
}

function* keysOf(people: readonly Person[]): Iterable<LintProblem> {
  const owners = new Map<string, string>();
  for (const [at, { id, keys, roles }] of people.entries()) {
    if (keys.length === 0) {
      const path = ['people', at, 'keys'];
      const message = `\`${id}\` has no key and can sign nothing; make one with \`holdfast gate key\` and list its public part`;
      yield roles.every((role) => role === 'machine')
        ? lintWarning('R-13', path, message)
        : lintError('R-13', path, message);
    }
    for (const [index, text] of keys.entries()) {
      const path = ['people', at, 'keys', index];
      const key = parsePublicKey(text);
      if (key === undefined) {
        yield lintError('R-13', path, 'is no Ed25519 public key: neither SPKI PEM nor base64 of 32 bytes');
        continue;
      }
      // PEM and base64 are two spellings of one key.
      const spelling = Buffer.from(key).toString('hex');
      const owner = owners.get(spelling);
      if (owner === id) yield lintError('R-13', path, 'is listed twice; remove one');
      else if (owner !== undefined)
        yield lintError(
          'R-13',
          path,
          `is the key of \`${owner}\`, too; signatures are counted by person: make another key`,
        );
      owners.set(spelling, owner ?? id);
    }
  }
}

function* addressesOf(people: readonly Person[]): Iterable<LintProblem> {
  const committers = new Map<string, string>();
  const contacts = new Map<string, string>();
  for (const [at, { id, git, contact, roles }] of people.entries()) {
    for (const [index, address] of git.entries()) {
      const owner = committers.get(address.toLowerCase());
      const path = ['people', at, 'git', index];
      if (owner === id) yield lintWarning('R-13', path, 'is listed twice; remove one');
      else if (owner !== undefined)
        yield lintError(
          'R-13',
          path,
          `is also how \`${owner}\` commits: nobody can tell who wrote what; keep it with one person`,
        );
      committers.set(address.toLowerCase(), owner ?? id);
    }
    if (git.length === 0 && roles.includes('reviewer'))
      yield lintWarning(
        'R-13',
        ['people', at, 'git'],
        `\`${id}\` cannot be told from an author; list the addresses they commit with`,
      );
    const namesake = contacts.get(contact.toLowerCase());
    if (namesake !== undefined && namesake !== id && !PLACEHOLDER.test(contact))
      yield lintWarning('R-18', ['people', at, 'contact'], `is also that of \`${namesake}\`; are they one person?`);
    contacts.set(contact.toLowerCase(), id);
  }
}

/** somebody must be left to issue the verdict who neither implemented nor reviewed. */
function* issuers({ people, packets }: Pick<Gate, 'people' | 'packets'>): Iterable<LintProblem> {
  const busy = new Set(
    packets.flatMap(({ implementer, reviewer, secondReviewer }) => [implementer, reviewer, secondReviewer]),
  );
  const candidates = people.filter(({ roles }) => roles.includes('issuer'));
  if (candidates.length === 0)
    yield lintError('R-13', ['people'], 'nobody has the role issuer: no verdict could be issued; give it to somebody');
  else if (candidates.every(({ id }) => busy.has(id)))
    yield lintError(
      'R-13',
      ['people'],
      'every issuer implements or reviews a packet; give the role to somebody who does neither',
    );
}

export const PEOPLE_RULES = [
  lintRule(['people'], function* ({ people }) {
    for (const [index, person] of people.entries()) {
      for (const key of ['name', 'contact'] as const) {
        if (PLACEHOLDER.test(person[key]))
          yield lintError(
            'R-18',
            ['people', index, key],
            `still has a placeholder; write the ${key} of \`${person.id}\``,
          );
      }
    }
  }),
  lintRule(['packets', 'people'], function* ({ packets, people }) {
    const known = new Map(people.map((person) => [person.id, person]));
    for (const [index, packet] of packets.entries()) yield* partsOf(packet, index, known);
  }),
  lintRule(['packets'], function* ({ packets }) {
    for (const [index, packet] of packets.entries()) yield* differentPeople(packet, index);
  }),
  lintRule(['people'], ({ people }) => keysOf(people)),
  lintRule(['people'], ({ people }) => addressesOf(people)),
  lintRule(['people', 'packets'], issuers),
];
