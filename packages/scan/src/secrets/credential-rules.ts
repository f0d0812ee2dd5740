/**
 * Secrets that no issuer marked: private keys, signed tokens, passwords in addresses and credential
 * files, and values that look random and stand beside a word that says what they are for.
 */
import { entropyBits, isPlaceholder, looksChosen, looksRandom } from './plausibility.ts';
import { type SecretRule, START } from './secret-rule.ts';

type Overrides = Partial<SecretRule> & Pick<SecretRule, 'id' | 'title' | 'literals' | 'pattern'>;

const rule = (overrides: Overrides): SecretRule => ({
  severity: 'P0',
  back: 0,
  judge: (secret) => (isPlaceholder(secret) ? null : (overrides.severity ?? 'P0')),
  chosen: false,
  textOnly: false,
  path: null,
  ...overrides,
});

/** Between the lines of a key: line ends as such or written as escapes, indentation, quotes of a concatenation. */
const KEY_BREAK = String.raw`(?:[\r\n\t "'+,>|\x60]|\\[nrt\\])`;
const KEY_HEADERS = String.raw`(?:(?:Proc-Type|DEK-Info|Comment|Version|Hash): ?[^\r\n\\]{1,100}${KEY_BREAK}{1,40}){0,4}`;
/** Shorter is a picture of a key in a document; an Ed25519 key in PKCS #8 has 64 characters. */
const MIN_KEY_CHARS = 40;

