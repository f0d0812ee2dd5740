/**
 * What is taken out of evidence before it is signed (P-31): 14 classes, each found in time linear in
 * the text. Every pattern either has a bounded length, or ends in its only unbounded run, or starts
 * at a place that a run cannot contain; so no text makes one slow.
 *
 * A pattern takes its look-alikes into account: systemd units and SSH algorithms look like e-mail
 * addresses, a diff's `+` like a phone number, the state of a password like a password.
 */

/** Takes what it finds out of `text` by putting `redacted()` in its place. */
export type Redactor = (text: string, redacted: () => string) => string;

export interface RedactionClass {
  readonly name: string;
  readonly redact: Redactor;
  /** Names of members whose whole value is of this class, whatever it looks like. */
  readonly label?: RegExp;
}

/** Never redacted again: what stands where something was redacted. */
const MARKER_START = '[redacted:';

/** Replaces whole matches, when `accept` says so. */
function pattern(regex: RegExp, accept: (match: string) => boolean = () => true): Redactor {
  return (text, redacted) =>
    text.replace(regex, (match) => (!match.startsWith(MARKER_START) && accept(match) ? redacted() : match));
}

/** Like `pattern`, for `(kept)(value)`. */
function labelled(regex: RegExp, accept: (value: string) => boolean = () => true): Redactor {
  return (text, redacted) =>
    text.replace(regex, (match, kept: string, value: string) =>
      !value.startsWith(MARKER_START) && accept(value) ? kept + redacted() : match,
    );
}

const inTurn =
  (...redactors: readonly Redactor[]): Redactor =>
  (text, redacted) =>
    redactors.reduce((rest, redact) => redact(rest, redacted), text);

/** From `-----BEGIN X-----` to its end, or to the end of the text when it has none. */
const pemBlocks: Redactor = (text, redacted) => {
  const begin = /-----BEGIN [A-Z0-9 ]{1,40}-----/g;
  const end = /-----END [A-Z0-9 ]{1,40}-----/g;
  let output = '';
  let from = 0;
  for (let match = begin.exec(text); match !== null; match = begin.exec(text)) {
    end.lastIndex = begin.lastIndex;
    const last = end.exec(text);
    output += text.slice(from, match.index) + redacted();
    from = last === null ? text.length : end.lastIndex;
    begin.lastIndex = from;
  }
  return output + text.slice(from);
};

/** `user:password@` between `://` and the end of the authority (RFC 3986 §3.2.1). */
const urlPasswords: Redactor = (text, redacted) =>
  text.replace(/:\/\/[^\s/?#"'<>]+/g, (authority) => {
    const at = authority.lastIndexOf('@');
    const colon = authority.indexOf(':', 3);
    if (colon < 0 || at <= colon + 1 || authority.startsWith(MARKER_START, colon + 1)) return authority;
    return authority.slice(0, colon + 1) + redacted() + authority.slice(at);
  });

