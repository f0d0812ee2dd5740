/**
 * Running an admitted module once: a fresh instance, fuel before its first instruction, WASI over the
 * capabilities it is given, and one result whatever it does. A module is
 * compiled once and may be run any number of times.
 *
 * What a guest does never throws out of here. What does is a mistake of the caller or of this code.
 */
import { createHash } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { threadCpuUsage } from 'node:process';

import { type ErrorCode, HoldfastError } from '@holdfast/core';

import type { AdmittedModule } from '../admit.ts';
import type { RunLimits } from '../limits.ts';
import { GuestContext } from '../wasi/guest-context.ts';
import type { HostTime } from '../wasi/guest-time.ts';
import { WasiImports } from '../wasi/imports.ts';
import { FuelExhausted, OutputExceeded, ProcessExit } from '../wasi/run-ended.ts';
import type { RunRequest, WasmResult } from './run.ts';
import { trapName } from './trap-name.ts';
import { wasmApi, type WasmGlobal, type WasmMemory, type WasmModule } from './web-assembly.ts';

/** A module that is ready to run, here and on this thread. */
export interface CompiledModule {
  readonly admitted: AdmittedModule;
  readonly module: WasmModule;
  readonly wasi: WasiImports;
}

const SYSTEM_TIME: HostTime = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };

const MAX_FUEL = 2n ** 63n - 1n;

type Failure = NonNullable<WasmResult['error']>;
type Ending = { readonly exitCode: number } | { readonly error: Failure };

const failure = (code: ErrorCode, detail: string): Ending => ({ error: { code, detail } });

/** @throws `ERR_WASM_MALFORMED` when the engine refuses what the gate let pass */
export function compileAdmitted(admitted: AdmittedModule): CompiledModule {
  try {
    return { admitted, module: new wasmApi.Module(admitted.metered), wasi: new WasiImports() };
  } catch (cause) {
    throw new HoldfastError('the engine refused the module', {
      code: 'ERR_WASM_MALFORMED',
      fields: { sha256: admitted.sha256 },
      cause,
    });
  }
}

interface Guest {
  readonly exports: Readonly<Record<string, unknown>>;
  readonly fuel: WasmGlobal<bigint>;
  /** What calls to the host may read and write: exported as `memory` (WASI preview 1). */
  readonly memory: WasmMemory | null;
  /** The module's memory whatever it calls it, for the bill. */
  readonly accounted: WasmMemory | null;
  readonly memoryDenied: () => boolean;
}

/** The meter's globals: an i64 and an i32, as the contract of `AdmittedModule` says. */
function globalOf<T extends number | bigint>(exports: Guest['exports'], name: string): WasmGlobal<T> {
  const value = exports[name];
  if (!(value instanceof wasmApi.Global)) throw new TypeError('an admitted module lacks a global of its meter');
  return value as WasmGlobal<T>;
}

function instantiate({ admitted, module, wasi }: CompiledModule): Guest {
  const { exports } = new wasmApi.Instance(module, wasi.imports);
  const denied = globalOf<number>(exports, admitted.memoryDeniedExport);
  const memoryNamed = (name: string) => (exports[name] instanceof wasmApi.Memory ? exports[name] : null);
  return {
    exports,
    fuel: globalOf<bigint>(exports, admitted.fuelExport),
    memory: memoryNamed('memory'),
    accounted: admitted.memoryExport === null ? null : memoryNamed(admitted.memoryExport),
    memoryDenied: () => denied.value !== 0,
  };
}

/** An exported function without parameters; `null` when there is none of that name. */
function entryOf(exports: Guest['exports'], name: string): (() => unknown) | null {
  const entry = Object.hasOwn(exports, name) ? exports[name] : null;
  return typeof entry === 'function' && entry.length === 0 ? (entry as () => unknown) : null;
}

/** Why the run ended, by what it threw. @throws `error` itself when it is none of a guest's endings */
function endingOf(error: unknown, memoryDenied: boolean): Ending {
  if (error instanceof ProcessExit) return { exitCode: error.status };
  if (error instanceof FuelExhausted) return failure('ERR_WASM_FUEL', 'no fuel left for a call to the host');
  if (error instanceof OutputExceeded) return failure('ERR_WASM_OUTPUT', 'an output stream is full');
  if (error instanceof wasmApi.LinkError) {
    return failure('ERR_WASM_IMPORT', 'an import is declared with a type that it does not have');
  }
  if (error instanceof wasmApi.RuntimeError) {
    const trap = trapName(error.message);
    // A refused growth and then `unreachable`: the meter's own end, or a program giving up for want of memory.
    if (memoryDenied && trap === 'unreachable') return failure('ERR_WASM_MEMORY', 'memory.grow was refused');
    return failure('ERR_WASM_TRAP', trap);
  }
  if (error instanceof RangeError && /call stack/u.test(error.message)) {
    return failure('ERR_WASM_STACK', 'the call stack reached its limit');
  }
  if (error instanceof RangeError && /memory/u.test(error.message)) {
    return failure('ERR_WASM_MEMORY', 'the host could not provide the memory');
  }
  throw error;
}

