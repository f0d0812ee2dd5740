/**
 * A whole guard for tests: real socket, real audit log, real change engine, real evidence, on a
 * simulated host with a few small operations that fail on demand.
 */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type HostPaths, hostPaths, ORDER_PAYLOAD_TYPE, type Order, type Trust } from '@holdfast/api';
import { type AnyOperation, eraseTypes, type Operation } from '@holdfast/change';
import { type LogFile, type LogFiles, systemLogFiles } from '@holdfast/audit';
import { canonicalJson, type JsonObject } from '@holdfast/core';
import {
  encodeEnvelope,
  generateSigner,
  loadSigner,
  signEnvelope,
  type Signer,
  signerFromSeed,
} from '@holdfast/crypto';
import { type EvidenceSummary, openEvidenceStore, type Statement, verifyBundle } from '@holdfast/evidence';
import type { Host } from '@holdfast/host';
import { openSimulatedHost } from '@holdfast/host-sim';
import { DEFAULT_AGENT_POLICY } from '@holdfast/policy';
import { z } from 'zod';
import { connectGuard, type GuardClient, type GuardConfig, type GuardStartDeps, startGuard } from '../src/index.ts';

export const SERVER_SIGNER: Signer = signerFromSeed(Buffer.alloc(32, 7));
const GOOD = 'as the baseline has it\n';
const BASELINE_HASH = 'b'.repeat(64);

interface FileOptions {
  readonly name: string;
  readonly disruptive?: boolean;
  readonly confirmWithinMs?: number;
  readonly delayMs?: number;
  /** What goes wrong on this host. */
  readonly fails?: 'verify' | 'revert';
}

const Captured = z.strictObject({ path: z.string(), before: z.string().nullable() });

const read = async (path: string, host: Host, signal: AbortSignal): Promise<string | null> => {
  const state = await host.files.stat(path, signal);
  return state.kind === 'missing' ? null : Buffer.from(await host.files.read(path, 100_000, signal)).toString();
};
const write = async (path: string, text: string | null, host: Host, signal: AbortSignal): Promise<void> => {
  if (text === null) await host.files.remove(path, signal);
  else await host.files.write(path, { bytes: Buffer.from(text), mode: '0644', uid: 0, gid: 0 }, signal);
};

/** Puts one file of the simulated host right. */
function fileOperation(options: FileOptions): AnyOperation {
  const Params = z.strictObject({ path: z.string().startsWith('/').default('/etc/motd') });
  const operation: Operation<z.infer<typeof Params>, z.infer<typeof Captured>> = {
    name: options.name,
    params: Params,
    captured: Captured,
    disruptive: options.disruptive ?? false,
    ...(options.confirmWithinMs === undefined ? {} : { confirmWithinMs: options.confirmWithinMs }),
    resources: ({ path }) => [`file:${path}`],
    capture: async ({ path }, host, signal) => ({ path, before: await read(path, host, signal) }),
    plan: async ({ path }, host, signal) =>
      (await read(path, host, signal)) === GOOD ? [] : [{ action: `write ${path}` }],
    apply: async ({ path }, host, signal) => {
      if (options.delayMs !== undefined) await new Promise((resolve) => setTimeout(resolve, options.delayMs));
      await write(path, GOOD, host, signal);
    },
    verify: async ({ path }, host, signal) => ({
      ok: options.fails === undefined && (await read(path, host, signal)) === GOOD,
      reasons: [`looked at ${path}`],
    }),
    revert: async ({ path, before }, host, signal) => {
      if (options.fails === 'revert') throw new Error('the disk is gone');
      await write(path, before, host, signal);
    },
  };
  return eraseTypes(operation);
}

export const OPERATIONS: ReadonlyMap<string, AnyOperation> = new Map(
  [
    { name: 'files.restore' },
    { name: 'services.restart', delayMs: 5 },
    { name: 'firewall.restore', confirmWithinMs: 60_000 },
    { name: 'logging.restart', fails: 'verify' as const },
    { name: 'accounts.lock' },
    { name: 'test.stuck', fails: 'revert' as const },
    { name: 'test.disrupt', disruptive: true },
  ].map((options) => [options.name, fileOperation(options)]),
);

