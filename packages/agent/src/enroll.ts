/**
 * Enrolment: gives this machine an identity at the control plane (T-08). Runs as root, or as the
 * user for a simulated host.
 *
 * Keys first, then the request, then files, `trust.json` last: a host counts as enrolled when that
 * file is there. Run again after a crash with the same token it finds the same keys, and the server
 * gives the same host id to the same keys: idempotent.
 */
import { createHash, createPrivateKey, createPublicKey } from 'node:crypto';
import { chownSync, existsSync, readFileSync } from 'node:fs';
import type { EnrollRequest, HostPaths, Trust } from '@holdfast/api';
import { HoldfastError } from '@holdfast/core';
import { generateSigner, loadSigner, type Signer } from '@holdfast/crypto';
import { sleep } from './sleep.ts';
import { writeFileAtomically } from './atomic-file.ts';
import {
  createCertificateRequest,
  generateTlsKey,
  parseReceivedCertificate,
  subjectPublicKeyInfo,
} from './certificate-request.ts';
import { parseTokenFingerprint } from './enrollment-token.ts';
import { makeHostDirectories, writeHostConfig } from './host-files.ts';
import { fetchPinnedCa, fingerprintOf } from './pinned-ca.ts';
import { withRetry } from './retry.ts';
import { postEnrollment } from './server-client.ts';
import { openTlsTransport } from './transport.ts';

const TIMEOUT_MS = 30_000;

export interface EnrollOptions {
  readonly paths: HostPaths;
  readonly serverUrl: string;
  readonly token: string;
  readonly hostName: string;
  readonly platform: EnrollRequest['platform'];
  readonly simulated: boolean;
  /** The agent's user; equal to the running user on a host without root. */
  readonly agentUid: number;
  readonly agentGid: number;
  readonly labels: Readonly<Record<string, string>>;
}

/** What the host key signs to prove that it is held; the server computes the same. */
export function enrollmentProofText(token: string, csrPem: string): string {
  return `holdfast-enroll-v1\n${token}\n${createHash('sha256').update(csrPem).digest('hex')}`;
}

function openHostKey(path: string): Signer {
  return existsSync(path) ? loadSigner(path) : generateSigner(path);
}

function openTlsKey(path: string, uid: number, gid: number): string {
  if (!existsSync(path)) writeFileAtomically(path, generateTlsKey(), 0o600, { uid, gid });
  return readFileSync(path, 'utf8');
}

/** The certificate must be for our key and from the pinned CA, and that CA must be the one we were told to trust. */
function requireOurs(trust: Trust, certificatePem: string, keyPem: string, fingerprint: string): void {
  const ca = parseReceivedCertificate(trust.caPem);
  const certificate = parseReceivedCertificate(certificatePem);
  const ours = subjectPublicKeyInfo(createPublicKey(createPrivateKey(keyPem)));
  if (
    fingerprintOf(ca) === fingerprint &&
    certificate.verify(ca.publicKey) &&
    subjectPublicKeyInfo(certificate.publicKey).equals(ours)
  ) {
    return;
  }
  throw new HoldfastError('the server answered with keys that are not ours', { code: 'ERR_AGENT_SERVER_UNTRUSTED' });
}

/** @throws `ERR_AGENT_TOKEN_INVALID`, `ERR_AGENT_SERVER_UNTRUSTED`, `ERR_KEY_INVALID` and the client's errors */
export async function enrollHost(options: EnrollOptions, signal: AbortSignal): Promise<Trust> {
  const { paths, token, serverUrl, agentUid, agentGid } = options;
  const fingerprint = parseTokenFingerprint(token);
  makeHostDirectories(paths, options, process.geteuid?.() ?? 0, process.getegid?.() ?? 0);
  const hostKey = openHostKey(paths.hostKey);
  const keyPem = openTlsKey(paths.tlsKey, agentUid, agentGid);
  const csrPem = createCertificateRequest(keyPem, options.hostName);

  const caPem = await fetchPinnedCa(serverUrl, fingerprint, TIMEOUT_MS, signal);
  const transport = openTlsTransport({ serverUrl, caPem, identity: null, timeoutMs: TIMEOUT_MS });
  try {
    const request: EnrollRequest = {
      token,
      csrPem,
      hostPublicKey: Buffer.from(hostKey.publicKey).toString('base64'),
      proof: Buffer.from(hostKey.sign(Buffer.from(enrollmentProofText(token, csrPem)))).toString('base64'),
      hostName: options.hostName,
      platform: options.platform,
      simulated: options.simulated,
      labels: options.labels,
    };
    const answer = await postEnrollment(withRetry(transport, sleep), request, signal);
    const { certificatePem } = answer;
    // The address that was just seen to work from here: the server has several, and names one to everybody.
    const trust: Trust = { ...answer.trust, serverUrl: new URL(serverUrl).origin };
    requireOurs(trust, certificatePem, keyPem, fingerprint);
    writeFileAtomically(paths.tlsCertificate, certificatePem, 0o644, { uid: agentUid, gid: agentGid });
    // A crash between writing and giving away, in an earlier run, would leave root's key with the agent.
    chownSync(paths.tlsKey, agentUid, agentGid);
    writeHostConfig(paths);
    writeFileAtomically(paths.trust, `${JSON.stringify(trust, null, 2)}\n`, 0o644);
    return trust;
  } finally {
    transport.close();
  }
}
