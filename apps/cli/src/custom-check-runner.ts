/**
 * Runs the modules of custom checks (C-14) in the runner's confined processes, opened when the first
 * is wanted: a host whose baseline has none pays nothing. Each module is a tenant of its own.
 */
import { createHash } from 'node:crypto';
import type { CustomCheckRunner } from '@holdfast/compliance';
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

/** @param openHost where the processes run; opened for a cap of `MAX_CHECK_MEMORY_BYTES` */
export function openCustomCheckRunner(openHost: () => Promise<RunnerHost & AsyncDisposable>): OpenCustomCheckRunner {
  const stack = new AsyncDisposableStack();
  let opened: Promise<WasmRunner> | undefined;
  const open = async (): Promise<WasmRunner> => {
    const host = stack.use(await openHost());
    return stack.use(openWasmRunner({ host, clock: systemClock() }, OPTIONS));
  };
  return {
    run: async ({ module, stdin, fuel, memoryBytes, deadlineMs, outputBytes }, runSignal) => {
      opened ??= open();
      opened.catch(() => (opened = undefined)); // the sandbox may be there the next time
      const runner = await opened;
      return runner.run(
        {
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
        },
        runSignal,
      );
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
