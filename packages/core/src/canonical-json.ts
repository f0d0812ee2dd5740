/**
 * Canonical JSON: one value, one text. Follows RFC 8785 (JCS): no white space, object keys sorted by
 * UTF-16 code units, numbers and strings as ECMAScript prints them (P-06). What has no such form is
 * refused, never repaired: two parties that disagree about a repair would sign different bytes.
 */
import { HoldfastError } from './errors.ts';
import type { Json } from './json.ts';

/** Deeper nesting than any record of ours; keeps hostile input from exhausting the stack. */
const MAX_DEPTH = 200;

/**
 * The canonical text of `value`.
 *
 * @throws `ERR_NOT_CANONICAL` for numbers that are not finite, lone surrogates, values that are not
 * JSON (also `undefined` inside objects), and nesting deeper than 200
 */
export function canonicalJson(value: Json): string {
  return write(value, 0);
}

function write(value: unknown, depth: number): string {
  if (depth > MAX_DEPTH) refuse('nested too deeply');
  if (typeof value === 'string') return writeString(value);
  if (typeof value === 'number') return writeNumber(value);
  if (value === null || typeof value === 'boolean') return String(value);
  if (Array.isArray(value)) return writeArray(value, depth);
  if (typeof value === 'object') return writeObject(value, depth);
  return refuse(`a value of type ${typeof value}`);
}

function writeNumber(value: number): string {
  // RFC 8785 §3.2.2.3: NaN and Infinity are an error; ECMAScript prints the rest as wanted, -0 as 0.
  return Number.isFinite(value) ? String(value) : refuse('a number that is not finite');
}

/** What JSON prints as it is: no quote, backslash, control character or surrogate. */
const PLAIN_TEXT = /^[ !#-[\]-\ud7ff]*$/;
/** In longer texts the search costs more than it saves. */
const MAX_PLAIN_CHARS = 80;

function writeString(text: string): string {
  if (text.length <= MAX_PLAIN_CHARS && PLAIN_TEXT.test(text)) return `"${text}"`;
  // RFC 8785 §3.2.2.2: lone surrogates are an error. JSON.stringify would escape them.
  if (!text.isWellFormed()) refuse('a lone surrogate');
  return JSON.stringify(text);
}

function writeArray(items: readonly unknown[], depth: number): string {
  let text = '';
  // By index, so that holes are visited too: as undefined, which is then refused.
  for (let at = 0; at < items.length; at++) text += `${at === 0 ? '[' : ','}${write(items[at], depth + 1)}`;
  return items.length === 0 ? '[]' : `${text}]`;
}

function writeObject(value: object, depth: number): string {
  const prototype: unknown = Object.getPrototypeOf(value);
  // A Date, a Map or a Secret has no JSON form of its own; only plain objects are data.
  if (prototype !== Object.prototype && prototype !== null) refuse('an object that is not plain');
  const members = value as Record<string, unknown>;
  const keys = Object.keys(members);
  // RFC 8785 §3.2.3: the default sort compares UTF-16 code units. What was parsed from canonical text
  // is in order already.
  if (!isSorted(keys)) keys.sort();
  let text = '';
  for (const key of keys) text += `${text === '' ? '{' : ','}${writeString(key)}:${write(members[key], depth + 1)}`;
  return keys.length === 0 ? '{}' : `${text}}`;
}

function isSorted(keys: readonly string[]): boolean {
  for (let at = 1; at < keys.length; at++) if ((keys[at - 1] ?? '') > (keys[at] ?? '')) return false;
  return true;
}

function refuse(what: string): never {
  throw new HoldfastError(`no canonical JSON form: ${what}`, { code: 'ERR_NOT_CANONICAL', fields: { what } });
}
