/**
 * A control plane with real hosts for one test: started through the command line, seen through the
 * public API, broken through the lab, and gone afterwards, also when the test failed.
 */
import { chmodSync, existsSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type EvidenceRow,
  EvidenceRowSchema,
  HostSchema,
  type HostView,
  type Remediation,
  RemediationSchema,
  type Summary,
  SummarySchema,
} from '@holdfast/api';
import { type Lab, openLab } from '@holdfast/lab';
import { eventually } from './eventually.ts';
import { Daemon, type DaemonOwner, type Ended, holdfast } from './holdfast.ts';

const START_TIMEOUT_MS = 120_000;
const REQUEST_TIMEOUT_MS = 20_000;
const MAX_PAGES = 1_000;

interface Scope {
  after(fn: () => Promise<void> | void): void;
}

/** What every schema of the API can do. */
export interface Parser<T> {
  parse(value: unknown): T;
}

export interface SiteOptions {
  readonly hosts: number;
  /** `demo`: `holdfast up --demo`. `apart`: `holdfast server run`, then `holdfast lab up`. */
  readonly kind?: 'demo' | 'apart';
  readonly args?: readonly string[];
  readonly owner?: DaemonOwner;
}

/** Its items are parsed one by one, by the schema of what they are. */
const AnyPage: Parser<{ items: unknown[]; nextCursor: string | null }> = {
  parse: (value) => {
    const { items, nextCursor } = value as { items?: unknown; nextCursor?: unknown };
    if (Array.isArray(items) && (nextCursor === null || typeof nextCursor === 'string')) return { items, nextCursor };
    throw new TypeError('not a page');
  },
};

/** Waits for nothing but its own time-outs. */
const never = new AbortController().signal;

export class Site {
  readonly state: string;
  /** The running `up` or `server run`; another one after `restartControlPlane`. */
  daemon: Daemon;
  readonly #args: readonly string[];

  private constructor(state: string, args: readonly string[], owner?: DaemonOwner) {
    this.state = state;
    this.#args = args;
    this.daemon = new Daemon(args, owner);
  }

  /** Resolves when every host is good. */
  static async start(scope: Scope, options: SiteOptions): Promise<Site> {
    const state = mkdtempSync(join(realpathSync(tmpdir()), 'hf-e2e-'));
    chmodSync(state, 0o755); // the database's user passes through
    const { hosts, kind = 'demo', args = [], owner } = options;
    const command =
      kind === 'demo'
        ? ['up', '--demo', '--no-drift', '--hosts', String(hosts), '--port', '0', '--state', state, ...args]
        : ['server', 'run', '--state', state, ...(await freeListeners()), ...args];
    const place = owner === undefined ? state : join(state, 'own');
    const site = new Site(
      place,
      command.map((word) => (word === state ? place : word)),
      owner,
    );
    scope.after(() => site.#remove(state));
    if (owner !== undefined) chmodSync(state, 0o777);
    await eventually(
      'the control plane answers',
      () => {
        if (!site.daemon.isRunning) throw new Error(site.daemon.stderr);
        return existsSync(join(site.state, 'endpoint.json')) ? site.summary() : undefined;
      },
      START_TIMEOUT_MS,
    );
    if (kind === 'apart') {
      const up = await holdfast('lab', 'up', '--hosts', String(hosts), '--state', state);
      if (up.exitCode !== 0) throw new Error(`lab up: ${up.stderr}`);
    }
    await site.allGood(hosts);
    return site;
  }

  get lab(): Lab {
    return openLab(join(this.state, 'lab'));
  }

  /** Starts the same control plane again, on the same state and ports. */
  restartControlPlane(): void {
    if (this.daemon.isRunning) throw new Error('it is running');
    this.daemon = new Daemon(this.#args);
  }

  /** Everybody is good: nothing fails, nothing is unknown. */
  async allGood(hosts: number, timeoutMs?: number): Promise<readonly HostView[]> {
    return eventually(
      `${hosts} hosts are good`,
      async () => {
        const views = await this.hosts();
        const isGood = views.length === hosts && views.every(({ state, score }) => state === 'good' && score === 100);
        if (isGood) return views;
        throw new Error(JSON.stringify(views.map(({ name, state, checks }) => ({ name, state, checks }))));
      },
      timeoutMs,
    );
  }

  async get<T>(path: string, schema: Parser<T>): Promise<T> {
    return schema.parse(JSON.parse(Buffer.from(await this.bytes(path)).toString()));
  }

  async bytes(path: string): Promise<Uint8Array> {
    const endpoint = JSON.parse(readFileSync(join(this.state, 'endpoint.json'), 'utf8')) as { consoleUrl: string };
    const token = readFileSync(join(this.state, 'server', 'operator-token'), 'utf8').trim();
    const response = await fetch(`${endpoint.consoleUrl}/api/v1${path}`, {
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return new Uint8Array(await response.arrayBuffer());
  }

  /** Every item of a paged list. */
  async list<T>(path: string, schema: Parser<T>): Promise<T[]> {
    const items: T[] = [];
    let cursor: string | null = '';
    for (let pages = 0; cursor !== null && pages < MAX_PAGES; pages += 1) {
      const query: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const next = await this.get(`${path}${path.includes('?') ? '&' : '?'}limit=100${query}`, AnyPage);
      items.push(...next.items.map((item) => schema.parse(item)));
      cursor = next.nextCursor;
    }
    return items;
  }

  summary(): Promise<Summary> {
    return this.get('/summary', SummarySchema);
  }

  hosts(): Promise<HostView[]> {
    return this.list('/hosts', HostSchema);
  }

  async host(name: string): Promise<HostView> {
    const found = (await this.hosts()).find((host) => host.name === name);
    if (found === undefined) throw new Error(`no host ${name}`);
    return found;
  }

  evidence(query: Readonly<Record<string, string>>): Promise<EvidenceRow[]> {
    return this.list(`/evidence?${new URLSearchParams(query).toString()}`, EvidenceRowSchema);
  }

  remediations(hostId: string): Promise<Remediation[]> {
    return this.list(`/remediations?hostId=${encodeURIComponent(hostId)}`, RemediationSchema);
  }

  /** A command line of this installation, inside a lab host, as root. */
  async inHost(host: string, ...args: readonly string[]): Promise<Ended> {
    return this.exec(host, '/opt/holdfast/apps/cli/bin/holdfast', ...args);
  }

  /** Any program inside a lab host, as root. */
  async exec(host: string, program: string, ...args: readonly string[]): Promise<Ended> {
    const { exitCode, stdout, stderr } = await this.lab.exec(host, [program, ...args], never, { timeoutMs: 240_000 });
    return { exitCode, stdout: Buffer.from(stdout).toString(), stderr: Buffer.from(stderr).toString() };
  }

  async #remove(directory: string): Promise<void> {
    await this.daemon.stop();
    await holdfast('lab', 'down', '--state', this.state);
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Two ports that nobody listens on now. */
async function freeListeners(): Promise<string[]> {
  const servers = ['127.0.0.1', '0.0.0.0'].map((host) => ({ host, server: createServer().listen(0, host) }));
  const listening = await Promise.all(
    servers.map(async ({ host, server }) => {
      await once(server, 'listening');
      return `${host}:${(server.address() as AddressInfo).port}`;
    }),
  );
  await Promise.all(servers.map(({ server }) => new Promise((done) => server.close(done))));
  const [console = '', agents = ''] = listening;
  return ['--console-listen', console, '--agent-listen', agents];
}
