/** A certificate authority for tests: real X.509 over real keys, made in memory (RFC 5280 §4.1). */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import {
  bitString,
  context,
  objectIdentifier,
  pem,
  sequence,
  set,
  smallInteger,
  tagged,
  utf8String,
} from '../src/der.ts';

const ECDSA_WITH_SHA256 = sequence(objectIdentifier('1.2.840.10045.4.3.2'));
const BASIC_CONSTRAINTS = objectIdentifier('2.5.29.19');
const SUBJECT_ALT_NAME = objectIdentifier('2.5.29.17');
const TRUE = tagged(0x01, Buffer.from([0xff]));

const name = (commonName: string): Buffer =>
  sequence(set(sequence(objectIdentifier('2.5.4.3'), utf8String(commonName))));
/** GeneralizedTime. */
const time = (ms: number): Buffer =>
  tagged(0x18, Buffer.from(`${new Date(ms).toISOString().replace(/[-:T]|\..*/g, '')}Z`));
const spkiOf = (key: KeyObject): Buffer => key.export({ type: 'spki', format: 'der' });

export interface Issued {
  readonly certificatePem: string;
  readonly keyPem: string;
}

export interface CertificateRequestOptions {
  readonly notBeforeMs?: number;
  readonly notAfterMs?: number;
  readonly addresses?: readonly string[];
}

export class TestCa {
  readonly #key: KeyObject;
  readonly #name: Buffer;
  readonly certificatePem: string;

  constructor(commonName = 'Test CA') {
    this.#key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    this.#name = name(commonName);
    const isCa = sequence(BASIC_CONSTRAINTS, TRUE, tagged(0x04, sequence(TRUE)));
    this.certificatePem = this.#certify(this.#name, createPublicKey(this.#key), [isCa], {});
  }

  /** A server certificate for 127.0.0.1 and localhost, with its key. */
  issueServer(options: CertificateRequestOptions = {}): Issued {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const addresses = (options.addresses ?? ['127.0.0.1']).map((address) =>
      tagged(0x87, Buffer.from(address.split('.').map(Number))),
    );
    const names = sequence(tagged(0x82, Buffer.from('localhost')), ...addresses);
    const extension = sequence(SUBJECT_ALT_NAME, tagged(0x04, names));
    return {
      certificatePem: this.#certify(name('server'), createPublicKey(privateKey), [extension], options),
      keyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    };
  }

  /** A client certificate for the key in a PKCS#10 request. */
  issueFor(csrPem: string, options: CertificateRequestOptions = {}): string {
    return this.#certify(name('host'), publicKeyOfRequest(csrPem), [], options);
  }

  issueForKey(keyPem: string, options: CertificateRequestOptions = {}): string {
    return this.#certify(name('host'), createPublicKey(createPrivateKey(keyPem)), [], options);
  }

  #certify(
    subject: Buffer,
    key: KeyObject,
    extensions: readonly Buffer[],
    { notBeforeMs = Date.now() - 60_000, notAfterMs = Date.now() + 3_600_000 }: CertificateRequestOptions,
  ): string {
    const serial = Buffer.concat([Buffer.from([1]), randomBytes(8)]);
    const body = sequence(
      context(0, smallInteger(2)),
      tagged(0x02, serial),
      ECDSA_WITH_SHA256,
      this.#name,
      sequence(time(notBeforeMs), time(notAfterMs)),
      subject,
      spkiOf(key),
      ...(extensions.length === 0 ? [] : [context(3, sequence(...extensions))]),
    );
    const signature = sign('sha256', body, { key: this.#key, dsaEncoding: 'der' });
    return pem('CERTIFICATE', sequence(body, ECDSA_WITH_SHA256, bitString(signature)));
  }
}

/** One element of DER: its content, and what follows it. */
function take(der: Buffer): { whole: Buffer; content: Buffer; rest: Buffer } {
  const first = der[1] ?? 0;
  const octets = first < 0x80 ? 0 : first & 0x7f;
  const length = octets === 0 ? first : der.readUIntBE(2, octets);
  const start = 2 + octets;
  return {
    whole: der.subarray(0, start + length),
    content: der.subarray(start, start + length),
    rest: der.subarray(start + length),
  };
}

export function publicKeyOfRequest(csrPem: string): KeyObject {
  const der = Buffer.from(csrPem.replace(/-----[^-]+-----|\s/g, ''), 'base64');
  const info = take(take(der).content);
  const version = take(info.content);
  const subject = take(version.rest);
  return createPublicKey({ key: take(subject.rest).whole, format: 'der', type: 'spki' });
}
