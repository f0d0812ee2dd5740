/** The agent's TLS key and its certificate requests (PKCS#10, RFC 2986). */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  X509Certificate,
} from 'node:crypto';
import { HoldfastError } from '@holdfast/core';
import { bitString, context, objectIdentifier, pem, sequence, set, smallInteger, utf8String } from './der.ts';

/** RFC 5480 and RFC 5758 §3.2; P-256 because every TLS stack takes it. */
const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2';
const COMMON_NAME = '2.5.4.3';

/** A new ECDSA P-256 key, PKCS#8 PEM. */
export function generateTlsKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' });
}

/** SPKI of a private or public key: what a certificate binds. */
export const subjectPublicKeyInfo = (key: KeyObject): Buffer => key.export({ type: 'spki', format: 'der' });

/**
 * Makes a certificate request, PEM. The common name is a courtesy: the server puts in the
 * certificate what it knows of the host, not what the host says.
 *
 * @param keyPem ECDSA P-256 private key
 */
export function createCertificateRequest(keyPem: string, commonName: string): string {
  const privateKey = createPrivateKey(keyPem);
  const info = sequence(
    smallInteger(0),
    // RFC 5280 appendix A: a common name has at most 64 characters.
    sequence(set(sequence(objectIdentifier(COMMON_NAME), utf8String(commonName.slice(0, 64))))),
    subjectPublicKeyInfo(createPublicKey(privateKey)),
    context(0),
  );
  const signature = sign('sha256', info, { key: privateKey, dsaEncoding: 'der' });
  return pem(
    'CERTIFICATE REQUEST',
    sequence(info, sequence(objectIdentifier(ECDSA_WITH_SHA256)), bitString(signature)),
  );
}

/**
 * Parses a certificate the server sent.
 *
 * @throws `ERR_AGENT_PROTOCOL`
 */
export function parseReceivedCertificate(pemText: string): X509Certificate {
  try {
    return new X509Certificate(pemText);
  } catch (cause) {
    throw new HoldfastError('what the server sent is no certificate', { code: 'ERR_AGENT_PROTOCOL', cause });
  }
}
