/** Tasks for tests: a module written as text, and everything else small. */
import type { Clock } from '@holdfast/core';
import { DEFAULT_MODULE_LIMITS, DEFAULT_RUN_LIMITS } from '@holdfast/wasm';
import loadWabt from 'wabt';
import {
  DEFAULT_WASM_RUNNER_OPTIONS,
  openWasmRunner,
  plainRunnerHost,
  type WasmRunner,
  type WasmRunnerOptions,
  type WasmTask,
} from '../src/index.ts';

const wabt = await loadWabt();

export const testClock: Clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };

export function assemble(wat: string): Uint8Array {
  const parsed = wabt.parseWat('test.wat', wat, { bulk_memory: true });
  try {
    return parsed.toBinary({}).buffer;
  } finally {
    parsed.destroy();
  }
}

export function taskOf(wat: string, more: Partial<WasmTask> = {}): WasmTask {
  return {
    tenant: 'test',
    module: assemble(wat),
    args: ['test'],
    env: {},
    stdin: new Uint8Array(),
    directories: [],
    clock: { kind: 'fuel', startNs: 0n, fuelPerNs: 1 },
    randomness: { kind: 'seeded', seed: new Uint8Array(32) },
    moduleLimits: DEFAULT_MODULE_LIMITS,
    runLimits: DEFAULT_RUN_LIMITS,
    deadlineMs: 10_000,
    hashMemory: false,
    ...more,
  };
}

export function openTestRunner(
  t: { after(fn: () => unknown): void },
  more: Partial<WasmRunnerOptions> = {},
): WasmRunner {
  const options = { ...DEFAULT_WASM_RUNNER_OPTIONS, maxProcesses: 4, warmProcesses: 1, ...more };
  const runner = openWasmRunner({ host: plainRunnerHost(options.maxMemoryBytes), clock: testClock }, options);
  t.after(() => runner[Symbol.asyncDispose]());
  return runner;
}

/** Prints the text that lies at `address`, which is below 256. */
export const HELLO = `(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\\08\\00\\00\\00\\06\\00\\00\\00hello\\n")
  (func (export "_start") (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 20)))))`;
