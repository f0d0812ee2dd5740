/**
 * The port through which anything confined is run: the guard's commands, a person's `sandbox run`,
 * the processes that host WebAssembly. The one implementation is a client of the spawner process.
 */
import type { SandboxLayer, SandboxProfile } from '@holdfast/policy';

/** One command to run under a profile. */
export interface SandboxJob {
  readonly profile: SandboxProfile;
  /** The program's absolute path as seen inside, then its arguments. No shell, no search path. */
  readonly argv: readonly [string, ...string[]];
  /** Inside; `/` when left out. */
  readonly cwd?: string;
  /** Added to the profile's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Wall time, after which the tree gets SIGTERM and, `killAfterMs` later, SIGKILL. */
  readonly timeoutMs: number;
  /** @default 1_000 */
  readonly killAfterMs?: number;
}

export type Measured<T> = { readonly value: T } | { readonly unknown: string };

/** What one run used. What this host cannot measure says why. */
export interface SandboxUsage {
  readonly wallMs: number;
  readonly cpuMs: Measured<number>;
  readonly peakMemoryBytes: Measured<number>;
  readonly readBytes: Measured<number>;
  readonly writtenBytes: Measured<number>;
}

export interface SandboxResult {
  /** `null` when a signal ended it. */
  readonly exitCode: number | null;
  /** Such as `SIGKILL`; `null` when it exited. */
  readonly signal: string | null;
  readonly endedBy: 'itself' | 'timeout' | 'abort' | 'memory-limit' | 'cpu-limit';
  readonly usage: SandboxUsage;
  /** What was really active, read back and not assumed. */
  readonly layers: readonly SandboxLayer[];
  /** Of the compiled profile. */
  readonly profileHash: string;
  /** Bytes that the command wrote, also those dropped above the cap. */
  readonly stdoutBytes: number;
  readonly stderrBytes: number;
  /** True when a stream reached its cap. */
  readonly truncated: boolean;
}

/** A command that runs. Disposing kills the whole tree and waits for its end. */
export interface SandboxRun extends AsyncDisposable {
  /** Resolves when the bytes were handed to the command's pipe; waits while the pipe is full. */
  write(bytes: Uint8Array): Promise<void>;
  /** Ends standard input. */
  end(): Promise<void>;
  readonly stdout: AsyncIterable<Uint8Array>;
  readonly stderr: AsyncIterable<Uint8Array>;
  /** SIGKILL to the whole tree, at once. */
  kill(): void;
  /** Settles when nothing of the tree is left. @throws `ERR_SANDBOX_START`, `ERR_SANDBOX_SPAWNER_GONE` */
  readonly result: Promise<SandboxResult>;
}

/** Whether a layer is there on this host, and if not, why and what to do. */
export interface LayerState {
  readonly layer: SandboxLayer;
  readonly available: boolean;
  readonly reason: string;
  readonly fix: string | null;
}

export interface Sandbox extends AsyncDisposable {
  /** Every layer, in the order of `SANDBOX_LAYERS`. */
  layers(signal: AbortSignal): Promise<readonly LayerState[]>;
  /**
   * Starts a job. Aborting `signal` kills the tree.
   *
   * @throws `ERR_SANDBOX_MISSING` when a required layer is not there: nothing was run
   * @throws `ERR_SANDBOX_PROFILE` when the profile cannot be compiled for this host
   * @throws `ERR_SANDBOX_START` when the program could not be executed
   */
  start(job: SandboxJob, signal: AbortSignal): Promise<SandboxRun>;
  /** Keeps `slots` set-up sandboxes waiting for this profile. */
  warm(profile: SandboxProfile, slots: number, signal: AbortSignal): Promise<void>;
}
