/**
 * Running untrusted WebAssembly as a service of this host: a pool of processes, each confined, each
 * for one tenant only, a fresh instance per task (X-13, X-15). V8's bugs are assumed: the process
 * boundary is the wall.
 */
import type {
  AdmittedModule,
  FileKind,
  GuestClock,
  GuestRandomness,
  ModuleLimits,
  OutputListener,
  RunLimits,
  WasmResult,
} from '@holdfast/wasm';
import type { SandboxLayer } from '@holdfast/policy';

/** A host directory shown to a guest. Copied into memory when small; brokered, read-only, when large. */
export interface DirectoryGrant {
  readonly hostPath: string;
  readonly guestPath: string;
  /** `copy-on-write`: the guest may write, the host's files stay as they are; what it wrote comes back in the result. */
  readonly mode: 'read-only' | 'copy-on-write';
  readonly quotaBytes: number;
  readonly quotaFiles: number;
}

export interface WasmTask {
  /** Tasks of one tenant may share a process, one after another; never those of two. */
  readonly tenant: string;
  readonly module: Uint8Array;
  /** The function to call; `_start` when left out. */
  readonly entry?: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: Uint8Array;
  readonly directories: readonly DirectoryGrant[];
  readonly clock: GuestClock;
  readonly randomness: GuestRandomness;
  readonly moduleLimits: ModuleLimits;
  readonly runLimits: RunLimits;
  /** Wall time from when the process has the task; held by this side with SIGKILL. */
  readonly deadlineMs: number;
  /** Also hash the memory at the end. */
  readonly hashMemory: boolean;
  /** Answer only at multiples of this since the start, so that the time of an answer says less. */
  readonly responseGridMs?: number;
}

export interface DirectoryChange {
  /** Index in the task's `directories`. */
  readonly directory: number;
  /** Names below it; proper names, checked. */
  readonly path: readonly string[];
  readonly kind: FileKind;
  readonly change: 'created' | 'changed' | 'removed';
  /** The new content of a file. */
  readonly bytes: Uint8Array | null;
}

/** What was run is in `usage`; after the deadline it says the most it can have been. */
export interface WasmTaskResult extends WasmResult {
  /** In copy-on-write directories, in an order in which they can be applied. */
  readonly changes: readonly DirectoryChange[];
  /** Of the process that ran it; empty when it ran without a process sandbox. */
  readonly layers: readonly SandboxLayer[];
}

/** What a module is, without running any of it. */
export interface ModuleDescription extends Pick<AdmittedModule, 'sha256' | 'memory' | 'imports' | 'exports'> {
  /** With the metering woven in. */
  readonly meteredBytes: number;
  readonly hasStartSection: boolean;
}

export interface InspectTask extends Pick<WasmTask, 'tenant' | 'module' | 'moduleLimits' | 'deadlineMs'> {}

export interface RunnerStatistics {
  readonly processes: number;
  readonly busy: number;
  readonly waiting: number;
  /** Since the start. */
  readonly started: number;
  readonly tasks: number;
  readonly killedAtDeadline: number;
}

export interface WasmRunner extends AsyncDisposable {
  /** What the pool does now. */
  statistics(): RunnerStatistics;
  /**
   * Resolves also when the guest failed: see `error`.
   *
   * @param onOutput told what the guest writes while it runs, in its order; `responseGridMs` hides nothing of that
   * @throws `ERR_WASM_RUNNER`, `ERR_WASM_DIRECTORY`, `ERR_TASK_QUEUE_FULL`, `ERR_SANDBOX_MISSING`, and what admitting a module throws
   */
  run(task: WasmTask, signal: AbortSignal, onOutput?: OutputListener): Promise<WasmTaskResult>;
  /**
   * Decodes and meters a module in a process of its tenant's. Names in it are shortened, and what is not
   * printable in them replaced.
   *
   * @throws as `run`, and `ERR_WASM_DEADLINE`
   */
  inspect(task: InspectTask, signal: AbortSignal): Promise<ModuleDescription>;
}
