/** What the machine shows of spawners and what they started, for tests that want nothing to be left. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { type SandboxProfile, SandboxProfileSchema } from '@holdfast/policy';
import { SpawnerClient } from '../../src/client/spawner-client.ts';
import { readHierarchies } from '../../src/cgroup/control-groups.ts';
import { parseGroupName } from '../../src/cgroup/group-name.ts';
import type { SandboxJob } from '../../src/index.ts';
import { serveConnection } from '../../src/spawner/serve-connection.ts';
import { Spawner, type SpawnerOptions } from '../../src/spawner/spawner.ts';

/** A root user's directory that the sandbox's user can pass. */
export const DIRECTORY = '/run/holdfast/sandbox';

export function testProfile(limits: Partial<SandboxProfile['limits']> = {}): SandboxProfile {
  return SandboxProfileSchema.parse({ name: 'test', user: 'nobody', limits });
}

export function shell(script: string, more: Partial<SandboxJob> = {}): SandboxJob {
  return { profile: testProfile(), argv: ['/bin/sh', '-c', script], timeoutMs: 20_000, ...more };
}

/** A spawner in this process, and a client of it over a real socket. */
export async function openHere(options: Partial<SpawnerOptions> = {}) {
  const spawner = await Spawner.open({ directory: DIRECTORY, ...options });
  const server = createServer().listen(`\0holdfast-test-${process.pid}-${process.hrtime.bigint()}`);
  const ours = connect(server.address() as string); // an abstract socket has its name for an address
  const [theirs] = (await once(server, 'connection')) as [Socket];
  server.close();
  const served = serveConnection(spawner, theirs);
  const client = new SpawnerClient(ours, () => served);
  return {
    client,
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]();
      await spawner[Symbol.asyncDispose]();
    },
  };
}

export async function textOf(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const bytes of stream) chunks.push(bytes);
  return Buffer.concat(chunks).toString();
}

export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > deadline) assert.fail(`never: ${what}`);
    await delay(10);
  }
}

/** Control groups that the spawner with this pid made and that are still there, as directories. */
export function groupsOf(pid: number): string[] {
  return readHierarchies().flatMap(({ directory }) => {
    const parent = `${directory}/holdfast-spawner`;
    if (!existsSync(parent)) return [];
    const names = readdirSync(parent).filter((name) => parseGroupName(name)?.pid === pid);
    return names.map((name) => `${parent}/${name}`);
  });
}

/** Everything in these groups, as pids. */
export function membersOf(groups: readonly string[]): number[] {
  const pids = groups.flatMap((group) => readText(`${group}/cgroup.procs`).split('\n').filter(Boolean).map(Number));
  return [...new Set(pids)];
}

/** A process of that name in a sandbox of this process's spawner. */
export function ownProcess(name: string): number | undefined {
  return membersOf(groupsOf(process.pid)).find((pid) => readText(`/proc/${pid}/comm`) === `${name}\n`);
}

export function childrenOf(pid: number): number[] {
  return readText(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number);
}

/** A zombie is none: it is its parent's to collect. */
export function isRunning(pid: number): boolean {
  return /^State:\t[^Z]/m.test(readText(`/proc/${pid}/status`));
}

export function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** `VmHWM` and the like, in bytes: proc_pid_status(5). */
export function memoryOf(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(readText(`/proc/${pid}/status`))?.[1]) * 1_024;
}

export function mounts(): string {
  return readText('/proc/self/mountinfo');
}

/** Empty when it is gone. */
export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
