/** One run of a command under a proposed profile, through the production path. */
import { createReadStream } from 'node:fs';
import type { SandboxProfile } from '@holdfast/policy';
import { isHoldfastError } from '@holdfast/core';
import type { Sandbox, SandboxResult, SandboxRun } from '../sandbox.ts';
import type { Ending } from './read-trace.ts';

export interface ConfinedRun {
  readonly profile: SandboxProfile;
  readonly argv: readonly [string, ...string[]];
  readonly directory: string;
  readonly stdinPath: string | null;
  readonly timeoutMs: number;
}

/** What came of it: a result, or the reason why nothing was run. */
export interface ConfinedResult {
  readonly ending: Ending | { readonly refused: string };
  readonly endedBy: SandboxResult['endedBy'] | null;
  readonly cpuMs: number | null;
  readonly peakMemoryBytes: number | null;
  /** The last that it wrote to standard error. */
  readonly lastWords: string;
}

const MAX_LAST_WORDS = 2_000;

export async function runConfined(sandbox: Sandbox, run: ConfinedRun, signal: AbortSignal): Promise<ConfinedResult> {
  const { profile, argv, timeoutMs } = run;
  const { readOnly, writable } = profile.files;
  const isSeen = [...readOnly, ...writable].includes(run.directory);
  try {
    await using running = await sandbox.start({ profile, argv, timeoutMs, cwd: isSeen ? run.directory : '/' }, signal);
    void feed(running, run.stdinPath);
    const [, lastWords, result] = await Promise.all([drain(running.stdout), tail(running.stderr), running.result]);
    const { usage, endedBy } = result;
    return {
      ending: endingOf(result),
      endedBy,
      cpuMs: 'value' in usage.cpuMs ? usage.cpuMs.value : null,
      peakMemoryBytes: 'value' in usage.peakMemoryBytes ? usage.peakMemoryBytes.value : null,
      lastWords,
    };
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    const fields = Object.entries(error.fields).map(([name, value]) => `${name} ${String(value)}`);
    const refused = `${error.message} [${error.code}] ${fields.join(', ')}`.trim();
    return { ending: { refused }, endedBy: null, cpuMs: null, peakMemoryBytes: null, lastWords: '' };
  }
}

function endingOf({ endedBy, exitCode, signal }: SandboxResult): Ending {
  if (endedBy === 'timeout') return { unknown: 'timeout' };
  if (exitCode !== null) return { exitCode };
  return { signal: signal ?? 'unknown' };
}

async function feed(running: SandboxRun, path: string | null): Promise<void> {
  try {
    if (path !== null) for await (const bytes of createReadStream(path)) await running.write(bytes as Buffer);
    await running.end();
  } catch {
    // the command ended without reading all of it
  }
}

async function drain(stream: AsyncIterable<Uint8Array>): Promise<void> {
  const iterator = stream[Symbol.asyncIterator]();
  while ((await iterator.next()).done !== true);
}

async function tail(stream: AsyncIterable<Uint8Array>): Promise<string> {
  let kept = Buffer.alloc(0);
  for await (const bytes of stream) kept = Buffer.concat([kept, bytes]).subarray(-MAX_LAST_WORDS);
  return kept.toString('utf8');
}