const PRIVATE_KEYS: readonly SecretRule[] = [
  rule({
    id: 'private-key',
    title: 'a private key',
    literals: ['-----begin '],
    // The first 80 characters of the body are enough to know and to name a key by.
    pattern: new RegExp(
      String.raw`-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----${KEY_BREAK}{1,40}(${KEY_HEADERS}(?:[A-Za-z0-9+/=]{1,80}${KEY_BREAK}{0,40}){1,8})`,
      'y',
    ),
    judge: (secret, match) => {
      const body = secret.replace(new RegExp(KEY_HEADERS, 'y'), '').replace(/\\[nrt]|[^A-Za-z0-9+/=]/g, '');
      if (body.length < MIN_KEY_CHARS || entropyBits(body.slice(0, 200)) < 3 || isPlaceholder(body.slice(0, 40)))
        return null;
      const encrypted = match[0].includes('BEGIN ENCRYPTED') || secret.includes('4,ENCRYPTED');
      return encrypted ? 'P1' : 'P0';
    },
  }),
  rule({
    id: 'putty-private-key',
    title: 'a PuTTY private key',
    literals: ['putty-user-key-file-'],
    pattern: /PuTTY-User-Key-File-[0-9]: [^\r\n]{1,60}\r?\nEncryption: none\r?\n([^]{1,400})/y,
  }),
  rule({
    id: 'wireguard-private-key',
    title: 'a WireGuard private key',
    literals: ['privatekey'],
    pattern: /PrivateKey[ \t]{0,8}=[ \t]{0,8}([A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=)/y,
  }),
  rule({
    id: 'jwk-private-key',
    title: 'a private key as JSON Web Key',
    literals: ['"kty"'],
    // RFC 7518 §6.2.2, §6.3.2: `d` is the private part. It may stand before or after `kty`.
    pattern: /"kty"\s{0,8}:\s{0,8}"(?:EC|RSA|OKP)"[^{}]{0,3000}?"d"\s{0,8}:\s{0,8}"([\w-]{22,800})"/y,
  }),
];

const JWT = String.raw`eyJ[\w-]{8,2000}\.eyJ[\w-]{8,6000}\.[\w-]{16,1400}`;

/** RFC 7519: a header that is JSON with an algorithm. The example every document shows is no secret. */
function isSignedToken(token: string): boolean {
  const [header = '', payload = ''] = token.split('.');
  const claims = Buffer.from(payload, 'base64url').toString('latin1');
  return (
    /"alg"\s*:\s*"(?!none)/i.test(Buffer.from(header, 'base64url').toString('latin1')) &&
    !/John Doe|"sub"\s*:\s*"1234567890"/.test(claims)
  );
}

const URL_WORD = String.raw`[^\s:@/"'<>\x60\x00-\x1f\x7f-\xff?#]`;
const SCHEME = String.raw`(?<=[A-Za-z0-9+.-]):\/\/`;
/** RFC 6761 §6.5 and RFC 2606: nobody answers there, so only a password that is meant is worth a word. */
const RESERVED_HOST = /(?:^|\.)(?:example\.(?:com|net|org)|example|invalid|test)$/i;
const WEAK_WORDS =
  /^(?:pass(?:w(?:or)?d)?|pwd|secret|token|user(?:name)?|admin|root|postgres|mysql|guest|test|changeme|hunter2|password1?|apikey|api_key|x+|\*+|key)$/i;

function judgeAddressPassword(secret: string, match: RegExpExecArray): 'P0' | null {
  const { user = '', host = '' } = match.groups ?? {};
  const password = secret.replace(/%[0-9a-f]{2}/gi, '%');
  if (isPlaceholder(password) || WEAK_WORDS.test(password) || password === user || password.length < 4) return null;
  if (
    /^[<{[$%:#*]|[>}\]]$/.test(secret) ||
    /^[A-Z][A-Z0-9_]*$/.test(secret) ||
    /^(?:pass|pw|secret|your|my)[a-z_-]*$/i.test(secret)
  )
    return null;
  if (RESERVED_HOST.test(host) && !looksRandom(secret) && !looksChosen(secret)) return null;
  return 'P0';
}

const ADDRESSES: readonly SecretRule[] = [
  rule({
    id: 'jwt',
    title: 'a signed token (JWT)',
    severity: 'P1',
    literals: ['eyj'],
    pattern: new RegExp(START + JWT, 'y'),
    judge: (secret) => (isSignedToken(secret) ? 'P1' : null),
  }),
  rule({
    id: 'url-password',
    title: 'a password in an address',
    literals: ['://'],
    pattern: new RegExp(
      String.raw`${SCHEME}(?<user>${URL_WORD}{0,100}):(?<secret>(?:${URL_WORD}|[:?#]){1,300})@(?<host>[A-Za-z0-9_.-]{1,253}|\[[0-9a-fA-F:.]{2,45}\])`,
      'y',
    ),
    judge: judgeAddressPassword,
    chosen: true,
  }),
  rule({
    id: 'authorization-header',
    title: 'credentials of an Authorization header',
    literals: ['authorization'],
    pattern:
      /authorization["'\]]{0,2}[ \t]{0,4}[:=,][ \t]{0,4}["'`]?(?:Basic|Bearer|Token)[ \t]{1,4}([A-Za-z0-9+/_.~=-]{12,400})/iy,
    severity: 'P1',
    judge: (secret, match) => {
      if (isPlaceholder(secret)) return null;
      if (/basic/i.test(match[0])) {
        const [, password = ''] = /^[^:]{0,100}:(.{4,})$/.exec(decodePrintable(secret)) ?? [];
        return password === '' || isPlaceholder(password) || WEAK_WORDS.test(password) ? null : 'P0';
      }
      return looksRandom(secret) ? 'P1' : null;
    },
    chosen: true,
  }),
];

function decodePrintable(base64: string): string {
  const text = Buffer.from(base64, 'base64').toString('latin1');
  return /^[\x20-\x7e]*$/.test(text) ? text : '';
}

/** `machine h login l password p`, in any layout: inetutils, "The .netrc file". */
const CREDENTIAL_FILES: readonly SecretRule[] = [
  rule({
    id: 'netrc-password',
    title: 'a password of a .netrc file',
    literals: ['machine'],
    pattern: new RegExp(
      String.raw`${START}machine\s{1,8}[\w.-]{1,253}\s{1,40}(?:account\s{1,8}\S{1,200}\s{1,40})?login\s{1,8}\S{1,200}\s{1,40}password\s{1,8}(\S{4,300})`,
      'y',
    ),
    chosen: true,
    textOnly: true,
  }),
  rule({
    id: 'pgpass-password',
    title: 'a password of a .pgpass file',
    literals: [':'],
    // PostgreSQL, "The Password File": host:port:database:user:password
    pattern: /(?<=^[^\s#:]{1,253}):(?:[0-9]{1,5}|\*):[^:\r\n]{1,100}:[^:\r\n]{1,100}:([^:\r\n]{4,300})$/my,
    judge: (secret) => (isPlaceholder(secret) || WEAK_WORDS.test(secret) ? null : 'P0'),
    path: /(?:^|\/)\.?pgpass(?:\.conf)?$/,
    chosen: true,
  }),
  rule({
    id: 'password-hash',
    title: 'a password hash of an account',
    severity: 'P1',
    literals: [':$apr1$', ':$1$', ':$2a$', ':$2b$', ':$2y$', ':$5$', ':$6$', ':$y$', ':{sha}'],
    pattern:
      /(?<=(?:^|["'`\n])[\w.@-]{1,64}):(\$(?:apr1|1|5|6|y)\$[\w./$=,-]{20,200}|\$2[aby]\$[0-9]{2}\$[A-Za-z0-9./]{53}|\{SHA\}[A-Za-z0-9+/]{27}=)/my,
    // `$apr1$` is no variable. A hash of nothing but one character is a picture.
    judge: (secret) => (entropyBits(secret) > 3 ? 'P1' : null),
    chosen: true,
    textOnly: true,
  }),
  rule({
    id: 'docker-registry-credential',
    title: 'a credential of a container registry',
    literals: ['"auth"', '\\"auth\\"'],
    pattern: /\\?"auth\\?"\s{0,8}:\s{0,8}\\?"([A-Za-z0-9+/]{12,400}={0,2})\\?"/y,
    judge: (secret) =>
      /^[^:\s]{1,100}:.{4,}$/.test(decodePrintable(secret)) && !isPlaceholder(decodePrintable(secret)) ? 'P0' : null,
    chosen: true,
  }),
];

/** Words that say that the value beside them is a secret. */
const SECRET_WORDS = [
  'passw',
  'passphrase',
  'pwd',
  'secret',
  'token',
  'api_key',
  'apikey',
  'api-key',
  'access_key',
  'accesskey',
  'access-key',
  'private_key',
  'privatekey',
  'encryption_key',
  'encryptionkey',
  'signing_key',
  'signingkey',
  'master_key',
  'masterkey',
  'auth_key',
  'authkey',
  'account_key',
  'credential',
];
/** Names in which such a word means something else. */
const HARMLESS_NAME =
  /public|hash|digest|sha\d|md5|checksum|fingerprint|integrity|commit|etag|(?:key|token|secret)[_-]?(?:id|name|type|path|file|url|uri|endpoint|length|size|ref|arn|kind|format|scheme|version|algorithm|expir\w*|ttl|count|index)\b|csrf|xsrf|tokeni[sz]|page[_-]?token|next[_-]?token|cancel|author\b/i;
const ASSIGNMENT = String.raw`(?:[\w.-]{0,40}(?:["'\]\x60]|\\["']){0,3}[ \t]{0,16}(?::[ \t]{0,4}[\w<>|&. ]{1,24}[ \t]{0,4})?(?:=>|:=|==?=?|:|,|\|\|=|\?\?=|\?=)[ \t]{0,16})`;
const QUOTED = String.raw`(?:[frbu@]{0,2})(?:\\?["'\x60])(?<secret>[^"'\x60\s\\]{8,300})(?=\\?["'\x60])`;
const BARE = String.raw`(?<secret>[A-Za-z0-9+/_.~!@#$%^&*=-]{12,300})(?=[ \t]*(?:$|\r|\n|#|;|\\[nr]|<))`;

/** How far before its word a name may reach back: `MY_SERVICE_` of `MY_SERVICE_SECRET`. */
function nameAround(match: RegExpExecArray): string {
  const before = /[\w.-]{0,40}$/.exec(match.input.slice(Math.max(0, match.index - 40), match.index))?.[0] ?? '';
  return before + match[0].slice(0, match[0].length - (match.groups?.['secret'] ?? '').length);
}

const ASSIGNED_SECRET: SecretRule = rule({
  id: 'assigned-secret',
  title: 'a value that looks random beside a word that says it is secret',
  severity: 'P1',
  literals: SECRET_WORDS,
  pattern: new RegExp(`(?:${SECRET_WORDS.join('|')})${ASSIGNMENT}(?:${QUOTED}|${BARE})`, 'myi'),
  judge: (secret, match) => {
    const name = nameAround(match);
    if (isPlaceholder(secret) || HARMLESS_NAME.test(name)) return null;
    if (looksRandom(secret) && secret.length >= 12) return 'P1';
    return /passw|passphrase|pwd/i.test(name) && looksChosen(secret) ? 'P1' : null;
  },
  chosen: true,
  textOnly: true,
});

export const CREDENTIAL_RULES: readonly SecretRule[] = [
  ...PRIVATE_KEYS,
  ...ADDRESSES,
  ...CREDENTIAL_FILES,
  ASSIGNED_SECRET,
];
