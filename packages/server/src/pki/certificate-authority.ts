/**
 * The control plane's own certificate authority (T-08): certifies hosts for at most a day and the
 * agent listener itself. ECDSA P-256, since every TLS library there is can verify it.
 */
import './reflect-metadata.ts';
import { HoldfastError } from '@holdfast/core';
import * as x509 from '@peculiar/x509';
import { createHash, createPublicKey, randomBytes, type webcrypto } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { writeSecretFile } from '../secret-file.ts';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY_MS = 86_400_000;
/** T-08: at most 24 h. */
export const HOST_CERTIFICATE_MS = DAY_MS;
const LISTENER_CERTIFICATE_MS = 30 * DAY_MS;
const CA_CERTIFICATE_MS = 3650 * DAY_MS;
/** A host whose clock is a little behind must be able to use what it just got. */
const BACKDATE_MS = 5 * 60_000;
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'; // RFC 5280 §4.2.1.12
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const HOST_URI = /^holdfast:org\/([A-Za-z0-9_-]{1,64})\/host\/([A-Za-z0-9_-]{1,64})$/;

export interface HostIdentity {
  readonly orgId: string;
  readonly hostId: string;
}
export interface IssuedCertificate {
  readonly pem: string;
  /** Lower-case hex, as node:tls shows it but for the case. */
  readonly serial: string;
  readonly notAfter: Date;
}

export interface CertificateAuthority {
  readonly pem: string;
  /** base64url SHA-256 of the DER SubjectPublicKeyInfo: what enrolment tokens pin. */
  readonly fingerprint: string;
  /** @throws `ERR_SERVER_ENROLLMENT_REFUSED` for a request that is malformed or not signed by its key */
  certifyHost(csrPem: string, host: HostIdentity, nowMs: number): Promise<IssuedCertificate>;
  /** Key and chain for the agent listener under these names. */
  certifyListener(names: readonly string[], nowMs: number): Promise<{ key: string; cert: string }>;
}

const serialNumber = (): string => `01${randomBytes(15).toString('hex')}`;
const generateKeys = (): Promise<webcrypto.CryptoKeyPair> =>
  crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);

async function privateKeyPem(key: CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await crypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY');
}

async function createAuthority(stateDir: string, nowMs: number): Promise<void> {
  const keys = await generateKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: 'CN=Holdfast control plane CA',
    notBefore: new Date(nowMs - BACKDATE_MS),
    notAfter: new Date(nowMs + CA_CERTIFICATE_MS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  // One file, so that a key without its certificate or the other way round cannot be left behind.
  writeSecretFile(
    join(stateDir, 'ca.pem'),
    `${await privateKeyPem(keys.privateKey)}\n${certificate.toString('pem')}\n`,
  );
}

/** The identity in a host certificate's SAN, as node:tls prints it (`URI:…`). Exactly one, or none. */
export function parseHostIdentity(subjectAltName: string | undefined): HostIdentity | undefined {
  const names = subjectAltName?.split(', ') ?? [];
  const match = names.length === 1 ? HOST_URI.exec(names[0]?.replace(/^URI:/, '') ?? '') : null;
  return match?.[1] === undefined || match[2] === undefined ? undefined : { orgId: match[1], hostId: match[2] };
}

async function parseRequest(csrPem: string): Promise<x509.Pkcs10CertificateRequest> {
  try {
    const request = new x509.Pkcs10CertificateRequest(csrPem);
    const key = createPublicKey({ key: Buffer.from(request.publicKey.rawData), format: 'der', type: 'spki' });
    const fits =
      key.asymmetricKeyType === 'ed25519' ||
      (key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1');
    if (fits && (await request.verify())) return request;
  } catch {
    // not a request at all: refused below like one that does not verify
  }
  throw new HoldfastError('the certificate request does not verify', { code: 'ERR_SERVER_ENROLLMENT_REFUSED' });
}

/** Opens the CA of this state directory; makes it the first time. */
export async function openCertificateAuthority(stateDir: string, nowMs: number): Promise<CertificateAuthority> {
  const path = join(stateDir, 'ca.pem');
  if (!existsSync(path)) await createAuthority(stateDir, nowMs);
  const [keyDer, certificateDer] = x509.PemConverter.decode(readFileSync(path, 'utf8'));
  if (keyDer === undefined || certificateDer === undefined)
    throw new HoldfastError('the CA file is damaged', { code: 'ERR_KEY_INVALID' });
  const signingKey = await crypto.subtle.importKey('pkcs8', keyDer, ALGORITHM, false, ['sign']);
  const authority = new x509.X509Certificate(certificateDer);
  const authorityKeyId = await x509.AuthorityKeyIdentifierExtension.create(authority.publicKey);
  const caPem = `${authority.toString('pem')}\n`;

  const issue = async (
    subject: string,
    publicKey: x509.PublicKeyType,
    names: x509.JsonGeneralNames,
    usage: string,
    notAfter: Date,
    nowMs: number,
  ): Promise<IssuedCertificate> => {
    const serial = serialNumber();
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: serial,
      subject,
      issuer: authority.subject,
      notBefore: new Date(nowMs - BACKDATE_MS),
      notAfter,
      signingAlgorithm: ALGORITHM,
      publicKey,
      signingKey,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([usage], true),
        new x509.SubjectAlternativeNameExtension(names, false),
        authorityKeyId,
      ],
    });
    return { pem: `${certificate.toString('pem')}\n`, serial, notAfter };
  };

  return {
    pem: caPem,
    fingerprint: createHash('sha256').update(new Uint8Array(authority.publicKey.rawData)).digest('base64url'),
    certifyHost: async (csrPem, { orgId, hostId }, nowMs) => {
      const request = await parseRequest(csrPem);
      // Nothing of the request but its key: names are ours to give.
      const notAfter = new Date(nowMs + HOST_CERTIFICATE_MS - BACKDATE_MS);
      const names: x509.JsonGeneralNames = [{ type: 'url', value: `holdfast:org/${orgId}/host/${hostId}` }];
      return issue(`CN=${hostId}`, request.publicKey, names, CLIENT_AUTH, notAfter, nowMs);
    },
    certifyListener: async (names, nowMs) => {
      const keys = await generateKeys();
      const alternatives: x509.JsonGeneralNames = names.map((name) =>
        isIP(name) === 0 ? { type: 'dns', value: name } : { type: 'ip', value: name },
      );
      const notAfter = new Date(nowMs + LISTENER_CERTIFICATE_MS);
      const { pem } = await issue(
        'CN=Holdfast control plane',
        keys.publicKey,
        alternatives,
        SERVER_AUTH,
        notAfter,
        nowMs,
      );
      return { key: await privateKeyPem(keys.privateKey), cert: pem + caPem };
    },
  };
}