/** Values of `password:` that say in what state one is, or where it is looked up (nsswitch.conf). */
const PASSWORD_STATES = new Set(
  'empty set unset locked unknown expired yes no true false null none never on off required optional files compat sss db systemd ldap'.split(
    ' ',
  ),
);
const isPassword = (value: string): boolean => !PASSWORD_STATES.has(value.replaceAll(/["']/g, '').toLowerCase());
const PASSWORD_NAMES =
  'password|passwd|passphrase|pwd|client[_-]?secret|secret[_-]?key|secret|private[_-]?key|(?:access|refresh|auth|session|id)[_-]?token';
/** A quoted string up to its closing quote, or a word. */
const VALUE = String.raw`"(?:[^"\\]|\\[^])*"?|'[^']*'?|[^\s"',;&}\]]+`;

/** Domains that only look like one: systemd unit types, and the names of SSH algorithms. */
const NOT_MAIL =
  /\.(?:service|socket|timer|mount|automount|target|slice|scope|path|device|swap)$|^@(?:openssh\.com|libssh\.org|lysator\.liu\.se)$/i;

/** Looks for `@domain` and goes back from there, so that a long word without one costs nothing. */
const mailAddresses: Redactor = (text, redacted) => {
  let output = '';
  let from = 0;
  for (const match of text.matchAll(
    /@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,8}\.[A-Za-z]{2,24}(?![A-Za-z0-9])/g,
  )) {
    if (NOT_MAIL.test(match[0])) continue;
    let start = match.index;
    while (start > from && /[A-Za-z0-9._%+-]/.test(text.charAt(start - 1))) start -= 1;
    if (start === match.index) continue;
    output += text.slice(from, start) + redacted();
    from = match.index + match[0].length;
  }
  return output + text.slice(from);
};

/** ISO/IEC 7812-1 Annex B. */
export function hasLuhnChecksum(digits: string): boolean {
  let sum = 0;
  for (let index = 0; index < digits.length; index += 1) {
    const digit = Number(digits.charAt(digits.length - 1 - index));
    const doubled = digit * 2 > 9 ? digit * 2 - 9 : digit * 2;
    sum += index % 2 === 0 ? digit : doubled;
  }
  return sum % 10 === 0;
}

/** Lengths by country, from the IBAN registry (ISO 13616). */
const IBAN_LENGTHS = new Map(
  'AD24 AE23 AT20 BE16 BG22 CH21 CY28 CZ24 DE22 DK18 EE20 ES24 FI18 FR27 GB22 GR27 HR21 HU28 IE22 IL23 IS26 IT27 LI21 LT20 LU20 LV21 MC27 MT31 NL18 NO15 PL28 PT25 RO24 SA24 SE24 SI19 SK24 SM27 TR26'
    .split(' ')
    .map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]),
);

const bankAccounts: Redactor = (text, redacted) => {
  let output = '';
  let from = 0;
  for (const match of text.matchAll(/(?<![A-Za-z0-9])[A-Z]{2}\d{2}/g)) {
    const wanted = IBAN_LENGTHS.get(match[0].slice(0, 2));
    if (wanted === undefined || match.index < from) continue;
    let end = match.index;
    let iban = '';
    while (iban.length < wanted && /[A-Z0-9 ]/.test(text.charAt(end))) {
      if (text.charAt(end) !== ' ') iban += text.charAt(end);
      end += 1;
    }
    if (iban.length !== wanted || /[A-Za-z0-9]/.test(text.charAt(end)) || !hasIbanChecksum(iban)) continue;
    output += text.slice(from, match.index) + redacted();
    from = end;
  }
  return output + text.slice(from);
};

/** ISO 7064 MOD 97-10 over the rearranged account. */
function hasIbanChecksum(iban: string): boolean {
  const digits = Array.from(iban.slice(4) + iban.slice(0, 4), (char) => Number.parseInt(char, 36)).join('');
  let remainder = 0;
  for (const digit of digits) remainder = (remainder * 10 + Number(digit)) % 97;
  return remainder === 1;
}

const MEDICAL_RECORD = String.raw`mrn|medical[ _-]?record(?:[ _-]?(?:number|no|id))?`;
const BIRTH_DATE = String.raw`dob|date[ _-]?of[ _-]?birth|birth[ _-]?(?:date|day)|born`;

