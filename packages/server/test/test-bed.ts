/** A control plane on the embedded PostgreSQL and hosts that talk to it over real mutual TLS. */
import '../src/pki/reflect-metadata.ts';
import type { IngestResult, Trust } from '@holdfast/api';
import { type BundleId, type Clock, formatUuidV7 } from '@holdfast/core';
import { sha256Hex, type Signer, signerFromSeed } from '@holdfast/crypto';
import {
  buildStatement,
  type EvidenceKind,
  type Predicate,
  type SealedEvidence,
  sealEvidence,
} from '@holdfast/evidence';
import { temporaryDirectory } from '@holdfast/testing';
import * as x509 from '@peculiar/x509';
import { randomBytes } from 'node:crypto';
import { chmodSync, readFileSync } from 'node:fs';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Logger, pino } from 'pino';
import { type RunningServer, type ServerConfigInput, startServer } from '../src/index.ts';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** What a healthy agent says. */
export const CHECKIN = {
  bootId: 'boot-1',
  agentVersion: '0.1.0',
  health: {
    status: 'healthy',
    since: '2026-01-01T00:00:00.000Z',
    lastCycleAgeMs: 5,
    lastCycleMs: 5,
    counters: {
      loopsCompleted: 1,
      driftDetected: 0,
      remediationsAttempted: 0,
      remediationsSuccessful: 0,
      evidenceGenerated: 0,
      evidenceUploaded: 0,
      evidenceQueued: 0,
    },
    server: 'reachable',
    guard: 'reachable',
    clock: { status: 'sane', offsetMs: 0 },
    queue: { totalPending: 0, totalUploaded: 0, dead: 0, readyForRetry: 0, oldestPending: null },
    conditions: [],
  },
  policyHash: null,
  baselineHash: null,
  audit: { seq: 1, head: 'a' },
  progress: [],
};

export async function eventually<T>(
  look: () => Promise<T | undefined> | T | undefined,
  timeoutMs = 15_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = await Promise.resolve()
      .then(look)
      .catch(() => undefined);
    if (value !== undefined) return value;
    if (performance.now() > deadline) throw new Error('it did not happen in time');
    await delay(25);
  }
}

export async function makeTlsIdentity(): Promise<{ key: string; csrPem: string }> {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const csr = await x509.Pkcs10CertificateRequestGenerator.create({
    name: 'CN=whoever',
    keys,
    signingAlgorithm: ALGORITHM,
  });
  const key = x509.PemConverter.encode(await crypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY');
  return { key, csrPem: csr.toString('pem') };
}

/** One HTTPS request; a refused handshake rejects. */
export function call(url: string, method: string, options: RequestOptions, body?: unknown): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const text = typeof body === 'string' ? body : body === undefined ? undefined : JSON.stringify(body);
    const headers = text === undefined ? {} : { 'content-type': 'application/json' };
    const request = httpsRequest(url, { method, headers, agent: false, ...options }, (response) => {
      let answer = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (answer += chunk));
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, body: answer === '' ? undefined : JSON.parse(answer) });
      });
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(text);
  });
}

export interface TestHost {
  readonly trust: Trust;
  readonly signer: Signer;
  readonly key: string;
  readonly certificate: string;
  call(method: string, path: string, body?: unknown): Promise<Answer>;
  seal(overrides?: Partial<Predicate>, kind?: EvidenceKind): SealedEvidence;
  upload(...bundles: readonly SealedEvidence[]): Promise<IngestResult[]>;
}

export interface TestBed extends AsyncDisposable {
  readonly server: RunningServer;
  readonly stateDir: string;
  readonly operatorToken: string;
  enrol(name?: string): Promise<TestHost>;
  /** As the owner's API token. */
  api(method: string, path: string, body?: unknown): Promise<Answer>;
}

export const newBundleId = (): BundleId => formatUuidV7(Date.now(), randomBytes(10));

