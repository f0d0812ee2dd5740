/**
 * The ports through which everything on a machine is read or changed (C-01). Each port is split in
 * what reads and what changes, so that a check can be given no more than eyes.
 *
 * Implementations: `@holdfast/host-linux`, `@holdfast/host-sim`, and, for reads that need root, the
 * agent's readers that ask the guard. All pass the suites of `@holdfast/host/conformance`.
 *
 * Common contract. Reads have no effect and may run side by side. What cannot be read is thrown as
 * a `HoldfastError` (`ERR_HOST_*`), never returned as an empty result. Every method ends soon after
 * `signal` aborts, with `signal.reason`.
 */
import type { Clock } from '@holdfast/core';

/** What kind of machine this is (C-02). */
export interface Platform {
  /** `ID` of os-release(5), or `unknown`. */
  readonly distribution: string;
  readonly version: string;
  readonly hostName: string;
  readonly kernel: string;
  /** True for hosts that exist in memory only: everything they prove says `simulated`. */
  readonly simulated: boolean;
}

/** State of one unit as systemd tells it: `ActiveState`, `SubState`, `UnitFileState`, `LoadState`. */
export interface ServiceState {
  readonly unit: string;
  readonly load: string;
  readonly active: string;
  readonly sub: string;
  readonly enabled: string;
}

export interface ServiceReader {
  /** One entry per asked unit, in order; a unit that does not exist has `load: 'not-found'`. */
  show(units: readonly string[], signal: AbortSignal): Promise<ServiceState[]>;
  /** Units whose active state is `failed`. */
  listFailed(signal: AbortSignal): Promise<string[]>;
}

export interface ServiceManager extends ServiceReader {
  /** Brings the unit to active (restarting it when it is). Resolves when systemd says the job is done. */
  restart(unit: string, signal: AbortSignal): Promise<void>;
  stop(unit: string, signal: AbortSignal): Promise<void>;
}

/**
 * The machine's packet filter.
 *
 * A ruleset is the text of `nft -s list ruleset` as `normalizeRuleset` spells it: without handles,
 * values of counters, remaining lives of set elements and elements that packets put in, with set
 * elements sorted. Rulesets that differ only in these have the same text (C-11).
 */
export interface PacketFilterReader {
  /** Normalised text of the whole ruleset; the empty string when there is none. */
  read(signal: AbortSignal): Promise<string>;
}

export interface PacketFilter extends PacketFilterReader {
  /** Replaces the whole ruleset in one kernel transaction, or changes nothing (`ERR_HOST_PACKET_FILTER_REFUSED`). */
  replace(ruleset: string, signal: AbortSignal): Promise<void>;
}

export type FileKind = 'file' | 'directory' | 'symlink' | 'other';

/** `missing` is an answer, not an error. */
export type FileState =
  | { readonly path: string; readonly kind: 'missing' }
  | {
      readonly path: string;
      readonly kind: FileKind;
      readonly sizeBytes: number;
      /** Four octal digits, such as `0644`. */
      readonly mode: string;
      readonly uid: number;
      readonly gid: number;
      /** Hex SHA-256 of a regular file's bytes, `null` for anything else. */
      readonly sha256: string | null;
    };

export interface FileReader {
  /** Does not follow a symlink in the last component. Paths are absolute. */
  stat(path: string, signal: AbortSignal): Promise<FileState>;
  /** Whole content; refuses more than `maxBytes` (`ERR_HOST_FILE_TOO_LARGE`), missing (`ERR_HOST_FILE_MISSING`). */
  read(path: string, maxBytes: number, signal: AbortSignal): Promise<Uint8Array>;
}

export interface FileContent {
  readonly bytes: Uint8Array;
  readonly mode: string;
  readonly uid: number;
  readonly gid: number;
}

export interface Files extends FileReader {
  /** Atomic: temporary file in the same directory, fsync, rename, fsync of the directory. Never through a symlink. */
  write(path: string, content: FileContent, signal: AbortSignal): Promise<void>;
  /** Removing what is not there succeeds. */
  remove(path: string, signal: AbortSignal): Promise<void>;
}

/** How an account's password field stands in shadow(5). */
export type PasswordState = 'empty' | 'set' | 'locked' | 'unknown';

