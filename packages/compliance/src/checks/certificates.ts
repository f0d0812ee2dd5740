/** Certificates in files and behind ports have time left (C-13). */
import type { Finding, Severity } from '@holdfast/evidence';
import type { Certificate } from '@holdfast/host';
import { z } from 'zod';
import type { Check } from '../check.ts';
import { attempt, fail, pass, unknown } from '../finding.ts';
import { AbsolutePath, Address, itself, Port, unique } from '../values.ts';

const DAY_MS = 86_400_000;
/** With a week left, somebody has to act now. */
const URGENT_DAYS = 7;

const Endpoint = z.strictObject({ address: Address, port: Port });

export const CertificatesExpectation = z.strictObject({
  files: unique(AbsolutePath, 50, itself).default([]),
  ports: unique(Endpoint, 50, nameOf).default([]),
  minDaysLeft: z.int().min(1).max(825).default(30),
});
export type CertificatesExpectation = z.infer<typeof CertificatesExpectation>;

export const certificates: Check<CertificatesExpectation> = {
  name: 'certificates',
  title: 'Certificates are valid for more than the wanted number of days',
  expectation: CertificatesExpectation,
  timeoutMs: 5_000,

  async run({ files, ports, minDaysLeft }, { host, nowMs }, signal): Promise<readonly Finding[]> {
    const look = async (subject: string, read: () => Promise<Certificate>): Promise<Finding> => {
      const certificate = await attempt(read, signal);
      if (certificate.ok) return judge(subject, certificate.value, nowMs, minDaysLeft);
      return unknown('medium', 'certificate-unreadable', subject, `The certificate cannot be read: ${certificate.why}`);
    };
    return Promise.all([
      ...files.map((path) => look(path, () => host.certificates.fromFile(path, signal))),
      ...ports.map((endpoint) =>
        look(nameOf(endpoint), () => host.certificates.fromPort(endpoint.address, endpoint.port, signal)),
      ),
    ]);
  },
};

function judge(subject: string, certificate: Certificate, nowMs: number, minDaysLeft: number): Finding {
  const leftMs = certificate.notAfterMs - nowMs;
  const comparison = {
    // Instants, not days left: an unchanged certificate is the same observation every day (C-16).
    observed: {
      subject: certificate.subject.slice(0, 200).toWellFormed(),
      sha256: certificate.sha256,
      notBefore: instant(certificate.notBeforeMs),
      notAfter: instant(certificate.notAfterMs),
    },
    expected: { minDaysLeft },
  };
  if (!Number.isFinite(leftMs)) return unknown('medium', 'certificate-unreadable', subject, 'It has no readable end');
  if (certificate.notBeforeMs > nowMs) {
    return fail('high', 'certificate-not-yet-valid', subject, 'The certificate is not valid yet', comparison);
  }
  if (leftMs <= 0) return fail('critical', 'certificate-expired', subject, 'The certificate has expired', comparison);
  // C-13: more than the wanted days, not as many.
  if (leftMs <= minDaysLeft * DAY_MS) {
    const days = Math.floor(leftMs / DAY_MS);
    const severity: Severity = days < URGENT_DAYS ? 'high' : 'medium';
    return fail(severity, 'certificate-expiring', subject, `The certificate ends in ${days} days`, comparison);
  }
  return pass('certificate-ok', subject, `The certificate is valid for more than ${minDaysLeft} days`, comparison);
}

function nameOf({ address, port }: { readonly address: string; readonly port: number }): string {
  return `${address.includes(':') ? `[${address}]` : address}:${port}`;
}

/** `null` for times no calendar has. */
function instant(ms: number): string | null {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : null;
}