export interface TestSite {
  readonly root: string;
  readonly paths: HostPaths;
  readonly trust: Trust;
  readonly config: GuardConfig;
  readonly deps: GuardStartDeps;
  readonly hostKey: Uint8Array;
}

interface Cleanup {
  after(fn: () => void | Promise<void>): void;
}

/** Root's rights, for whoever runs the tests, and some more. */
export const TEST_POLICY = `${DEFAULT_AGENT_POLICY.replace('uid = 0', `uid = ${process.getuid?.() ?? 0}`)}
[[rules]]
name = "test"
principals = ["root"]
operations = ["test.*", "exec.backup"]
effect = "allow"
[[commands]]
name = "exec.backup"
path = "/usr/bin/backup"
argv = ["--", "{what}"]
[commands.params.what]
type = "path"
prefix = "/srv"
[[rateLimits]]
name = "tests"
principals = ["root"]
mutations = { burst = 100000, perMinute = 100000 }
seal = { burst = 100000, perMinute = 100000 }
`;

/** An enrolled host in a directory of its own that others may enter, as `/` is. */
export async function makeSite(t: Cleanup, policy = TEST_POLICY): Promise<TestSite> {
  const root = mkdtempSync(join(realpathSync(tmpdir()), 'holdfast-guard-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  chmodSync(root, 0o755);
  return openSite(root, policy);
}

/** @param policy `null`: the site is there already */
export async function openSite(root: string, policy: string | null): Promise<TestSite> {
  const paths = hostPaths(root);
  const trust: Trust = {
    version: 1,
    orgId: 'acme',
    siteId: 'berlin',
    hostId: 'host-1',
    hostName: 'host-1.example',
    serverUrl: 'https://localhost',
    caPem: '-',
    logOrigin: 'log.example/acme',
    keys: [
      {
        keyId: SERVER_SIGNER.keyId,
        publicKey: Buffer.from(SERVER_SIGNER.publicKey).toString('base64'),
        purposes: ['order'],
        validFrom: '2020-01-01T00:00:00.000Z',
        validTo: null,
      },
    ],
  };
  if (policy !== null) {
    for (const directory of [dirname(paths.policy), dirname(paths.guardState), dirname(paths.socket)]) {
      mkdirSync(directory, { recursive: true, mode: 0o755 });
    }
    mkdirSync(paths.guardState, { mode: 0o700 });
    mkdirSync(paths.evidence, { mode: 0o750 });
    generateSigner(paths.hostKey);
    writeFileSync(paths.policy, policy, { mode: 0o644 });
    writeFileSync(paths.baseline, '{}');
  }
  const host = await openSimulatedHost(join(root, 'sim'));
  return {
    root,
    paths,
    trust,
    hostKey: loadSigner(paths.hostKey).publicKey,
    config: { paths, trust, version: '0.0.0-test', socketGid: process.getegid?.() ?? 0 },
    deps: {
      host,
      loadBaseline: async () => ({
        hash: { value: BASELINE_HASH },
        operations: OPERATIONS,
        observedFiles: ['/etc/motd'],
      }),
    },
  };
}

export interface RunningGuard {
  readonly client: GuardClient;
  readonly stop: () => Promise<void>;
}

/** Starts a guard and a client of it; both end with the test. */
export async function start(
  t: Cleanup,
  site: TestSite,
  overrides: { config?: Partial<GuardConfig>; deps?: Partial<GuardStartDeps> } = {},
): Promise<RunningGuard> {
  const abort = new AbortController();
  const guard = await startGuard(
    { ...site.config, ...overrides.config },
    { ...site.deps, ...overrides.deps },
    abort.signal,
  );
  const client = connectGuard(site.paths.socket, new AbortController().signal);
  let isStopped = false;
  const stop = async (): Promise<void> => {
    if (isStopped) return;
    isStopped = true;
    client[Symbol.dispose]();
    await guard[Symbol.asyncDispose]();
  };
  t.after(stop);
  return { client, stop };
}

/** A connection that says and hears whatever the test wants. */
export class RawClient {
  readonly socket: Socket;
  readonly lines: string[] = [];
  isClosed = false;
  #rest = '';
  #wake: () => void = () => undefined;

  constructor(path: string) {
    this.socket = connect(path);
    this.socket.on('data', (bytes: Buffer) => {
      const parts = (this.#rest + bytes.toString()).split('\n');
      this.#rest = parts.pop() ?? '';
      this.lines.push(...parts);
      this.#wake();
    });
    this.socket.on('error', () => undefined); // the end is what counts, and comes as `close`
    this.socket.on('close', () => {
      this.isClosed = true;
      this.#wake();
    });
  }

  write(data: string | Uint8Array): void {
    this.socket.write(data);
  }

  /** The next answer; `undefined` when the connection ended without one. */
  async next(): Promise<
    { id: string; ok: boolean; result?: unknown; error?: { code: string; correlationId: string } } | undefined
  > {
    while (this.lines.length === 0 && !this.isClosed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const line = this.lines.shift();
    return line === undefined ? undefined : (JSON.parse(line) as Awaited<ReturnType<RawClient['next']>>);
  }

  async ended(): Promise<void> {
    while (!this.isClosed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

let orderNumber = 0;

export function makeOrder(site: TestSite, changes: Partial<Order> = {}): Order {
  orderNumber += 1;
  return {
    version: 1,
    orderId: `order-${orderNumber}`,
    orgId: site.trust.orgId,
    siteId: site.trust.siteId,
    hostId: site.trust.hostId,
    nonce: `nonce-of-an-order-${String(orderNumber).padStart(8, '0')}`,
    issuedAt: new Date().toISOString(),
    ttlS: 900,
    requestedBy: 'user-1',
    operation: 'files.restore',
    params: { path: '/etc/motd' },
    ...changes,
  };
}

export function signOrder(order: Order | JsonObject, signer = SERVER_SIGNER, payloadType = ORDER_PAYLOAD_TYPE): string {
  const payload = Buffer.from(canonicalJson(order as JsonObject));
  return Buffer.from(encodeEnvelope(signEnvelope(payloadType, payload, [signer]))).toString();
}

/** Everything published, each bundle verified with the host's key, oldest first. */
export async function listEvidence(
  site: TestSite,
): Promise<readonly (EvidenceSummary & { readonly statement: Statement })[]> {
  const { bundles, findings } = await openEvidenceStore(site.paths.evidence).list();
  if (findings.length > 0) throw new Error(`damaged evidence: ${JSON.stringify(findings)}`);
  return bundles
    .map((bundle) => {
      const { statement } = verifyBundle(readFileSync(bundle.path), [site.hostKey]);
      return Object.assign(bundle, { statement });
    })
    .toSorted((a, b) => a.bundleId.localeCompare(b.bundleId));
}

/** The real file system, on a disk that can be full. */
export function failingLogFiles(disk: { isFull: boolean }): LogFiles {
  return {
    ...systemLogFiles,
    open: async (path, mode) => {
      const file = await systemLogFiles.open(path, mode);
      return new Proxy(file, {
        get(target, name): unknown {
          const value: unknown = Reflect.get(target, name);
          if (typeof value !== 'function') return value;
          if (disk.isFull && /write|sync|truncate/i.test(String(name))) {
            return async () => Promise.reject(Object.assign(new Error('full'), { code: 'ENOSPC' }));
          }
          return (value as (...args: unknown[]) => unknown).bind(target);
        },
      }) satisfies LogFile;
    },
  };
}

/** Polls for what comes about by itself. */
export async function eventually(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('did not come about in time');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
