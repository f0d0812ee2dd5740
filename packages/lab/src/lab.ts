/**
 * The lab as its users see it: a handful of hosts on one machine that can be built, looked into,
 * broken in known ways, mended and taken away without a trace (C-42, C-43).
 *
 * Two kinds share this interface: `linux` (real systemd, real nftables, own network each; needs
 * root) and `simulated` (file-backed hosts of `@holdfast/host-sim`). What a simulated lab cannot do
 * it refuses with `ERR_LAB_SIMULATED`; it never pretends.
 */
import type { CommandResult, FileContent } from '@holdfast/host';

/** The parts of a host that the drift generator knows how to break: one per built-in check. */
export const BREAKABLE_CHECKS = [
  'firewall',
  'services',
  'logging',
  'files',
  'ports',
  'accounts',
  'time_sync',
  'certificates',
] as const;

export type BreakableCheck = (typeof BREAKABLE_CHECKS)[number];

export type LabKind = 'linux' | 'simulated';

/** `running`: systemd says all is well; `degraded`: some unit failed; `starting`: still booting; `down`: no such process. */
export type LabHostState = 'running' | 'degraded' | 'starting' | 'down';

export interface LabHostStatus {
  readonly name: string;
  readonly address: string;
  readonly state: LabHostState;
  /** Proportional set size of all its processes; `null` when the host is down or simulated. */
  readonly memoryBytes: number | null;
  /** What was broken here and has not been mended by the lab (a healing agent may have). */
  readonly drifts: readonly Drift[];
}

export interface LabStatus {
  readonly id: string;
  readonly kind: LabKind;
  readonly directory: string;
  readonly gatewayAddress: string;
  readonly hosts: readonly LabHostStatus[];
}

/** One thing the drift generator did. The same host, check and seed give the same variant and the same effect. */
export interface Drift {
  readonly host: string;
  readonly check: BreakableCheck;
  readonly seed: number;
  /** Short name such as `policy-accept`. */
  readonly variant: string;
  /** One sentence for people. */
  readonly description: string;
}

/** What a new host is to be held to: facts that a baseline is captured from. The same on every host of a lab. */
export interface LabInventory {
  readonly units: readonly string[];
  readonly loggingUnits: readonly string[];
  readonly files: readonly string[];
  readonly certificateFiles: readonly string[];
  readonly certificatePorts: readonly { readonly address: string; readonly port: number }[];
  /** SNTP sources. They tell the right time until `time_sync` is broken. */
  readonly timeSources: readonly string[];
}

export interface ExecOptions {
  /** Default 30 s. */
  readonly timeoutMs?: number;
  readonly stdin?: Uint8Array;
}

/**
 * - `up` first removes whatever an earlier lab of this directory or this id left, then builds; when
 *   it fails or `signal` aborts, everything it built is gone before it rejects.
 * - `down` removes everything, however the lab's creator ended; doing it twice, or to a lab that was
 *   never up, succeeds. It leaves console logs in the directory, and no process, mount, interface,
 *   namespace or control group.
 * - `break` and `mend` work from any process that opened the lab. `mend` puts back what the lab
 *   host was built with, whatever it looks like now, and is idempotent.
 * - A lab does not end with the process that created it.
 */
export interface Lab {
  readonly id: string;
  readonly kind: LabKind;
  readonly directory: string;
  /** `web-1`, `web-2`, … */
  readonly hosts: readonly string[];
  /** Where lab hosts reach services of the machine underneath. Known before `up`. */
  readonly gatewayAddress: string;
  readonly inventory: LabInventory;
  addressOf(host: string): string;
  /**
   * What belongs to this host in the lab directory. For a simulated host it is the root directory
   * under which its guard and agent keep everything.
   */
  hostDirectory(host: string): string;
  up(signal: AbortSignal): Promise<void>;
  down(): Promise<void>;
  status(signal: AbortSignal): Promise<LabStatus>;
  /** Runs a program as root inside the host. Resolves whatever the exit code is. */
  exec(
    host: string,
    argv: readonly [string, ...string[]],
    signal: AbortSignal,
    options?: ExecOptions,
  ): Promise<CommandResult>;
  /**
   * Atomic; makes missing parent directories (0755, root). On a simulated host the path is below its
   * root directory, and owners are left alone.
   */
  writeFile(host: string, path: string, content: FileContent, signal: AbortSignal): Promise<void>;
  /** At most 16 MiB. */
  readFile(host: string, path: string, signal: AbortSignal): Promise<Uint8Array>;
  startUnit(host: string, unit: string, signal: AbortSignal): Promise<void>;
  stopUnit(host: string, unit: string, signal: AbortSignal): Promise<void>;
  /** SIGKILL to every process of the unit. */
  killUnit(host: string, unit: string, signal: AbortSignal): Promise<void>;
  /** Power cut and boot: every process dies at once, the disk stays. Resolves when the host is up again. */
  reboot(host: string, signal: AbortSignal): Promise<void>;
  break(host: string, check: BreakableCheck, seed: number, signal: AbortSignal): Promise<Drift>;
  mend(host: string, check: BreakableCheck, signal: AbortSignal): Promise<void>;
}
