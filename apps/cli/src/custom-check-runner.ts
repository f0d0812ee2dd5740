/**
 * Runs the modules of custom checks (C-14) in the runner's confined processes, opened when the first
 * is wanted: a host whose baseline has none pays nothing. Each module is a tenant of its own.
 */
import { createHash } from 'node:crypto';
import type { CustomCheckRunner } from '@holdfast/compliance';
import { systemClock } from '@holdfast/host-linux';
import { DEFAULT_MODULE_LIMITS, DEFAULT_RUN_LIMITS } from '@holdfast/wasm';
import { DEFAULT_WASM_RUNNER_OPTIONS, openWasmRunner, type WasmRunner } from '@holdfast/wasm-runner';
import { openRunnerHost } from './wasm-host.ts';

/** The most a baseline can give a module. */
const MAX_MEMORY_BYTES = 128 * 1024 * 1024;
const OPTIONS = { ...DEFAULT_WASM_RUNNER_OPTIONS, maxProcesses: 2, warmProcesses: 0, maxMemoryBytes: MAX_MEMORY_BYTES };
/** A check that asks for time is given it in its document; WASI's clock counts its own work. */
const CLOCK = { kind: 'fuel', startNs: 0n, fuelPerNs: 1 } as const;
const RANDOMNESS = { kind: 'seeded', seed: new Uint8Array(32) } as const;

export interface OpenCustomCheckRunner extends CustomCheckRunner, AsyncDisposable {}

export function openCustomCheckRunner(
  options: { readonly processSandbox: boolean },
  signal: AbortSignal,
): OpenCustomCheckRunner {
  const stack = new AsyncDisposableStack();
  let opened: Promise<WasmRunner> | undefined;
  const open = async (): Promise<WasmRunner> => {
    const host = stack.use(await openRunnerHost(options, MAX_MEMORY_BYTES, signal));
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
