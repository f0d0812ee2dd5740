/**
 * Whose keys a verifier believes: people and keys pinned outside of what is verified. JSON,
 * `{"gate": "<id>", "people": {"<person>": ["<PEM or base64 key>"]}}`.
 */
import { HoldfastError } from '@holdfast/core';
import { z } from 'zod';
import { type Gate, GATE_ID_PATTERN } from '../gate-file/gate-schema.ts';
import { type KeyRing, parsePublicKey, ringOf } from '../records/keys.ts';

/** Ten keys of 1,000 people. */
const MAX_PINS_CHARS = 4_000_000;
const Id = z.string().regex(GATE_ID_PATTERN);
const PinsSchema = z.strictObject({
  gate: Id,
  people: z.record(Id, z.array(z.string().max(1_000)).min(1).max(10)),
});
export type BundlePins = z.infer<typeof PinsSchema>;

/** @throws `ERR_GATE_KEY` naming what is wrong first */
export function parsePins(text: string): BundlePins {
  if (text.length > MAX_PINS_CHARS) throw refused('the file is too large');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw refused('the file is not JSON');
  }
  const parsed = PinsSchema.safeParse(value);
  if (!parsed.success) {
    const path = parsed.error.issues[0]?.path.join('.') ?? '';
    throw refused(`"gate" and "people" are expected, wrong first at ${path === '' ? 'the top' : path}`);
  }
  for (const [person, keys] of Object.entries(parsed.data.people)) {
    // A pin that is silently no key would look like trust withheld on purpose.
    if (keys.some((key) => parsePublicKey(key) === undefined)) throw refused(`a key of ${person} is no Ed25519 key`);
  }
  return parsed.data;
}

/** What to pin of a gate file that one has seen with one's own eyes. */
export function pinsOf({ id, people }: Pick<Gate, 'id' | 'people'>): BundlePins {
  const withKeys = people.filter(({ keys }) => keys.length > 0);
  return { gate: id, people: Object.fromEntries(withKeys.map((person) => [person.id, person.keys])) };
}

export function pinnedRing({ people }: BundlePins): KeyRing {
  return ringOf(Object.entries(people).map(([id, keys]) => ({ id, keys })));
}

function refused(reason: string): HoldfastError {
  return new HoldfastError(`the pinned keys cannot be used: ${reason}`, { code: 'ERR_GATE_KEY', fields: { reason } });
}
