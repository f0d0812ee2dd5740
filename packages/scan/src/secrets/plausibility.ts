/**
 * Whether a value may be a secret at all, or is a placeholder, a documented example, a hash, an
 * identifier. Pure, linear, and on the side of reporting: a value is dropped only for a reason that
 * can be named. That a file is a test is no such reason.
 */

/** Values that vendors print in their documentation; found everywhere, valid nowhere. */
const DOCUMENTED = [
  'AKIAIOSFODNN7EXAMPLE',
  'AKIAI44QH8DHBEXAMPLE',
  'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  'je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY',
];

const PLACEHOLDER_WORDS =
  /example|placeholder|change.?me|replace|redacted|dummy|fake|sample|your[-_ ]?|insert|enter[-_ ]|todo|fixme|xxxx|\*{3}|\.{3}|<[^>]{0,100}>|\$\{|\{\{|\$\(|%s|%\(|process\.env|os\.environ|getenv|undefined|deadbeef|test[-_]?(?:password|secret|token|key)|foobar|lorem/i;
const SEQUENCES = /01234567|12345678|23456789|87654321|abcdefgh|bcdefghi|qwertyui|ABCDEFGH/;
const REPEATED = /(.)\1{5}/;
/** A pattern for secrets is none. */
const REGULAR_EXPRESSION = /\(\?[:=!<]|\[\^?[A-Za-z0-9\\]-?|\{\d{1,4}(?:,\d{0,4})?\}/;
const VARIABLE = /^(?:\$[A-Za-z_]|%[A-Za-z_]|@[A-Za-z_]+@$|#\{|\[|\()/;

/** Placeholder, documented example, template, or plain sequence. */
export function isPlaceholder(value: string): boolean {
  if (DOCUMENTED.some((known) => value.includes(known)) || /EXAMPLE(?:KEY)?$/.test(value)) return true;
  if (REGULAR_EXPRESSION.test(value)) return true;
  return SEQUENCES.test(value) || REPEATED.test(value) || VARIABLE.test(value) || PLACEHOLDER_WORDS.test(value);
}

/** Shannon's entropy of the characters, in bits a character. At most 8, and at most log2 of the length. */
export function entropyBits(value: string): number {
  const counts = new Map<string, number>();
  for (const character of value) counts.set(character, (counts.get(character) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / value.length) * Math.log2(count / value.length);
  return bits;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const INTEGRITY = /^(?:sha(?:1|224|256|384|512)|md5|h1)[-:=]/i;
const IDENTIFIER_PATH = /^[A-Za-z_$][\w$]*(?:(?:\.|::|->|\/|-)[A-Za-z_$][\w$]*)*$/;
const URL_OR_PATH = /^(?:[a-z][a-z0-9+.-]{0,20}:\/\/|\.{0,2}\/[\w.-]+\/|@[\w-]+\/|[a-z]+:[a-z]+)/i;
const DATE_OR_VERSION = /^\d{4}-\d\d-\d\d|^v?\d+\.\d+\.\d+/;
const PUBLIC_KEY =
  /^(?:ssh-(?:rsa|ed25519)|ecdsa-|MFkw|MFYw|MCow|MII[BCDE]|AAAA[BCE]3?Nz|LS0tLS1CRUdJTi(?:BQVUJM|BDRVJU))/;

/** Below it, text of that alphabet is words; random base64 of 20 characters has 4 bits and more (measured over 10^5). */
const MIN_ENTROPY_BITS = 3.5;
const MIN_ENTROPY_BITS_ONE_DIGIT = 3.9;
/** Random hexadecimal of 32 digits has 3.2 bits and more. */
const MIN_HEX_ENTROPY_BITS = 3;
const MIN_HEX_CHARS = 32;
/** How often upper case, lower case, digits and others take turns: random base62 0.6, identifiers under 0.2. */
const MIN_SWITCHES_PER_CHAR = 0.25;

/** Whether `value` looks drawn at random by a machine: a key, not a word, hash, address, path or identifier. */
export function looksRandom(value: string): boolean {
  if (UUID.test(value) || INTEGRITY.test(value) || DATE_OR_VERSION.test(value) || PUBLIC_KEY.test(value)) return false;
  if (URL_OR_PATH.test(value)) return false;
  const digits = value.match(/[0-9]/g)?.length ?? 0;
  if (/^[0-9a-f]+$/i.test(value)) {
    return value.length >= MIN_HEX_CHARS && digits < value.length && entropyBits(value) >= MIN_HEX_ENTROPY_BITS;
  }
  if (digits === 0 || digits === value.length || !/[A-Za-z]/.test(value)) return false;
  // One digit is as many as an identifier or a phrase may have: `useOAuth2Token`, `level-2-secret`.
  if (digits === 1 && !(/[a-z]/.test(value) && /[A-Z]/.test(value))) return false;
  if (entropyBits(value) < (digits === 1 ? MIN_ENTROPY_BITS_ONE_DIGIT : MIN_ENTROPY_BITS)) return false;
  const switches = countSwitches(value) / value.length;
  if (IDENTIFIER_PATH.test(value) && switches < 0.35) return false;
  return switches >= MIN_SWITCHES_PER_CHAR;
}

function classOf(character: string): number {
  return /[a-z]/.test(character) ? 0 : /[A-Z]/.test(character) ? 1 : /[0-9]/.test(character) ? 2 : 3;
}

function countSwitches(value: string): number {
  let switches = 0;
  for (let at = 1; at < value.length; at++) if (classOf(value[at]!) !== classOf(value[at - 1]!)) switches += 1;
  return switches;
}

/** Whether a person would choose it as a password that is meant: 8 characters, three classes, no plain word. */
export function looksChosen(value: string): boolean {
  if (value.length < 8 || IDENTIFIER_PATH.test(value) || URL_OR_PATH.test(value) || UUID.test(value)) return false;
  const classes = [/[a-z]/, /[A-Z]/, /[0-9]/, /[^A-Za-z0-9\s]/].filter((one) => one.test(value)).length;
  return classes >= 3 && /[0-9]/.test(value) && entropyBits(value) >= 2.5 && !/[\s(){}[\]|\\]|=>/.test(value);
}
