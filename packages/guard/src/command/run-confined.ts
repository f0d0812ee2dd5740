/**
 * Runs one command through the sandbox port and says how it ended. Every way a run can go comes back
 * as a value; nothing here decides, records or retries (G-29: there is no second, less confined try).
 */
import { createHash } from 'node:crypto';
import { MAX_SHOWN_OUTPUT_BYTES } from '@holdfast/api';
import { type ErrorCode, hasCode, HoldfastError, isHoldfastError } from '@holdfast/core';
import type { CommandState } from '@holdfast/evidence';
import type { Sandbox, SandboxJob, SandboxResult, SandboxRun } from '@holdfast/sandbox';
import type { Ending } from './command-journal.ts';

/** A spawner that says nothing this long after a command should have been killed counts as gone. */
const SILENCE_MS = 15_000;
const DEFAULT_KILL_AFTER_MS = 1_000;

/** What was written, as far as it is kept. */
export interface Output {
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
}

export interface Confined {
  readonly ending: Omit<Ending, 'ended'>;
  readonly output: Output;
}

const STOPPING = 'the guard is stopping';

const NOTHING: Output = { stdout: new Uint8Array(), stderr: new Uint8Array() };

/** Refused before anything was executed: a denial. Any other failure is one of the run. */
const DENIED: ReadonlySet<ErrorCode> = new Set([
  'ERR_SANDBOX_MISSING',
  'ERR_SANDBOX_PROFILE',
  'ERR_SANDBOX_SPAWNER_GONE',
  'ERR_SANDBOX_BUSY',
]);

/**
 * @param connect opens a connection to the spawner; everything started over it ends with it
 * @param maxOutputBytes of each stream; the profile may have a lower cap of its own
 * @param signal aborted: the whole tree is killed, and the ending says so. Never throws.
 */
export async function runConfined(
  connect: (signal: AbortSignal) => Promise<Sandbox>,
  job: SandboxJob,
  maxOutputBytes: number,
  signal: AbortSignal,
): Promise<Confined> {
  let sandbox: Sandbox;
  try {
    sandbox = await connect(signal);
  } catch (error) {
    return { ending: signal.aborted ? interrupted(STOPPING) : notRun(error), output: NOTHING };
  }
  let run: SandboxRun;
  try {
    run = await sandbox.start(job, signal);
  } catch (error) {
    release(sandbox);
    // A spawner that was asked and then was gone may have started it.
    if (hasCode(error, 'ERR_SANDBOX_SPAWNER_GONE')) return { ending: interrupted(describe(error)), output: NOTHING };
    return { ending: signal.aborted ? interrupted(STOPPING) : notRun(error), output: NOTHING };
  }
  try {
    return await follow(run, job, maxOutputBytes);
  } catch (error) {
    const code = isHoldfastError(error) ? error.code : 'ERR_GUARD_INTERNAL';
    if (code === 'ERR_SANDBOX_START') return { ending: notRun(error), output: NOTHING };
    return { ending: interrupted(describe(error)), output: NOTHING };
  } finally {
    // Not waited for: a spawner that hangs holds up nobody. Its commands end with the connection.
    release(run);
    release(sandbox);
  }
}

async function follow(run: SandboxRun, job: SandboxJob, maxOutputBytes: number): Promise<Confined> {
  run.end().catch(() => undefined); // a command that ended before its input did is no trouble
  const streams = Promise.all([drain(run.stdout, maxOutputBytes), drain(run.stderr, maxOutputBytes)]);
  streams.catch(() => undefined); // what ends the streams early also ends the run, and is reported there
  const patienceMs = job.timeoutMs + (job.killAfterMs ?? DEFAULT_KILL_AFTER_MS) + SILENCE_MS;
  const result = await within(run.result, patienceMs);
  const [stdout, stderr] = await within(streams, SILENCE_MS);
  const state: CommandState = {
    profile: job.profile.name,
    profileHash: result.profileHash,
    layers: [...result.layers],
    exitCode: result.exitCode,
    signal: result.signal,
    endedBy: result.endedBy,
    usage: { ...result.usage },
    stdout: { bytes: result.stdoutBytes, digest: stdout.digest, truncated: stdout.bytes < result.stdoutBytes },
    stderr: { bytes: result.stderrBytes, digest: stderr.digest, truncated: stderr.bytes < result.stderrBytes },
  };
  return { ending: { ...judge(result), state }, output: { stdout: stdout.shown, stderr: stderr.shown } };
}

const CODE_OF_FORCED_END: Record<Exclude<SandboxResult['endedBy'], 'itself'>, ErrorCode> = {
  timeout: 'ERR_COMMAND_STOPPED',
  'memory-limit': 'ERR_COMMAND_STOPPED',
  'cpu-limit': 'ERR_COMMAND_STOPPED',
  abort: 'ERR_COMMAND_INTERRUPTED',
};

function judge({ endedBy, exitCode, signal }: SandboxResult): Omit<Ending, 'ended' | 'state'> {
  const how = exitCode === null ? `ended by ${signal ?? 'an unknown signal'}` : `exit code ${exitCode}`;
  if (endedBy !== 'itself') {
    return { outcome: 'failed', code: CODE_OF_FORCED_END[endedBy], reason: `${endedBy}: ${how}` };
  }
  if (exitCode === 0) return { outcome: 'done', code: null, reason: how };
  return { outcome: 'failed', code: 'ERR_COMMAND_FAILED', reason: how };
}

function notRun(error: unknown): Confined['ending'] {
  const code = isHoldfastError(error) ? error.code : 'ERR_GUARD_INTERNAL';
  return { outcome: DENIED.has(code) ? 'deny' : 'failed', state: null, code, reason: describe(error) };
}

function interrupted(reason: string): Confined['ending'] {
  return { outcome: 'failed', state: null, code: 'ERR_COMMAND_INTERRUPTED', reason };
}

/** Code and fields: both are safe to keep, and the fields name the layer, the path or the step. */
function describe(error: unknown): string {
  if (!isHoldfastError(error)) return 'an unexpected error';
  const fields = Object.entries(error.fields).map(([name, value]) => `${name} ${String(value)}`);
  return [error.code, ...fields].join(', ');
}

function release(resource: AsyncDisposable): void {
  resource[Symbol.asyncDispose]().then(undefined, () => undefined); // what fails here was lost before
}

interface Drained {
  /** Bytes that the digest is of. */
  readonly bytes: number;
  readonly digest: string;
  readonly shown: Uint8Array;
}

async function drain(stream: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Drained> {
  const hash = createHash('sha256');
  const kept: Uint8Array[] = [];
  let bytes = 0;
  let keptBytes = 0;
  for await (const chunk of stream) {
    const part = chunk.subarray(0, maxBytes - bytes); // read on to the end, or the command would wait for us
    hash.update(part);
    bytes += part.length;
    const shown = part.slice(0, MAX_SHOWN_OUTPUT_BYTES - keptBytes);
    keptBytes += shown.length;
    if (shown.length > 0) kept.push(shown);
  }
  return { bytes, digest: hash.digest('hex'), shown: Buffer.concat(kept) };
}

/** @throws `ERR_SANDBOX_SPAWNER_GONE` after `timeoutMs` */
async function within<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  const late = Promise.withResolvers<never>();
  const gone = new HoldfastError('the spawner hangs', {
    code: 'ERR_SANDBOX_SPAWNER_GONE',
    fields: { reason: 'it does not answer' },
  });
  const timer = setTimeout(() => late.reject(gone), timeoutMs);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