/** Start section, then the initialiser of a reactor, then the entry; all of it on the run's fuel. */
function execute(guest: Guest, { admitted }: CompiledModule, request: RunRequest): Ending {
  const entry = entryOf(guest.exports, request.entry ?? '_start');
  if (entry === null) return failure('ERR_WASM_ENTRY', 'the module exports no such function without parameters');
  if (admitted.startExport !== null) entryOf(guest.exports, admitted.startExport)?.();
  if (request.entry !== undefined && request.entry !== '_initialize') entryOf(guest.exports, '_initialize')?.();
  entry();
  return { exitCode: 0 };
}

interface Outcome {
  readonly ending: Ending;
  readonly guest: Guest;
  readonly context: GuestContext;
}

function attempt(compiled: CompiledModule, request: RunRequest, host: HostTime): Outcome | Failure {
  let guest: Guest;
  try {
    guest = instantiate(compiled);
  } catch (error) {
    const ending = endingOf(error, false);
    if ('error' in ending) return ending.error;
    throw error;
  }
  guest.fuel.value = request.limits.fuel;
  const context = new GuestContext(guest, request.capabilities, request.limits, host, request.onOutput);
  let ending: Ending = { exitCode: 0 };
  compiled.wasi.lend(context, () => {
    try {
      ending = execute(guest, compiled, request);
    } catch (error) {
      ending = endingOf(error, guest.memoryDenied());
    } finally {
      context.descriptors.closeAll();
    }
  });
  // Leaf functions do not test the counter: a run may come to its end below zero. That is over budget too.
  if (guest.fuel.value < 0n) ending = failure('ERR_WASM_FUEL', 'no fuel left');
  return { ending, guest, context };
}

function checkLimits(limits: RunLimits): void {
  if (limits.fuel < 0n || limits.fuel > MAX_FUEL) throw new TypeError('fuel must be at least 0 and below 2^63');
  for (const value of [limits.outputBytes, limits.openFiles]) {
    if (!Number.isSafeInteger(value) || value < 0) throw new TypeError('a limit must be a whole number');
  }
}

/**
 * Runs the module to its end, on this thread. There is no deadline here: that is held by the parent
 * of the process.
 *
 * @param host read only for a coarse clock
 * @throws `TypeError` for limits or capabilities that make no sense; nothing ran then
 */
export function runModule(compiled: CompiledModule, request: RunRequest, host: HostTime = SYSTEM_TIME): WasmResult {
  checkLimits(request.limits);
  const startMs = performance.now();
  const startCpu = threadCpuUsage();
  const outcome = attempt(compiled, request, host);
  const cpu = threadCpuUsage(startCpu);
  const times = { wallMs: performance.now() - startMs, cpuMs: (cpu.user + cpu.system) / 1_000 };
  if ('code' in outcome) return neverStarted(outcome, request.limits.fuel, times);

  const { ending, guest, context } = outcome;
  const fuelLeft = guest.fuel.value;
  const memory = guest.accounted === null ? null : new Uint8Array(guest.accounted.buffer);
  const hash = request.hashMemory === true && memory !== null;
  return {
    exitCode: 'exitCode' in ending ? ending.exitCode : null,
    error: 'error' in ending ? ending.error : null,
    stdout: context.stdout.collected(),
    stderr: context.stderr.collected(),
    truncated: context.stdout.truncated || context.stderr.truncated,
    fuelLeft,
    memorySha256: hash ? createHash('sha256').update(memory).digest('hex') : null,
    usage: {
      fuel: request.limits.fuel - fuelLeft,
      peakMemoryBytes: memory?.length ?? 0, // memory never shrinks
      ...times,
      io: context.io,
    },
  };
}

function neverStarted(error: Failure, fuel: bigint, times: { wallMs: number; cpuMs: number }): WasmResult {
  return {
    exitCode: null,
    error,
    stdout: new Uint8Array(0),
    stderr: new Uint8Array(0),
    truncated: false,
    fuelLeft: fuel,
    memorySha256: null,
    usage: {
      fuel: 0n,
      peakMemoryBytes: 0,
      ...times,
      io: { reads: 0, writes: 0, readBytes: 0, writtenBytes: 0, opens: 0 },
    },
  };
}
