/**
 * A `Sandbox` for tests of the guard alone: it starts real programs and keeps every promise of the
 * port but one, that it confines them. What it says of layers is what the test tells it to say.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { HoldfastError } from '@holdfast/core';
import { SANDBOX_LAYERS, type SandboxLayer } from '@holdfast/policy';
import type { Sandbox, SandboxJob, SandboxResult, SandboxRun } from '@holdfast/sandbox';

export type Stage = 'connect' | 'start' | 'running' | 'ended';

export interface Pretence {
  readonly missing?: readonly SandboxLayer[];
  /** Called as a run passes each stage. */
  readonly onStage?: (stage: Stage) => void | Promise<void>;
  /** The spawner is killed once the command runs. */
  readonly dies?: boolean;
  /** Every job that was started. */
  readonly jobs?: SandboxJob[];
}

const PROFILE_HASH = 'c'.repeat(64);

export async function connectPretendSandbox(pretence: Pretence = {}): Promise<Sandbox> {
  const { missing = [], onStage = () => undefined, jobs = [] } = pretence;
  await onStage('connect');
  const runs = new Set<SandboxRun>();
  return {
    layers: async () =>
      SANDBOX_LAYERS.map((layer) => ({
        layer,
        available: !missing.includes(layer),
        reason: missing.includes(layer) ? 'the test says so' : 'pretended',
        fix: null,
      })),
    start: async (job, signal) => {
      signal.throwIfAborted();
      const lacking = job.profile.require.find((layer) => missing.includes(layer));
      if (lacking !== undefined) {
        throw new HoldfastError('a layer is missing', { code: 'ERR_SANDBOX_MISSING', fields: { layer: lacking } });
      }
      await onStage('start');
      jobs.push(job);
      const run = await startPretendRun(job, pretence, signal);
      runs.add(run);
      return run;
    },
    warm: async () => undefined,
    [Symbol.asyncDispose]: async () => {
      for (const run of runs) await run[Symbol.asyncDispose]();
    },
  };
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

async function startPretendRun(job: SandboxJob, pretence: Pretence, signal: AbortSignal): Promise<SandboxRun> {
  const [program, ...args] = job.argv;
  const child: Child = spawn(program, args, {
    cwd: job.cwd ?? '/',
    env: { ...job.profile.env, ...job.env },
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  try {
    await once(child, 'spawn');
  } catch (cause) {
    throw new HoldfastError('it did not start', { code: 'ERR_SANDBOX_START', fields: { step: 'execve' }, cause });
  }
  child.stdin.on('error', () => undefined); // it may not care for its input
  const exited = once(child, 'exit');
  let endedBy: SandboxResult['endedBy'] = 'itself';
  const kill = (why: SandboxResult['endedBy']): void => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    endedBy = why;
    try {
      process.kill(-Number(child.pid), 'SIGKILL');
    } catch {
      // its whole group has ended meanwhile
    }
  };
  const timer = setTimeout(() => kill('timeout'), job.timeoutMs);
  signal.addEventListener('abort', () => kill('abort'), { once: true });
  const counts = { stdout: 0, stderr: 0 };
  const cap = job.profile.limits.outputBytes;
  async function* capped(name: 'stdout' | 'stderr'): AsyncGenerator<Uint8Array> {
    for await (const chunk of child[name] as AsyncIterable<Uint8Array>) {
      const part = chunk.subarray(0, Math.max(0, cap - counts[name]));
      counts[name] += chunk.length;
      if (part.length > 0) yield part;
    }
  }
  const startedMs = performance.now();
  const result = (async (): Promise<SandboxResult> => {
    await pretence.onStage?.('running');
    if (pretence.dies === true) kill('abort');
    await Promise.all([exited, once(child, 'close')]);
    clearTimeout(timer);
    if (pretence.dies === true) {
      throw new HoldfastError('the spawner is gone', { code: 'ERR_SANDBOX_SPAWNER_GONE', fields: {} });
    }
    await pretence.onStage?.('ended');
    const unknown = { unknown: 'pretended' };
    return {
      exitCode: child.exitCode,
      signal: child.signalCode,
      endedBy,
      usage: {
        wallMs: performance.now() - startedMs,
        cpuMs: unknown,
        peakMemoryBytes: unknown,
        readBytes: unknown,
        writtenBytes: unknown,
      },
      layers: SANDBOX_LAYERS.filter((layer) => pretence.missing?.includes(layer) !== true),
      profileHash: PROFILE_HASH,
      stdoutBytes: counts.stdout,
      stderrBytes: counts.stderr,
      truncated: counts.stdout > cap || counts.stderr > cap,
    };
  })();
  result.catch(() => undefined); // whoever waits for it is told
  return {
    write: async (bytes) => void child.stdin.write(bytes),
    end: async () => void child.stdin.end(),
    stdout: capped('stdout'),
    stderr: capped('stderr'),
    kill: () => kill('abort'),
    result,
    [Symbol.asyncDispose]: async () => {
      kill('abort');
      await exited;
    },
  };
}
