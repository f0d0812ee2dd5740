/** The contract of `CertificateReader`. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { Certificate, CertificateReader } from '../ports.ts';
import { calm, honoursAbort, rejectsWith, type Scope, type SuiteOptions } from './scope.ts';

export interface CertificatesSubject {
  readonly certificates: CertificateReader;
  readonly expected: Certificate;
  /** PEM file with `expected` first. */
  readonly file: string;
  /** A file that holds no certificate. */
  readonly otherFile: string;
  /** A TLS server that presents `expected`, which nobody trusts. */
  readonly server: { readonly address: string; readonly port: number };
  /** Nobody listens here. */
  readonly closed: { readonly address: string; readonly port: number };
}

export function describeCertificates(
  name: string,
  open: (scope: Scope) => Promise<CertificatesSubject>,
  options: SuiteOptions = {},
): void {
  describe(`CertificateReader: ${name}`, options, () => {
    it('C-01: reads the first certificate of a file', async (t) => {
      const { certificates, file, expected } = await open(t);
      assert.deepEqual(await certificates.fromFile(file, calm()), expected);
    });

    it('reads what a server presents, trusted or not', async (t) => {
      const { certificates, server, expected } = await open(t);
      assert.deepEqual(await certificates.fromPort(server.address, server.port, calm()), expected);
    });

    it('says which way it failed: missing, no certificate, nobody there', async (t) => {
      const { certificates, otherFile, closed } = await open(t);
      await rejectsWith('ERR_HOST_FILE_MISSING', certificates.fromFile(`${otherFile}.absent`, calm()));
      await rejectsWith('ERR_HOST_CERTIFICATE_UNREADABLE', certificates.fromFile(otherFile, calm()));
      await rejectsWith('ERR_HOST_CERTIFICATE_UNREADABLE', certificates.fromPort(closed.address, closed.port, calm()));
    });

    it('ends when the signal is aborted', async (t) => {
      const { certificates, file, server } = await open(t);
      await honoursAbort((signal) => certificates.fromFile(file, signal));
      await honoursAbort((signal) => certificates.fromPort(server.address, server.port, signal));
    });
  });
}
