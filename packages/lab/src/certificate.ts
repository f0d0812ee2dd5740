/**
 * Makes the self-signed TLS server certificates of lab hosts: X.509 v3 (RFC 5280 §4.1), P-256,
 * ecdsa-with-SHA256, with any validity one likes, also one that is over. For test beds only: no
 * authority, no revocation.
 */
import { createPublicKey, type KeyObject, sign } from 'node:crypto';

const SEQUENCE = 0x30;
const SET = 0x31;
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const OID = 0x06;
const UTF8_STRING = 0x0c;
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;

/** 1.2.840.10045.4.3.2, RFC 5758 §3.2 */
const ECDSA_WITH_SHA256 = Buffer.from('2a8648ce3d040302', 'hex');
/** 2.5.4.3 */
const COMMON_NAME = Buffer.from('550403', 'hex');
/** 2.5.29.17 */
const SUBJECT_ALT_NAME = Buffer.from('551d11', 'hex');

/** X.690 §8.1: identifier, definite length, contents. */
function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(contents);
  if (body.length < 0x80) return Buffer.concat([Buffer.from([tag, body.length]), body]);
  const length: number[] = [];
  for (let rest = body.length; rest > 0; rest >>>= 8) length.unshift(rest & 0xff);
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length, ...length]), body]);
}

/** RFC 5280 §4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050. */
function encodeTime(wallMs: number): Buffer {
  const digits = `${new Date(wallMs).toISOString().slice(0, 19).replaceAll(/[-:T]/g, '')}Z`;
  return digits < '2050' ? der(UTC_TIME, Buffer.from(digits.slice(2))) : der(GENERALIZED_TIME, Buffer.from(digits));
}

export interface CertificateOptions {
  readonly name: string;
  /** A P-256 private key. */
  readonly key: KeyObject;
  readonly serial: number;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** @returns PEM */
export function selfSignedCertificate(options: CertificateOptions): string {
  const algorithm = der(SEQUENCE, der(OID, ECDSA_WITH_SHA256));
  const serial = Buffer.alloc(5); // a leading zero octet keeps the integer positive
  serial.writeUInt32BE(options.serial >>> 0, 1);
  const name = der(
    SEQUENCE,
    der(SET, der(SEQUENCE, der(OID, COMMON_NAME), der(UTF8_STRING, Buffer.from(options.name)))),
  );
  const altName = der(SEQUENCE, der(0x82, Buffer.from(options.name))); // [2] dNSName
  const certificate = der(
    SEQUENCE,
    der(0xa0, der(INTEGER, Buffer.from([2]))), // v3
    der(INTEGER, trimInteger(serial)),
    algorithm,
    name,
    der(SEQUENCE, encodeTime(options.notBeforeMs), encodeTime(options.notAfterMs)),
    name,
    createPublicKey(options.key).export({ type: 'spki', format: 'der' }),
    der(0xa3, der(SEQUENCE, der(SEQUENCE, der(OID, SUBJECT_ALT_NAME), der(OCTET_STRING, altName)))),
  );
  const signature = sign('sha256', certificate, options.key);
  const whole = der(SEQUENCE, certificate, algorithm, der(BIT_STRING, Buffer.from([0]), signature));
  const lines = whole.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}

/** X.690 §8.3.2: no more leading zero octets than the sign needs. */
function trimInteger(bytes: Buffer): Buffer {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0 && ((bytes[start + 1] ?? 0) & 0x80) === 0) start++;
  return bytes.subarray(start);
}
