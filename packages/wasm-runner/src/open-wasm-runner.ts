/** The runner: checks a task, opens its directories, gives it to a process of its tenant, reads the answer. */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Clock, HoldfastError } from '@holdfast/core';
import type { OutputListener } from '@holdfast/wasm';
import { openGrants } from './directories/open-grants.ts';
import { type PoolOptions, RunnerPool } from './pool/runner-pool.ts';
import type { CollectedOutput } from './pool/runner-process.ts';
import { brokenProtocol } from './protocol/frames.ts';
import type { ParsedResult } from './protocol/messages.ts';
import type { RunnerHost } from './process/runner-host.ts';
import type { WasmRunner, WasmTask, WasmTaskResult } from './runner.ts';

export interface WasmRunnerOptions extends PoolOptions {
  /** Linear memory that any module may ask for; the host was opened with the same number. */
  readonly maxMemoryBytes: number;
  /** A process that says it holds more than this is not used again. */
  readonly maxIdleBytes: number;
}

export const DEFAULT_WASM_RUNNER_OPTIONS: WasmRunnerOptions = {
  maxProcesses: 16,
  warmProcesses: 2,
  maxWaiting: 1_000,
  tasksPerProcess: 1_000,
  idleMs: 60_000,
  maxMemoryBytes: 1_073_741_824,
  maxIdleBytes: 268_435_456,
};

/** A hundred thousand names and more. */
const MAX_DESCRIPTION_BYTES = 33_554_432;

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Fuel, memory and time of a run that was killed are unknown; it is charged the most it can have used. */
function killedAtDeadline(
  { runLimits, moduleLimits, deadlineMs }: WasmTask,
  { stdout, stderr }: CollectedOutput,
  wallMs: number,
): Omit<WasmTaskResult, 'layers'> {
  return {
    exitCode: null,
    error: { code: 'ERR_WASM_DEADLINE', detail: `killed after ${deadlineMs} ms` },
    stdout,
    stderr,
    truncated: Math.max(stdout.length, stderr.length) === runLimits.outputBytes, // at the cap: there may have been more
    fuelLeft: 0n,
    memorySha256: null,
    usage: {
      fuel: runLimits.fuel,
      peakMemoryBytes: moduleLimits.memoryBytes,
      wallMs,
      cpuMs: wallMs,
      io: { reads: 0, writes: 0, readBytes: 0, writtenBytes: 0, opens: 0 },
    },
    changes: [],
  };
}

/** The process answers what it likes; a path that is none, or bytes beyond a quota, end it here. */
function checkChanges({ changes }: ParsedResult, { directories }: WasmTask): void {
  const left = directories.map(({ mode, quotaBytes, quotaFiles }) =>
    mode === 'copy-on-write' ? { bytes: quotaBytes, changes: 4 * quotaFiles + 4 } : { bytes: 0, changes: 0 },
  );
  for (const { directory, path, bytes } of changes) {
    const quota = left[directory];
    if (quota === undefined || path.length === 0) throw brokenProtocol('change');
    if (path.some((name) => name === '' || name === '.' || name === '..' || /[/\0]/.test(name))) {
      throw brokenProtocol('change');
    }
    quota.bytes -= bytes?.length ?? 0;
    quota.changes -= 1;
    if (quota.bytes < 0 || quota.changes < 0) throw brokenProtocol('change');
  }
}

/** `maxIdleBytes` counts what the process says; that is a reason to end it and never one to keep it longer. */
export function openWasmRunner(
  deps: { readonly host: RunnerHost; readonly clock: Clock },
  options: WasmRunnerOptions = DEFAULT_WASM_RUNNER_OPTIONS,
): WasmRunner {
  const { host, clock } = deps;
  const pool = new RunnerPool(deps, options);
  let [tasks, killed] = [0, 0];

  async function runOnce(task: WasmTask, signal: AbortSignal, onOutput: OutputListener): Promise<WasmTaskResult> {
    using grants = openGrants(task.directories, task.runLimits.openFiles);
    const { entry, args, env, stdin, clock: guestClock, randomness, moduleLimits, runLimits, hashMemory } = task;
    const writable = task.directories.filter(({ mode }) => mode === 'copy-on-write');
    const assignment = {
      request: {
        type: 'run',
        moduleSha256: sha256(task.module),
        entry,
        args,
        env,
        stdin,
        randomness,
        moduleLimits,
        runLimits,
        hashMemory,
        clock: guestClock,
        directories: grants.sent,
      },
      module: task.module,
      brokers: grants.brokers,
      outputBytes: runLimits.outputBytes,
      maxResultBytes: runLimits.outputBytes + writable.reduce((sum, { quotaBytes }) => sum + quotaBytes, 0),
      deadlineMs: task.deadlineMs,
    } as const;
    const runner = await pool.acquire(task.tenant, signal);
    tasks += 1;
    let reuse = true;
    try {
      const startMs = clock.monotonicMs();
      const outcome = await runner.run(assignment, signal, onOutput);
      if (outcome.kind === 'deadline') {
        killed += 1;
        return { ...killedAtDeadline(task, outcome.output, clock.monotonicMs() - startMs), layers: host.layers };
      }
      if (outcome.kind !== 'result') throw brokenProtocol('out of turn');
      const { residentBytes, ...result } = outcome.result;
      // what trapped is not trusted with another task.
      reuse = result.error === null && residentBytes <= options.maxIdleBytes;
      checkChanges(outcome.result, task);
      return { ...result, ...outcome.output, layers: host.layers };
    } catch (error) {
      reuse &&= runner.alive && !(error instanceof HoldfastError && error.code === 'ERR_WASM_RUNNER');
      throw error;
    } finally {
      pool.release(runner, reuse);
    }
  }

  return {
    statistics: () => ({ ...pool.statistics, tasks, killedAtDeadline: killed }),

    async run(task, signal, onOutput = () => undefined) {
      if (task.moduleLimits.memoryBytes > options.maxMemoryBytes) {
        throw new HoldfastError('no module may have that much memory here', {
          code: 'ERR_WASM_LIMIT',
          fields: { wantedBytes: task.moduleLimits.memoryBytes, allowedBytes: options.maxMemoryBytes },
        });
      }
      const startMs = clock.monotonicMs();
      try {
        return await runOnce(task, signal, onOutput);
      } finally {
        const gridMs = task.responseGridMs ?? 0;
        const elapsedMs = clock.monotonicMs() - startMs;
        // an aborted caller waits for nothing, so nothing is kept from it either.
        if (gridMs > 0 && !signal.aborted) await sleep(Math.ceil(elapsedMs / gridMs) * gridMs - elapsedMs);
      }
    },

    async inspect({ tenant, module, moduleLimits, deadlineMs }, signal) {
      const assignment = {
        request: { type: 'inspect', module, moduleLimits },
        module,
        brokers: [],
        outputBytes: 0,
        maxResultBytes: MAX_DESCRIPTION_BYTES,
        deadlineMs,
      } as const;
      const runner = await pool.acquire(tenant, signal);
      let reuse = false;
      try {
        const outcome = await runner.run(assignment, signal, () => undefined);
        if (outcome.kind === 'deadline') {
          throw new HoldfastError('the module was not decoded in time', {
            code: 'ERR_WASM_DEADLINE',
            fields: { deadlineMs },
          });
        }
        if (outcome.kind !== 'description') throw brokenProtocol('out of turn');
        reuse = true;
        return outcome.description;
      } finally {
        pool.release(runner, reuse);
      }
    },

    [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose](),
  };
}
