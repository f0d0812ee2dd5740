/** A whole agent over a host in memory, in virtual time, with a server that is a plain object. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type AgentHealth,
  AgentHealthSchema,
  CheckinRequestSchema,
  type HostPaths,
  hostPaths,
  type Progress,
  type Trust,
} from '@holdfast/api';
import { HoldfastError } from '@holdfast/core';
import { signerFromSeed } from '@holdfast/crypto';
import { temporaryDirectory } from '@holdfast/testing';
import { parseAgentConfig } from '../src/config.ts';
import type { CheckinRequest, CheckinResponse, OrderResult, ServerPort } from '../src/ports.ts';
import { type RunningAgent, startAgent } from '../src/start.ts';
import { MemoryChecks, MemoryGuard } from './memory-guard.ts';
import { TestCa } from './test-ca.ts';
import { VirtualTime } from './virtual-time.ts';
import { mkdirSync, writeFileSync } from 'node:fs';
import { generateTlsKey } from '../src/certificate-request.ts';

interface Cleanup {
  after(fn: () => void | Promise<void>): void;
}

export const logSigner = signerFromSeed(new Uint8Array(32).fill(9));
export const LOG_ORIGIN = 'holdfast.test/org-1';
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

export const testTrust = (caPem: string): Trust => ({
  version: 1,
  orgId: 'org-1',
  siteId: 'site-1',
  hostId: 'host-1',
  hostName: 'web-1',
  serverUrl: 'https://127.0.0.1:1',
  caPem,
  logOrigin: LOG_ORIGIN,
  keys: [
    {
      keyId: logSigner.keyId,
      publicKey: Buffer.from(logSigner.publicKey).toString('base64'),
      purposes: ['log', 'order', 'baseline'],
      validFrom: '2020-01-01T00:00:00.000Z',
      validTo: null,
    },
  ],
});

/** Never answers; ends with its signal, as everything must. */
export function hang(signal?: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  return promise;
}

/** The server's half of `ServerPort`, in memory. */
export class MemoryServer implements ServerPort {
  isUp = true;
  /** What a new connection comes to; as `isUp` when absent. */
  canConnect: boolean | null = null;
  readonly checkins: CheckinRequest[] = [];
  readonly progress: Progress[] = [];
  readonly uploaded: string[] = [];
  readonly results: { orderId: string; result: OrderResult }[] = [];
  orders: string[] = [];
  checkpoint: string | null = null;
  consistencyHashes: string[] = [];
  losesResults = 0;

  async checkin(request: CheckinRequest, _signal?: AbortSignal): Promise<CheckinResponse> {
    this.#requireUp();
    this.checkins.push(CheckinRequestSchema.parse(request));
    this.progress.push(...request.progress);
    return { serverTime: new Date(0).toISOString(), orders: [...this.orders], checkpoint: this.checkpoint };
  }

  async upload(bundles: Parameters<ServerPort['upload']>[0], _signal?: AbortSignal): ReturnType<ServerPort['upload']> {
    this.#requireUp();
    return bundles.map(({ bundleId }) => {
      const status = this.uploaded.includes(bundleId) ? 'duplicate' : 'accepted';
      if (status === 'accepted') this.uploaded.push(bundleId);
      return { bundleId, status, code: null, index: 0, leafHash: null, promise: null } as const;
    });
  }

  async reportOrder(orderId: string, result: OrderResult): Promise<void> {
    this.#requireUp();
    this.results.push({ orderId, result });
    if (this.losesResults-- > 0) throw new HoldfastError('broken', { code: 'ERR_AGENT_CONNECTION' });
    this.orders = [];
  }

  async renew(): Promise<string> {
    throw new HoldfastError('not here', { code: 'ERR_AGENT_PROTOCOL' });
  }

  async consistency(from: number, to: number): ReturnType<ServerPort['consistency']> {
    this.#requireUp();
    return { from, to, hashes: this.consistencyHashes };
  }

  async probe(): Promise<boolean> {
    return this.canConnect ?? this.isUp;
  }

  #requireUp(): void {
    if (!this.isUp) throw new HoldfastError('the server could not be reached', { code: 'ERR_AGENT_CONNECTION' });
  }
}

export class AgentFixture {
  readonly time = new VirtualTime();
  readonly paths: HostPaths;
  readonly guard: MemoryGuard;
  readonly checks: MemoryChecks;
  readonly server = new MemoryServer();
  readonly ca = new TestCa();
  toml = 'coolDownS = 0\nflapLimit = 10000\nhealLimit = 10000\nbreakerFailures = 10000\n';
  agent: RunningAgent | null = null;
  #controller = new AbortController();

  constructor(t: Cleanup) {
    this.paths = hostPaths(temporaryDirectory(t));
    this.guard = new MemoryGuard(this.paths.evidence, this.time.clock);
    this.checks = new MemoryChecks(this.guard, this.time.clock);
    mkdirSync(this.paths.agentState, { recursive: true });
    const keyPem = generateTlsKey();
    writeFileSync(this.paths.tlsKey, keyPem);
    const notAfterMs = this.time.wallMs + 365 * 86_400_000;
    writeFileSync(
      this.paths.tlsCertificate,
      this.ca.issueForKey(keyPem, { notBeforeMs: this.time.wallMs - 1_000, notAfterMs }),
    );
    t.after(() => this.stop());
  }

  async start(): Promise<RunningAgent> {
    this.#controller = new AbortController();
    const agent = await startAgent(
      { config: parseAgentConfig(this.toml, {}), paths: this.paths, version: '0.1.0' },
      {
        guard: this.guard,
        checks: this.checks,
        server: this.server,
        trust: testTrust(this.ca.certificatePem),
        clock: this.time.clock,
        bootId: 'boot-1',
        sleep: this.time.sleep,
        log: silent,
      },
      this.#controller.signal,
    );
    this.agent = agent;
    return agent;
  }

  async stop(): Promise<void> {
    this.#controller.abort(new Error('stop'));
    await this.agent?.[Symbol.asyncDispose]();
    this.agent = null;
  }

  /** Lets `seconds` pass. */
  async pass(seconds: number): Promise<void> {
    await this.time.advance(seconds * 1_000);
  }

  get health(): AgentHealth {
    return AgentHealthSchema.parse(JSON.parse(readFileSync(join(this.paths.agentState, 'health.json'), 'utf8')));
  }

  get conditions(): string[] {
    return this.health.conditions.map(({ code }) => code);
  }

  /** The states a check's remediations went through, as the server was told. */
  statesOf(check: string): string[] {
    return this.server.progress.filter((entry) => entry.check === check).map(({ state }) => state);
  }
}
