/** Tasks for tests: a module written as text, and everything else small. */
import type { Clock } from '@holdfast/core';
import { openSandbox } from '@holdfast/sandbox';
import { needs } from '@holdfast/testing';
import { DEFAULT_MODULE_LIMITS, DEFAULT_RUN_LIMITS } from '@holdfast/wasm';
import { readFileSync } from 'node:fs';
import loadWabt from 'wabt';
import {
  DEFAULT_WASM_RUNNER_OPTIONS,
  openWasmRunner,
  plainRunnerHost,
  type RunnerHost,
  sandboxRunnerHost,
  type WasmRunner,
  type WasmRunnerOptions,
  type WasmTask,
} from '../src/index.ts';

/** What tests need that are only about the wall; the others do without it where it cannot be had. */
export const needsWall = needs('root', 'bubblewrap');

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

const PLAIN = plainRunnerHost(DEFAULT_WASM_RUNNER_OPTIONS.maxMemoryBytes);

/** Behind the process sandbox where this machine has one, as users get it; without it elsewhere. */
export async function openTestHost(): Promise<RunnerHost & AsyncDisposable> {
  if (needsWall.skip !== false) return { ...PLAIN, [Symbol.asyncDispose]: async () => undefined };
  const sandbox = await openSandbox();
  const { maxMemoryBytes } = DEFAULT_WASM_RUNNER_OPTIONS;
  const { signal } = new AbortController();
  const host = await sandboxRunnerHost(sandbox, { maxMemoryBytes, warmSlots: 2, user: 'nobody' }, signal);
  return { ...host, [Symbol.asyncDispose]: () => sandbox[Symbol.asyncDispose]() };
}

const childrenOf = (pid: number): number[] => {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  } catch {
    return []; // gone
  }
};
const descendantsOf = (pid: number): number[] =>
  childrenOf(pid).flatMap((child) => [child].concat(descendantsOf(child)));

/** Runner processes below this one, however many processes of a sandbox lie between. */
export function runnerPids(): number[] {
  return descendantsOf(process.pid).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('runner-main.ts');
    } catch {
      return false; // gone
    }
  });
}

export function openTestRunner(
  t: { after(fn: () => unknown): void },
  more: Partial<WasmRunnerOptions> = {},
  host: RunnerHost = PLAIN,
): WasmRunner {
  const options = { ...DEFAULT_WASM_RUNNER_OPTIONS, maxProcesses: 4, warmProcesses: 1, ...more };
  const runner = openWasmRunner({ host, clock: testClock }, options);
  t.after(() => runner[Symbol.asyncDispose]());
  return runner;
}

/** Prints the text that lies at `address`, which is below 256. */
export const HELLO = `(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\\08\\00\\00\\00\\06\\00\\00\\00hello\\n")
  (func (export "_start") (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 20)))))`;
