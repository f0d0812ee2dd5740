/** One run of a command under strace(1), unconfined, in a host that is thrown away. */
import { spawn } from 'node:child_process';
import { createReadStream, openSync, closeSync, readdirSync, statSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { Observations } from './observations.ts';
import { TraceObserver } from './observe-trace.ts';
import { TraceReader, type TraceEvent } from './read-trace.ts';
import { STRACE_OPTIONS } from './trace-text.ts';

export const STRACE = '/usr/bin/strace';

export interface TracedRun {
  readonly argv: readonly [string, ...string[]];
  readonly user: string;
  readonly uid: number;
  readonly env: Readonly<Record<string, string>>;
  readonly directory: string;
  /** Standard input; none when `null`. */
  readonly stdinPath: string | null;
  readonly timeoutMs: number;
  /** Where the trace is written. */
  readonly tracePath: string;
}

export interface TracedResult {
  readonly observations: Observations;
  /** The larger of both streams. */
  readonly outputBytes: number;
}

export async function runTraced(run: TracedRun): Promise<TracedResult> {
  const stdin = run.stdinPath === null ? 'ignore' : openSync(run.stdinPath, 'r');
  const child = spawn(STRACE, [...STRACE_OPTIONS, '-u', run.user, '-o', run.tracePath, '--', ...run.argv], {
    cwd: run.directory,
    env: run.env,
    stdio: [stdin, 'pipe', 'pipe'],
    detached: true, // a group of its own, to be ended together
  });
  const [stdout, stderr] = [child.stdout as Readable, child.stderr as Readable]; // spawned with pipes
  if (typeof stdin === 'number') closeSync(stdin);
  let isTimedOut = false;
  const timer = setTimeout(() => {
    isTimedOut = true;
    endGroup(child.pid);
    endProcessesOf(run.uid);
  }, run.timeoutMs);
  const exited = new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => {
      endProcessesOf(run.uid); // what made itself independent would hold the streams open
      resolve();
    });
  });
  const [stdoutBytes, stderrBytes] = await Promise.all([countBytes(stdout), countBytes(stderr), exited]);
  clearTimeout(timer);
  const observer = new TraceObserver(run.directory);
  for await (const event of readTrace(run.tracePath)) observer.observe(event);
  return { observations: observer.end(isTimedOut), outputBytes: Math.max(stdoutBytes, stderrBytes) };
}

/** The events of a trace in a file, of whatever size. */
export async function* readTrace(path: string): AsyncGenerator<TraceEvent> {
  const reader = new TraceReader();
  for await (const line of createInterface({ input: createReadStream(path, 'latin1'), crlfDelay: Infinity })) {
    const event = reader.read(line);
    if (event !== undefined) yield event;
  }
}

async function countBytes(stream: Readable): Promise<number> {
  let bytes = 0;
  for await (const chunk of stream) bytes += (chunk as Buffer).length; // no encoding is set
  return bytes;
}

function endGroup(leader: number | undefined): void {
  if (leader === undefined) return;
  try {
    process.kill(-leader, 'SIGKILL');
  } catch {
    // it has ended meanwhile
  }
}

/** The user is that of confined commands, and nothing else of this host runs as it now. */
function endProcessesOf(uid: number): void {
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      if (statSync(`/proc/${name}`).uid === uid) process.kill(Number(name), 'SIGKILL');
    } catch {
      // it has ended meanwhile
    }
  }
}