export function predicateFor(trust: Trust, overrides: Partial<Predicate>): Predicate {
  const now = new Date().toISOString();
  return {
    version: 1,
    bundleId: newBundleId(),
    orgId: trust.orgId,
    siteId: trust.siteId,
    hostId: trust.hostId,
    hostName: trust.hostName,
    observedBy: 'agent',
    started: now,
    ended: now,
    policyHash: { unknown: 'none in this test' },
    baselineHash: { unknown: 'none in this test' },
    clock: { status: 'unknown', offsetMs: { unknown: 'not asked' } },
    check: 'services',
    operation: null,
    principal: null,
    decision: null,
    paramsDigest: null,
    severity: 'medium',
    controls: {},
    findings: [],
    preState: null,
    postState: null,
    actions: [],
    outcome: 'pass',
    error: null,
    rollbackAvailable: false,
    rollbackRef: null,
    orderId: null,
    runbookId: null,
    remediationId: null,
    redactions: {},
    simulated: true,
    ...overrides,
  };
}

export async function makeEnrollment(token: string, signer: Signer, csrPem: string, name: string): Promise<object> {
  const proof = signer.sign(Buffer.from(`holdfast-enroll-v1\n${token}\n${sha256Hex(csrPem)}`));
  return {
    token,
    csrPem,
    hostPublicKey: Buffer.from(signer.publicKey).toString('base64'),
    proof: Buffer.from(proof).toString('base64'),
    hostName: name,
    platform: { distribution: 'debian', version: '12', kernel: '6.1' },
    simulated: true,
    labels: {},
  };
}

export async function openTestBed(
  config: Partial<ServerConfigInput> = {},
  deps: { readonly clock?: Clock; readonly logger?: Logger } = {},
): Promise<TestBed> {
  const cleanups: (() => void)[] = [];
  const directory = temporaryDirectory({ after: (fn) => cleanups.push(fn) });
  chmodSync(directory, 0o711); // the database user must get through
  const stateDir = join(directory, 'state');
  const server = await startServer(
    { stateDir, console: { port: 0 }, agents: { port: 0 }, ...config },
    { logger: pino({ level: 'silent' }), ...deps }, // failures on purpose would fill the screen
    new AbortController().signal,
  );
  const operatorToken = readFileSync(join(stateDir, 'operator-token'), 'utf8').trim();
  const enrol = async (name = 'web-1'): Promise<TestHost> => {
    const { token } = await server.createEnrollmentToken();
    const signer = signerFromSeed(randomBytes(32));
    const { key, csrPem } = await makeTlsIdentity();
    const body = await makeEnrollment(token, signer, csrPem, name);
    const answer = await call(`${server.agentUrl}/api/v1/enroll`, 'POST', { rejectUnauthorized: false }, body);
    if (answer.status !== 200) throw new Error(`enrolment was answered ${answer.status}`);
    const { trust, certificatePem } = answer.body as { trust: Trust; certificatePem: string };
    const tls = { key, cert: certificatePem, ca: trust.caPem };
    const ask = (method: string, path: string, body?: unknown): Promise<Answer> =>
      call(`${server.agentUrl}/api/v1/agent${path}`, method, tls, body);
    return {
      trust,
      signer,
      key,
      certificate: certificatePem,
      call: ask,
      seal: (overrides = {}, kind = 'check') =>
        sealEvidence(buildStatement(kind, predicateFor(trust, overrides)), signer),
      upload: async (...bundles) => {
        const items = bundles.map(({ bundleId, bytes }) => ({
          bundleId,
          envelope: Buffer.from(bytes).toString('base64'),
        }));
        const answer = await ask('POST', '/evidence', { bundles: items });
        if (answer.status !== 200)
          throw new Error(`the upload was answered ${answer.status} ${JSON.stringify(answer.body)}`);
        return (answer.body as { results: IngestResult[] }).results;
      },
    };
  };
  return {
    server,
    stateDir,
    operatorToken,
    enrol,
    api: async (method, path, body) => {
      const response = await fetch(`${server.consoleUrl}/api/v1${path}`, {
        method,
        headers: {
          authorization: `Bearer ${operatorToken}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
    },
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      for (const cleanup of cleanups.toReversed()) cleanup();
    },
  };
}