export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly shell: string;
  readonly password: PasswordState;
  /** True when the account as a whole is expired (shadow's field 8 in the past). */
  readonly expired: boolean;
  /**
   * SHA-256 fingerprints (`SHA256:…` as ssh-keygen prints them) of authorised keys, sorted. `null`:
   * there are files, and they cannot be read. One account's files MUST NOT keep the others from being listed.
   */
  readonly authorizedKeys: readonly string[] | null;
}

export interface AccountReader {
  list(signal: AbortSignal): Promise<Account[]>;
}

export interface Accounts extends AccountReader {
  /** Opaque copy of what `lock` changes; holds secrets. `restore` puts it back exactly. */
  capture(name: string, signal: AbortSignal): Promise<string>;
  /** Locks the password and expires the account. Locking twice changes nothing. */
  lock(name: string, signal: AbortSignal): Promise<void>;
  restore(name: string, captured: string, signal: AbortSignal): Promise<void>;
}

/** A socket that accepts traffic from others: TCP in LISTEN, UDP bound and unconnected. */
export interface ListeningSocket {
  readonly protocol: 'tcp' | 'udp';
  /** Canonical text of the local address; `0.0.0.0` and `::` are any. */
  readonly address: string;
  readonly port: number;
}

export interface SocketReader {
  list(signal: AbortSignal): Promise<ListeningSocket[]>;
}

/** Where log lines end up. */
export interface JournalReader {
  /** Whether a line containing `token` has arrived at the sink within the last `withinMs`. */
  contains(token: string, withinMs: number, signal: AbortSignal): Promise<boolean>;
}

export interface Journal extends JournalReader {
  /** Writes one line the way any program would (syslog socket), tagged `holdfast-canary`. */
  write(line: string, signal: AbortSignal): Promise<void>;
}

/** One answer of one time source (RFC 4330 §5). */
export interface TimeSample {
  readonly source: string;
  /** Source minus this host's wall clock, milliseconds. */
  readonly offsetMs: number;
  readonly roundTripMs: number;
}

export interface TimeSources {
  /** Asks every source once, side by side; only those that answered are returned. */
  sample(sources: readonly string[], signal: AbortSignal): Promise<TimeSample[]>;
}

export interface Certificate {
  readonly subject: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** Hex SHA-256 of the DER. */
  readonly sha256: string;
}

export interface CertificateReader {
  /** First certificate in a PEM file. */
  fromFile(path: string, signal: AbortSignal): Promise<Certificate>;
  /** What a TLS server presents, whether or not it is trusted. */
  fromPort(address: string, port: number, signal: AbortSignal): Promise<Certificate>;
}

/** Where blocks live; `dm-crypt` above a mount and the like (C-12). */
export interface BlockDevices {
  list(
    signal: AbortSignal,
  ): Promise<readonly { readonly name: string; readonly type: string; readonly mounts: readonly string[] }[]>;
}

/** Installed software (C-07). */
export interface PackageManager {
  listInstalled(signal: AbortSignal): Promise<readonly { readonly name: string; readonly version: string }[]>;
}

export interface CommandResult {
  readonly exitCode: number | null;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  /** True when an output stream reached its cap and the rest was dropped. */
  readonly truncated: boolean;
  readonly durationMs: number;
}

export interface CommandOptions {
  readonly timeoutMs: number;
  /** Cap per stream. */
  readonly maxOutputBytes: number;
  readonly stdin?: Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
}

/** The one place where processes start: absolute path, argv, never a shell, time-out and output cap. */
export interface CommandRunner {
  /** Resolves whatever the exit code is. Throws `ERR_HOST_COMMAND_FAILED` when it could not start, `ERR_HOST_COMMAND_TIMEOUT` when it was killed. The environment is empty but for `env` and a fixed PATH. */
  run(argv: readonly [string, ...string[]], options: CommandOptions, signal: AbortSignal): Promise<CommandResult>;
}

/** All that a check may look at. */
export interface HostReader {
  readonly platform: Platform;
  readonly clock: Clock;
  readonly services: ServiceReader;
  readonly packetFilter: PacketFilterReader;
  readonly files: FileReader;
  readonly accounts: AccountReader;
  readonly sockets: SocketReader;
  /** Writing a canary line is not a privileged act: any program may log. */
  readonly journal: Journal;
  readonly timeSources: TimeSources;
  readonly certificates: CertificateReader;
}

/** All that an operation may touch. */
export interface Host extends HostReader {
  readonly services: ServiceManager;
  readonly packetFilter: PacketFilter;
  readonly files: Files;
  readonly accounts: Accounts;
}