/** In the order in which they run: what contains other classes goes first. */
export const REDACTION_CLASSES: readonly RedactionClass[] = [
  { name: 'pem-block', redact: pemBlocks },
  { name: 'url-password', redact: urlPasswords },
  {
    name: 'aws-key',
    redact: inTurn(
      pattern(/(?<![A-Za-z0-9])(?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA|ANVA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])/g),
      labelled(
        /(aws[ _.-]?secret[ _.-]?(?:access[ _.-]?)?key["']?\s{0,8}[:=]\s{0,8}["']?)([A-Za-z0-9/+]{40}(?![A-Za-z0-9/+]))/gi,
      ),
    ),
  },
  {
    name: 'bearer-token',
    redact: inTurn(
      labelled(/(authorization["']?\s{0,8}[:=]\s{0,8}["']?(?:basic|bearer|token|digest)\s{1,8})([^\s"']+)/gi),
      // In prose, `bearer` is followed by words: a token has a digit or is long.
      labelled(/(bearer\s{1,8})([A-Za-z0-9._~+/=-]{8,})/gi, (value) => /\d/.test(value) || value.length >= 20),
      pattern(/(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?/g),
    ),
  },
  {
    name: 'api-key',
    redact: inTurn(
      pattern(
        /(?<![A-Za-z0-9])(?:sk-[A-Za-z0-9_-]{20,}|[srp]k_(?:live|test)_[A-Za-z0-9]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}|xox[abeoprs]-[A-Za-z0-9-]{10,}|AIza[A-Za-z0-9_-]{30,}|npm_[A-Za-z0-9]{30,}|SG\.[A-Za-z0-9_-]{16,}|hf_[A-Za-z0-9]{30,}|hvs\.[A-Za-z0-9_-]{20,}|dop_v1_[a-f0-9]{40,})/g,
      ),
      labelled(new RegExp(String.raw`(api[ _-]?key["']?\s{0,8}(?:=>|[:=])\s{0,8})(${VALUE})`, 'gi'), isPassword),
    ),
    label: /api[ _-]?key$/i,
  },
  {
    name: 'password',
    redact: inTurn(
      labelled(
        new RegExp(String.raw`((?:${PASSWORD_NAMES})["']?\s{0,8}(?:=>|[:=])\s{0,8})(${VALUE})`, 'gi'),
        isPassword,
      ),
      // crypt(5): `$id$salt$hash`
      pattern(/\$(?:1|2[abxy]|5|6|7|y|gy|argon2(?:id|i|d))\$[A-Za-z0-9./$=,+_-]{8,}/g),
    ),
    label: new RegExp(`(?:${PASSWORD_NAMES})$`, 'i'),
  },
  { name: 'email', redact: mailAddresses },
  {
    name: 'ssn',
    redact: pattern(/(?<![\w-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])/g),
    label: /^(?:ssn|social[ _-]?security(?:[ _-]?number)?)$/i,
  },
  {
    name: 'credit-card',
    // Issuer digits 2 to 6 only: times in nanoseconds since 1970 begin with 1.
    redact: pattern(
      /(?<![\w.-])[2-6](?:\d{12,18}|\d{3}([ -])\d{4}\1\d{4}\1\d{1,7}|\d{3}([ -])\d{6}\2\d{5})(?![\w.-])/g,
      (match) => hasLuhnChecksum(match.replaceAll(/\D/g, '')),
    ),
  },
  { name: 'iban', redact: bankAccounts },
  {
    name: 'phone',
    redact: inTurn(
      // E.164, 8 to 15 digits. Not the first line of a diff that begins with a date.
      pattern(/(?<![\w.+:/-])\+(?!\d{4}-\d\d-\d\d)\d{1,3}(?:[ -]?\(?\d{2,4}\)?){2,5}(?![\w.:])/g, (match) =>
        /^.{8,15}$/.test(match.replaceAll(/\D/g, '')),
      ),
      pattern(/(?<![\w.-])(?:\(\d{3}\) ?|\d{3}-)\d{3}-\d{4}(?![\w-])/g),
    ),
    label: /^(?:phone|telephone|mobile|fax)(?:[ _-]?(?:number|no))?$/i,
  },
  {
    name: 'mrn',
    redact: labelled(
      new RegExp(String.raw`((?<![A-Za-z])(?:${MEDICAL_RECORD})\s{0,4}[:#=]?\s{0,4})([A-Z]{0,3}-?\d{5,})`, 'gi'),
    ),
    label: new RegExp(`^(?:${MEDICAL_RECORD})$`, 'i'),
  },
  {
    name: 'npi',
    redact: labelled(/((?<![A-Za-z])npi\s{0,4}[:#=]?\s{0,4})(\d{10}(?!\d))/gi),
    label: /^npi(?:[ _-]?(?:number|no))?$/i,
  },
  {
    name: 'birth-date',
    redact: labelled(
      new RegExp(
        String.raw`((?<![A-Za-z])(?:${BIRTH_DATE})\s{0,4}[:=]?\s{0,4})(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/. ]\d{1,2}[-/. ]\d{2,4}|\d{1,2} [A-Za-z]{3,9} \d{4}|[A-Za-z]{3,9} \d{1,2}, \d{4})`,
        'gi',
      ),
    ),
    label: new RegExp(`^(?:${BIRTH_DATE})$`, 'i'),
  },
];

/** Whether a labelled member's value is what its label says, not the state of it. */
export const isLabelledSecret = (value: string): boolean =>
  value !== '' && !value.startsWith(MARKER_START) && isPassword(value);

export const markerFor = (name: string): string => `${MARKER_START}${name}]`;
