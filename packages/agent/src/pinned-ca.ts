/**
 * Finds the CA whose fingerprint is in the enrolment token among the certificates a server presents.
 *
 * Nothing is said on this connection: it only fetches a certificate. What is found becomes the only
 * root of the connection that then carries the token, where OpenSSL verifies chain, name and time.
 * So there is no trust on first use: a server without a certificate under that CA never sees the token.
 */
import { createHash, X509Certificate } from 'node:crypto';
import { connect, type DetailedPeerCertificate } from 'node:tls';
import { HoldfastError } from '@holdfast/core';
import { subjectPublicKeyInfo } from './certificate-request.ts';

/** More certificates than this are not a chain. */
const MAX_CHAIN = 10;

/** SHA-256 of a certificate's SubjectPublicKeyInfo, base64url. */
export const fingerprintOf = (certificate: X509Certificate): string =>
  createHash('sha256').update(subjectPublicKeyInfo(certificate.publicKey)).digest('base64url');

function listChain(peer: DetailedPeerCertificate): X509Certificate[] {
  const chain: X509Certificate[] = [];
  let next: DetailedPeerCertificate | undefined = peer;
  while (next?.raw !== undefined && chain.length < MAX_CHAIN) {
    chain.push(new X509Certificate(next.raw));
    // A self-signed certificate is its own issuer.
    next = next.issuerCertificate === next ? undefined : next.issuerCertificate;
  }
  return chain;
}

/**
 * @returns the CA, PEM
 * @throws `ERR_AGENT_CONNECTION`, `ERR_AGENT_SERVER_UNTRUSTED`
 */
export async function fetchPinnedCa(
  serverUrl: string,
  fingerprint: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<string> {
  const url = new URL(serverUrl);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const { promise, resolve, reject } = Promise.withResolvers<DetailedPeerCertificate>();
  const socket = connect({
    host,
    port: Number(url.port || 443),
    // Not verified here on purpose, see above; verified by fingerprint below and by OpenSSL afterwards.
    rejectUnauthorized: false,
    minVersion: 'TLSv1.3',
    ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
  });
  const abort = (): void => reject(limit.reason as Error);
  limit.addEventListener('abort', abort, { once: true });
  socket.on('secureConnect', () => resolve(socket.getPeerCertificate(true)));
  socket.on('error', reject);
  let peer: DetailedPeerCertificate;
  try {
    peer = await promise;
  } catch (cause) {
    signal.throwIfAborted();
    throw new HoldfastError('the server could not be reached', { code: 'ERR_AGENT_CONNECTION', cause });
  } finally {
    limit.removeEventListener('abort', abort);
    socket.destroy();
  }
  const ca = listChain(peer).find((certificate) => certificate.ca && fingerprintOf(certificate) === fingerprint);
  if (ca !== undefined) return ca.toString();
  throw new HoldfastError('the server is not the one that issued the token', { code: 'ERR_AGENT_SERVER_UNTRUSTED' });
}
