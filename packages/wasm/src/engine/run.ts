/**
 * What one run of an admitted module is asked and answers. It happens in this process, on this
 * thread, until it ends: whoever does not trust V8 runs it in a process of its own
 * (`@holdfast/wasm-runner`), which also holds the deadline.
 */
import type { ErrorCode } from '@holdfast/core';
import type { RunLimits } from '../limits.ts';
import type { Capabilities } from '../wasi/capabilities.ts';

export type OutputStreamName = 'stdout' | 'stderr';

/** Told what a guest writes, while it runs. `bytes` is good only during the call. MUST NOT throw. */
export type OutputListener = (stream: OutputStreamName, bytes: Uint8Array) => void;

export interface RunRequest {
  readonly capabilities: Capabilities;
  readonly limits: RunLimits;
  /** The function to call; `_start` when left out (a WASI command). A reactor's `_initialize` is called first. */
  readonly entry?: string;
  /** Also hash the memory at the end: about a millisecond for each MiB. */
  readonly hashMemory?: boolean;
  /** What is told here is what the result holds at the end. */
  readonly onOutput?: OutputListener;
}

/** What a run used. */
export interface WasmUsage {
  /**
   * Exact when the run ended by returning, exiting, running out of fuel or `unreachable`. Other traps
   * and a full stack end it where the count is not written down: then it is what was counted up to
   * some earlier call or loop, the same in every run, and `cpuMs` says how much was done.
   */
  readonly fuel: bigint;
  readonly peakMemoryBytes: number;
  readonly wallMs: number;
  /** CPU time of the thread. */
  readonly cpuMs: number;
  readonly io: {
    readonly reads: number;
    readonly writes: number;
    readonly readBytes: number;
    readonly writtenBytes: number;
    readonly opens: number;
  };
}

export interface WasmResult {
  /** 0 when `_start` returned; the status of `proc_exit`; `null` when `error` ended it. */
  readonly exitCode: number | null;
  /** Such as `ERR_WASM_FUEL`; `detail` is safe to show. */
  readonly error: { readonly code: ErrorCode; readonly detail: string } | null;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  /** True when an output reached its cap and the rest was dropped. */
  readonly truncated: boolean;
  readonly fuelLeft: bigint;
  /** SHA-256 of linear memory at the end, when asked for (deterministic mode, X-16). */
  readonly memorySha256: string | null;
  readonly usage: WasmUsage;
}
