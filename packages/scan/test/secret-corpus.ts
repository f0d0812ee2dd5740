/**
 * Secrets of every kind and things that only look like some, made up at run time from a seed, so that
 * none of them stands in this repository. Forms are right (checksums too), values are nobody's.
 */
import { createHash, generateKeyPairSync } from 'node:crypto';

import { base62Checksum } from '../src/secrets/token-checksums.ts';

/** mulberry32: small, seeded, good enough to make up characters. */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

const DIGITS = '0123456789';
const HEX = `${DIGITS}abcdef`;
const UPPER = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const LOWER = 'abcdefghijklmnopqrstuvwxyz';
const BASE62 = UPPER + LOWER + DIGITS;
const BASE64 = `${BASE62}+/`;
const URL64 = `${BASE62}-_`;

const jsonPart = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

export class Maker {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  chars(alphabet: string, count: number): string {
    let text = '';
    for (let i = 0; i < count; i++) text += alphabet[Math.floor(this.#random() * alphabet.length)];
    return text;
  }
  hex = (count: number): string => this.chars(HEX, count);
  base62 = (count: number): string => this.chars(BASE62, count);
  base64 = (count: number): string => this.chars(BASE64, count);
  url64 = (count: number): string => this.chars(URL64, count);
  upper32 = (count: number): string => this.chars(`${UPPER}234567`, count);
  digits = (count: number): string => this.chars('123456789', 1) + this.chars(DIGITS, count - 1);
  bytes = (count: number): Buffer => Buffer.from(Array.from({ length: count }, () => Math.floor(this.#random() * 256)));
  uuid = (): string => `${this.hex(8)}-${this.hex(4)}-4${this.hex(3)}-a${this.hex(3)}-${this.hex(12)}`;
  checked = (prefix: string): string => {
    const random = this.base62(30);
    return `${prefix}_${random}${base62Checksum(random)}`;
  };
  jwt = (): string => {
    return `${jsonPart({ alg: 'HS256', typ: 'JWT' })}.${jsonPart({ sub: this.hex(12), iat: 1_700_000_000 })}.${this.url64(43)}`;
  };
  pem = (): string => generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' });
}

export interface Planted {
  /** A secret of this kind as it would stand in a file. */
  readonly text: string;
  /** What must not appear in a report. */
  readonly secret: string;
  /** Path, where the kind of file matters. */
  readonly path?: string;
}

const quoted = (name: string, secret: string): Planted => ({ text: `const ${name} = '${secret}';\n`, secret });
const env = (name: string, secret: string): Planted => ({ text: `${name}=${secret}\n`, secret });

/** One of each; the key names the kind. */
export const POSITIVES: Readonly<Record<string, (m: Maker) => Planted>> = {
  'aws access key id': (m) => quoted('id', `AKIA${m.upper32(16)}`),
  'aws secret access key': (m) => env('AWS_SECRET_ACCESS_KEY', m.base64(40)),
  'gcp api key': (m) => quoted('maps', `AIza${m.url64(34)}x`),
  'gcp service account': (m) => {
    const key = m.pem();
    return {
      text: JSON.stringify({ type: 'service_account', private_key: key }, null, 2),
      secret: key.split('\n')[1]!,
    };
  },
  'gcp oauth client secret': (m) => quoted('oauth', `GOCSPX-${m.base62(28)}`),
  'azure storage key': (m) => env('CONNECTION', `AccountName=x;AccountKey=${m.base64(86)}==`),
  'azure client secret': (m) => quoted('azure', `${m.base62(3)}8Q~${m.base62(34)}`),
  'github token': (m) => quoted('gh', m.checked('ghp')),
  'github app token': (m) => quoted('gh', m.checked('ghs')),
  'github token, damaged checksum': (m) => quoted('gh', `gho_${m.base62(36)}`),
  'github fine-grained token': (m) => quoted('gh', `github_pat_${m.base62(22)}_${m.base62(59)}`),
  'gitlab token': (m) => env('GL', `glpat-${m.base62(20)}`),
  'slack bot token': (m) => quoted('slack', `xoxb-${m.digits(12)}-${m.digits(13)}-${m.base62(24)}`),
  'slack webhook': (m) => {
    const secret = `T${m.chars(UPPER, 10)}/B${m.chars(UPPER, 10)}/${m.base62(24)}`;
    return { text: `url: https://hooks.slack.com/services/${secret}\n`, secret };
  },
  'stripe key': (m) => quoted('stripe', `sk_live_${m.base62(24)}`),
  'stripe restricted key': (m) => quoted('stripe', `rk_live_${m.base62(99)}`),
  'stripe webhook secret': (m) => quoted('stripe', `whsec_${m.base62(32)}`),
  'sendgrid key': (m) => env('SENDGRID', `SG.${m.base62(22)}.${m.base62(43)}`),
  'twilio key': (m) => quoted('sid', `SK${m.hex(32)}`),
  'twilio auth token': (m) => env('TWILIO_AUTH_TOKEN', m.hex(32)),
  'npm token': (m) => ({ ...env('//registry.npmjs.org/:_authToken', m.checked('npm')), path: '.npmrc' }),
  'npm basic credential': (m) => env('//registry.acme.io/:_auth', m.base64(40)),
  'pypi token': (m) => env('password', `pypi-AgEIcHlwaS5vcmc${m.url64(150)}`),
  'docker token': (m) => quoted('hub', `dckr_pat_${m.base62(27)}`),
  'docker config': (m) => {
    const secret = Buffer.from(`robot:${m.base62(20)}`).toString('base64');
    return { text: JSON.stringify({ auths: { 'registry.acme.io': { auth: secret } } }), secret };
  },
  'digitalocean token': (m) => quoted('ocean', `dop_v1_${m.hex(64)}`),
  'heroku key': (m) => env('HEROKU_API_KEY', m.uuid()),
  'telegram token': (m) => quoted('bot', `${m.digits(10)}:AA${m.base62(33)}`),
  'discord token': (m) => env('DISCORD_TOKEN', `M${m.base62(25)}.${m.base62(6)}.${m.base62(38)}`),
  'discord webhook': (m) => {
    const secret = m.base62(68);
    return { text: `https://discord.com/api/webhooks/${m.digits(18)}/${secret}\n`, secret };
  },
  'openai key': (m) => quoted('ai', `sk-proj-${m.base62(74)}T3BlbkFJ${m.base62(74)}`),
  'openai key, old': (m) => quoted('ai', `sk-${m.base62(20)}T3BlbkFJ${m.base62(20)}`),
  'anthropic key': (m) => quoted('ai', `sk-ant-api03-${m.base62(93)}AA`),
  'vault token': (m) => quoted('vault', `hvs.${m.base62(95)}`),
  'terraform cloud token': (m) => quoted('tf', `${m.base62(14)}.atlasv1.${m.base62(67)}`),
  'databricks token': (m) => quoted('db', `dapi${m.hex(32)}`),
  'shopify token': (m) => quoted('shop', `shpat_${m.hex(32)}`),
  'mailgun key': (m) => quoted('mail', `key-${m.hex(32)}`),
  'mailchimp key': (m) => quoted('mail', `${m.hex(32)}-us12`),
  'square token': (m) => quoted('square', `sq0atp-${m.base62(22)}`),
  'age key': (m) => quoted('age', `AGE-SECRET-KEY-1${m.chars('QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L', 58)}`),
  'hugging face token': (m) => quoted('hf', `hf_${m.chars(UPPER + LOWER, 34)}`),
  'grafana token': (m) => quoted('g', `glsa_${m.base62(32)}_${m.hex(8)}`),
  'new relic key': (m) => quoted('nr', `NRAK-${m.chars(UPPER + DIGITS, 27)}`),
  'linear key': (m) => quoted('lin', `lin_api_${m.base62(40)}`),
  'notion token': (m) => quoted('n', `ntn_${m.digits(11)}${m.base62(35)}`),
  'postman key': (m) => quoted('p', `PMAK-${m.hex(24)}-${m.hex(34)}`),
  'rubygems key': (m) => quoted('gem', `rubygems_${m.hex(48)}`),
  'crates.io token': (m) => quoted('c', `cio${m.base62(32)}`),
  'atlassian token': (m) => quoted('jira', `ATATT3${m.base62(186)}`),
  'sentry token': (m) => quoted('s', `sntryu_${m.hex(64)}`),
  'tailscale key': (m) => quoted('ts', `tskey-auth-${m.base62(16)}-${m.base62(32)}`),
  'planetscale password': (m) => quoted('ps', `pscale_pw_${m.base62(43)}`),
  'private key': (m) => {
    const key = m.pem();
    return { text: key, secret: key.split('\n')[1]! };
  },
  'private key on one line': (m) => {
    const key = m.pem();
    return { text: `KEY="${key.replaceAll('\n', String.raw`\n`)}"\n`, secret: key.split('\n')[1]! };
  },
  'json web key': (m) => {
    const key = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
    return { text: JSON.stringify({ kty: key.kty, crv: key.crv, x: key.x, d: key.d }), secret: key.d ?? m.hex(1) };
  },
  jwt: (m) => quoted('session', m.jwt()),
  'password in an address': (m) => {
    const secret = `${m.base62(9)}!`;
    return { text: `DATABASE=postgres://app:${secret}@db.acme.io:5432/app\n`, secret };
  },
  'redis address without user': (m) => {
    const secret = m.base62(24);
    return { text: `cache: redis://:${secret}@cache.acme.io:6379\n`, secret };
  },
  'password in yaml': (m) => ({ text: `db:\n  password: "${m.base62(10)}#Q4z"\n`, secret: 'Q4z' }),
  'random password in env': (m) => env('DB_PASSWORD', m.base62(20)),
  'random key in json': (m) => {
    const secret = m.base62(40);
    return { text: JSON.stringify({ clientSecret: secret }), secret };
  },
  'hexadecimal key': (m) => quoted('encryptionKey', m.hex(64)),
  'kube config token': (m) => ({
    text: `users:\n- name: admin\n  user:\n    token: ${m.base62(48)}\n`,
    secret: 'token: ',
  }),
  'kube config client key': (m) => {
    const secret = Buffer.from(m.pem()).toString('base64');
    return { text: `    client-key-data: ${secret}\n`, secret };
  },
  netrc: (m) => {
    const secret = m.base62(16);
    return { text: `machine git.acme.io\n  login bot\n  password ${secret}\n`, secret, path: '.netrc' };
  },
  pgpass: (m) => {
    const secret = m.base62(14);
    return { text: `db.acme.io:5432:app:app:${secret}\n`, secret, path: '.pgpass' };
  },
  htpasswd: (m) => {
    const secret = `$apr1$${m.base62(8)}$${m.base62(22)}`;
    return { text: `admin:${secret}\n`, secret, path: 'htpasswd' };
  },
  'bearer header': (m) => {
    const secret = m.base62(40);
    return { text: `curl -H "Authorization: Bearer ${secret}" https://api.acme.io\n`, secret };
  },
};

const wrapped = (text: string): string => text.replaceAll(/.{64}/g, '$&\n');
const plain = (text: string, path = 'a.txt'): Planted => ({ text, secret: '', path });

/** Things that look like secrets to a careless scanner. */
export function negatives(m: Maker): readonly Planted[] {
  const sha = (algorithm: string): string => createHash(algorithm).update(m.bytes(16)).digest('hex');
  const integrity = (): string => `sha512-${createHash('sha512').update(m.bytes(16)).digest('base64')}`;
  const publicKey = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' });
  return [
    plain(`${sha('sha1')}  a.tar\n${sha('sha256')}  b.tar\n${sha('md5')}  c.tar\n`, 'SHA256SUMS'),
    plain(`const id = '${m.uuid()}';\nconst tokenId = '${m.uuid()}';\n`, 'ids.ts'),
    plain(
      JSON.stringify({
        packages: { x: { resolved: 'https://registry.npmjs.org/x/-/x-1.0.0.tgz', integrity: integrity() } },
      }),
      'package-lock.json',
    ),
    plain(
      `  resolution: {integrity: ${integrity()}, tarball: https://registry.npmjs.org/token/-/token.tgz}\n`,
      'pnpm-lock.yaml',
    ),
    plain(`github.com/x/token v1.2.3 h1:${m.base64(43)}=\n`, 'go.sum'),
    plain(`[[package]]\nname = "secrecy"\nchecksum = "${sha('sha256')}"\n`, 'Cargo.lock'),
    plain(`token==1.0.0 --hash=sha256:${sha('sha256')}\n`, 'requirements.txt'),
    plain(`FROM node@sha256:${sha('sha256')}\n`, 'Dockerfile'),
    plain(`uses: actions/checkout@${sha('sha1')}\n`, 'ci.yml'),
    plain(`body{background:url(data:image/png;base64,${m.bytes(3_000).toString('base64')})}`, 'style.css'),
    plain(
      `!function(e,t){var n=e.token,r=t.password;return n.secret=r,function(o){o.apiKey=n}}(a,b);`.repeat(20),
      'a.min.js',
    ),
    plain(publicKey, 'key.pub'),
    plain(`ssh-ed25519 ${Buffer.from('\0\0\0\x0bssh-ed25519').toString('base64')}${m.base64(43)} me@host\n`, 'id.pub'),
    plain(`-----BEGIN CERTIFICATE-----\n${wrapped(`MIIB${m.base64(900)}`)}\n-----END CERTIFICATE-----\n`, 'ca.crt'),
    plain('-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----\n', 'README.md'),
    plain('-----BEGIN RSA PRIVATE KEY-----\n<your key here>\n-----END RSA PRIVATE KEY-----\n', 'README.md'),
    plain(
      'aws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n',
      'README.md',
    ),
    plain(
      'password: changeme\npassword: "your-password-here"\ntoken: <token>\nsecret: ${SECRET}\napi_key: {{ .Values.key }}\n',
      'values.yaml',
    ),
    plain(
      "const password = process.env.DB_PASSWORD;\nconst token = await readToken(path.join(home, 'token'));\n",
      'main.ts',
    ),
    plain(
      'postgres://user:password@localhost/db https://user:${TOKEN}@host.io https://host.io:8080/a@b http://[::1]:80/\n',
      'README.md',
    ),
    plain(
      'type Options = { password: string; apiKey?: string | undefined; tokenExpiresInSeconds: number };\n',
      'types.d.ts',
    ),
    plain(
      'secretName: holdfast-server-credentials-v2\ntokenUrl: https://login.acme.io/oauth2/v2.0/token\npasswordHashAlgorithm: argon2id-v19-m65536\n',
      'chart.yaml',
    ),
    plain(`Authorization: Bearer <token>\nAuthorization: Basic dXNlcjpwYXNz\n`, 'api.md'),
    plain(
      `xoxb-your-token-here ghp_${'x'.repeat(36)} sk_live_${'0'.repeat(24)} glpat-${'X'.repeat(20)}\n`,
      'README.md',
    ),
    plain(`commit ${sha('sha1')}\nAuthor: token <a@b.c>\n`, 'log.txt'),
    plain(`"etag": "W/\\"${sha('sha1')}\\"", "nonce": "${m.base64(22)}==", "x-request-id": "${m.uuid()}"`, 'http.json'),
    plain(`<svg><path d="M12.5 3.2C7.1 3.2 2.7 7.6 2.7 13s4.4 9.8 9.8 9.8"/></svg>`.repeat(30), 'a.svg'),
    plain(
      `//# sourceMappingURL=data:application/json;base64,${Buffer.from(JSON.stringify({ version: 3, sources: ['token.ts', 'secret.ts'], names: ['password'], mappings: m.base64(400) })).toString('base64')}\n`,
      'a.js.map',
    ),
    plain('i18n: { passwordLabel: "Password123 must have 8 characters", secretHint: "Keep it secret!" }\n', 'en.json'),
    plain("expect(screen.getByTestId('password-input-field-2')).toBeVisible();\n", 'login.spec.ts'),
  ];
}
