/**
 * Runs one argv to its end: no shell, no input, its own session, both streams captured, and
 * nothing left of it afterwards, however it ended.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Clock } from '@holdfast/core';
import type { RunRecord } from '../records/run-record.ts';
import { killTree, RUN_VARIABLE, signalTree } from './process-tree.ts';
import type { CapturedStream } from './session-pack.ts';
import type { Watchdog } from './watchdog.ts';

export interface Execution {
  readonly ending: RunRecord['ending'];
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly durationMs: number;
  readonly sandbox: RunRecord['sandbox'];
}

export interface ExecuteOptions {
  /** Marks all processes of this run. */
  readonly run: string;
  /** The program's absolute path. */
  readonly program: string;
  /** argv[0] stays as the gate file has it. */
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** Told of the command, in case we are killed. */
  readonly watchdog: Watchdog | null;
  readonly stdout: Pick<CapturedStream, 'write'>;
  readonly stderr: Pick<CapturedStream, 'write'>;
}

/** Between SIGTERM and SIGKILL, for a command that cleans up. */
export const GRACE_MS = 2_000;
/** For reading what is left in the pipes once the tree is dead; only an escaped process keeps them open. */
const DRAIN_MS = 1_000;

export async function execute(clock: Clock, options: ExecuteOptions, signal: AbortSignal): Promise<Execution> {
  const startMs = clock.monotonicMs();
  const { run, program, argv, cwd, environment } = options;
  const child = spawn(program, argv.slice(1), {
    argv0: argv[0] ?? program,
    cwd,
    env: { ...environment, [RUN_VARIABLE]: run },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  child.stdout.on('data', (chunk: Buffer) => options.stdout.write(chunk));
  child.stderr.on('data', (chunk: Buffer) => options.stderr.write(chunk));
  const closed = once(child, 'close').catch(() => undefined); // `exit` below tells of the error
  const { pid } = child;
  if (pid === undefined) {
    await once(child, 'error').catch(() => undefined);
    return { ending: 'not-started', exitCode: null, signal: null, durationMs: 0, sandbox: null };
  }
  options.watchdog?.watch(pid);
  const tree = { pid, run };
  const stop = new StopWatch(() => {
    signalTree(tree, 'SIGTERM');
    return setTimeout(() => killTree(tree), GRACE_MS);
  });
  const timer = setTimeout(() => stop.because('timeout'), options.timeoutMs);
  const onAbort = (): void => stop.because('interrupted');
  signal.addEventListener('abort', onAbort);
  if (signal.aborted) onAbort();
  try {
    const [exitCode, killedBy] = (await once(child, 'exit')) as [number | null, string | null];
    const durationMs = clock.monotonicMs() - startMs;
    killTree(tree);
    options.watchdog?.rest();
    await Promise.race([closed, after(DRAIN_MS)]);
    const ending = stop.reason ?? (killedBy === null ? 'itself' : 'signal');
    return { ending, exitCode, signal: killedBy, durationMs, sandbox: null };
  } finally {
    clearTimeout(timer);
    stop.clear();
    signal.removeEventListener('abort', onAbort);
    child.stdout.destroy();
    child.stderr.destroy();
  }
}

/** Ends the command once, for the first reason that comes. */
class StopWatch {
  reason: 'timeout' | 'interrupted' | null = null;
  readonly #stop: () => NodeJS.Timeout;
  #timer: NodeJS.Timeout | null = null;

  constructor(stop: () => NodeJS.Timeout) {
    this.#stop = stop;
  }

  because(reason: 'timeout' | 'interrupted'): void {
    if (this.reason !== null) return;
    this.reason = reason;
    this.#timer = this.#stop();
  }

  clear(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
  }
}

const after = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
