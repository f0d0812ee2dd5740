/**
 * Runs the modules of custom checks (C-14) in the runner's confined processes, opened when the first
 * is wanted: a host whose baseline has none pays nothing. Each module is a tenant of its own.
 */
import { createHash } from 'node:crypto';
import type { CustomCheckRunner, CustomCheckTask } from '@holdfast/compliance';
import { isHoldfastError } from '@holdfast/core';
import { systemClock } from '@holdfast/host-linux';
import { DEFAULT_MODULE_LIMITS, DEFAULT_RUN_LIMITS } from '@holdfast/wasm';
import { connectSandbox } from '@holdfast/sandbox';
import { MAX_CHECK_MEMORY_BYTES } from './check-limits.ts';
import {
  DEFAULT_WASM_RUNNER_OPTIONS,
  openWasmRunner,
  type RunnerHost,
  sandboxRunnerHost,
  type WasmRunner,
  type WasmTask,
} from '@holdfast/wasm-runner';

const OPTIONS = {
  ...DEFAULT_WASM_RUNNER_OPTIONS,
  maxProcesses: 2,
  warmProcesses: 0,
  maxMemoryBytes: MAX_CHECK_MEMORY_BYTES,
};
/** A check that asks for time is given it in its document; WASI's clock counts its own work. */
const CLOCK = { kind: 'fuel', startNs: 0n, fuelPerNs: 1 } as const;
const RANDOMNESS = { kind: 'seeded', seed: new Uint8Array(32) } as const;

export interface OpenCustomCheckRunner extends CustomCheckRunner, AsyncDisposable {}

/** The host's spawner confines the processes; the agent may start these through it and no others. */
export async function openSpawnedHost(socketPath: string, signal: AbortSignal): Promise<RunnerHost & AsyncDisposable> {
  const sandbox = await connectSandbox(socketPath, signal);
  try {
    const host = await sandboxRunnerHost(sandbox, { maxMemoryBytes: MAX_CHECK_MEMORY_BYTES, warmSlots: 0 }, signal);
    return { ...host, [Symbol.asyncDispose]: () => sandbox[Symbol.asyncDispose]() };
  } catch (error) {
    await sandbox[Symbol.asyncDispose]();
    throw error;
  }
}

/** A task that was lost, a spawner that is gone, and one that is there again. */
const MAX_TRIES = 3;

interface Opened extends AsyncDisposable {
  readonly runner: WasmRunner;
}

/**
 * The host is opened again when the spawner it belonged to has gone: it was restarted, and the agent
 * was not.
 *
 * @param openHost where the processes run; opened for a cap of `MAX_CHECK_MEMORY_BYTES`
 */
export function openCustomCheckRunner(openHost: () => Promise<RunnerHost & AsyncDisposable>): OpenCustomCheckRunner {
  let current: Promise<Opened> | undefined;
  const open = async (): Promise<Opened> => {
    const stack = new AsyncDisposableStack();
    const host = stack.use(await openHost());
    const runner = stack.use(openWasmRunner({ host, clock: systemClock() }, OPTIONS));
    return { runner, [Symbol.asyncDispose]: () => stack.disposeAsync() };
  };
  const close = async (opened: Promise<Opened> | undefined): Promise<void> => {
    if (opened === current) current = undefined;
    await (await opened?.catch(() => undefined))?.[Symbol.asyncDispose](); // what could not be opened has nothing to close
  };
  return {
    run: async (task, signal) => {
      for (let tries = 1; ; tries++) {
        const used = (current ??= open());
        try {
          return await (await used).runner.run(taskOf(task), signal);
        } catch (error) {
          const code = isHoldfastError(error) ? error.code : null;
          const isOpen = await used.then(
            () => true,
            () => false, // the sandbox may be there the next time
          );
          if (!isOpen || code === 'ERR_SANDBOX_SPAWNER_GONE') await close(used);
          const isLost = code === 'ERR_SANDBOX_SPAWNER_GONE' || code === 'ERR_WASM_RUNNER';
          if (!isOpen || !isLost || tries === MAX_TRIES || signal.aborted) throw error;
        }
      }
    },
    [Symbol.asyncDispose]: () => close(current),
  };
}

function taskOf({ module, stdin, fuel, memoryBytes, deadlineMs, outputBytes }: CustomCheckTask): WasmTask {
  return {
    tenant: `check-${createHash('sha256').update(module).digest('hex').slice(0, 32)}`,
    module,
    args: ['check'],
    env: {},
    stdin,
    directories: [],
    clock: CLOCK,
    randomness: RANDOMNESS,
    moduleLimits: { ...DEFAULT_MODULE_LIMITS, memoryBytes },
    runLimits: { ...DEFAULT_RUN_LIMITS, fuel, outputBytes, onOutputLimit: 'end' },
    deadlineMs,
    hashMemory: false,
  };
}
