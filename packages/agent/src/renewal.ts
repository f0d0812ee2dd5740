/**
 * Renews the agent's certificate once half of its life is over (T-08), also when it has expired.
 * The key stays: so one atomic rename is the whole swap, and no crash can part key and certificate.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { HoldfastError } from '@holdfast/core';
import { writeFileAtomically } from './atomic-file.ts';
import { createCertificateRequest, parseReceivedCertificate, subjectPublicKeyInfo } from './certificate-request.ts';
import type { ServerPort } from './ports.ts';
import type { Identity } from './transport.ts';

export interface RenewalPaths {
  readonly tlsKey: string;
  readonly tlsCertificate: string;
}

/** @returns whether half of the certificate's life is over at `nowMs` */
export function isDueForRenewal(certificatePem: string, nowMs: number): boolean {
  const { validFromDate, validToDate } = new X509Certificate(certificatePem);
  return nowMs >= (validFromDate.getTime() + validToDate.getTime()) / 2;
}

/** @throws `ERR_AGENT_NOT_ENROLLED` */
export function loadIdentity(paths: RenewalPaths): Identity {
  try {
    return { certificatePem: readFileSync(paths.tlsCertificate, 'utf8'), keyPem: readFileSync(paths.tlsKey, 'utf8') };
  } catch (cause) {
    throw new HoldfastError('the TLS key or certificate cannot be read', { code: 'ERR_AGENT_NOT_ENROLLED', cause });
  }
}

/**
 * @returns the new identity, already on disk; `null` when the old one is young enough
 * @throws the client's errors, and `ERR_AGENT_PROTOCOL` for a certificate that is not for our key
 */
export async function renewWhenDue(
  paths: RenewalPaths,
  server: ServerPort,
  hostName: string,
  nowMs: number,
  signal: AbortSignal,
): Promise<Identity | null> {
  const current = loadIdentity(paths);
  if (!isDueForRenewal(current.certificatePem, nowMs)) return null;
  const certificatePem = await server.renew(createCertificateRequest(current.keyPem, hostName), signal);
  const ours = subjectPublicKeyInfo(new X509Certificate(current.certificatePem).publicKey);
  if (!subjectPublicKeyInfo(parseReceivedCertificate(certificatePem).publicKey).equals(ours)) {
    throw new HoldfastError('the new certificate is for another key', { code: 'ERR_AGENT_PROTOCOL' });
  }
  writeFileAtomically(paths.tlsCertificate, certificatePem, 0o644);
  return { certificatePem, keyPem: current.keyPem };
}
