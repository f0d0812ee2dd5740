/** Certificates from PEM files and from TLS servers. Nothing is sent but the handshake, and nothing is trusted. */
import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';

import { HoldfastError } from '@holdfast/core';
import type { Certificate, CertificateReader, FileReader } from '@holdfast/host';

const MAX_PEM_BYTES = 1024 * 1024;
/** A check has 5 s for all its certificates (C-06). */
const HANDSHAKE_MS = 4_000;
/** RFC 7468 §5.1. */
const PEM = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/;

export class X509Certificates implements CertificateReader {
  readonly #files: FileReader;

  constructor(files: FileReader) {
    this.#files = files;
  }

  async fromFile(path: string, signal: AbortSignal): Promise<Certificate> {
    const bytes = await this.#files.read(path, MAX_PEM_BYTES, signal);
    const pem = PEM.exec(Buffer.from(bytes).toString('latin1'))?.[0];
    if (pem === undefined) throw unreadable('no certificate in the file');
    return parseCertificate(pem);
  }

  async fromPort(address: string, port: number, signal: AbortSignal): Promise<Certificate> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array | undefined>();
    let socket: TLSSocket;
    try {
      socket = connect({
        host: address,
        port,
        rejectUnauthorized: false, // we look at what is there; trust is not the question
        ...(isIP(address) === 0 ? { servername: address } : {}),
      });
    } catch (cause) {
      throw unreadable('not an address', cause);
    }
    const timer = setTimeout(() => reject(unreadable('no answer in time')), HANDSHAKE_MS);
    // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- `signal.reason` passes through as it is
    const abort = (): void => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    socket.once('secureConnect', () => resolve(socket.getPeerX509Certificate()?.raw));
    socket.on('error', (cause) => reject(unreadable('no TLS connection', cause)));
    socket.once('close', () => reject(unreadable('closed before the handshake ended')));
    try {
      const der = await promise;
      if (der === undefined) throw unreadable('the server presented none');
      return parseCertificate(der);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      socket.destroy();
    }
  }
}

function parseCertificate(source: string | Uint8Array): Certificate {
  try {
    const certificate = new X509Certificate(source);
    return {
      // One attribute a line; a certificate without a subject has none (its names are in an extension).
      subject: (certificate.subject ?? '').split('\n').join(', '),
      notBeforeMs: certificate.validFromDate.getTime(),
      notAfterMs: certificate.validToDate.getTime(),
      sha256: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    };
  } catch (cause) {
    throw unreadable('not a certificate', cause);
  }
}

function unreadable(reason: string, cause?: unknown): HoldfastError {
  return new HoldfastError('the certificate cannot be read', {
    code: 'ERR_HOST_CERTIFICATE_UNREADABLE',
    fields: { reason },
    cause,
  });
}
