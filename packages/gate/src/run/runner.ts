/**
 * What runs a gate's commands. The runner executes argv itself, measures everything it
 * reports, and cannot be told a result. `run-session.ts` implements it on this machine.
 */
import type { Clock } from '@holdfast/core';
import type { Signer } from '@holdfast/crypto';
import type { Gate, GateCommand } from '../gate-file/gate-schema.ts';
import type { GateLog } from '../log/gate-log.ts';
import type { Source } from '../records/run-record.ts';
import type { CommandRun, RecordOf } from '../records/statements.ts';
import type { SandboxedCommands } from './confined.ts';

/** The tree under test. The one implementation asks `git`; nothing of it ever changes a repository. */
export interface SourceTree {
  /** Absolute path of the root of the work tree. */
  readonly root: string;
  /** Reads commit, tree digest and dirtiness. @param exclude the records' directory, relative to the root */
  read(exclude: string, signal: AbortSignal): Promise<Source>;
  /** Paths that differ between two commits, sorted; `from: null` lists all of `to`. Without those below `exclude`. */
  changedFiles(from: string | null, to: string, exclude: string, signal: AbortSignal): Promise<readonly string[]>;
  /** E-mail addresses of authors and committers of `from..to`, and co-authors named in trailers; lower case, sorted. */
  authors(from: string | null, to: string, exclude: string, signal: AbortSignal): Promise<readonly string[]>;
  /** Full commit id of a tag, branch or id. @throws `ERR_GATE_SOURCE` */
  resolve(name: string, signal: AbortSignal): Promise<string>;
  /** A clean copy of the tree at `commit` in a temporary directory, gone when disposed. For mutation runs and drills. */
  checkout(commit: string, signal: AbortSignal): Promise<AsyncDisposable & { readonly path: string }>;
}

export interface SessionRequest {
  readonly gate: Gate;
  readonly revision: number;
  readonly author: string;
  readonly role: 'implementer' | 'reviewer' | 'milestone';
  readonly packet: string | null;
  readonly commands: readonly GateCommand[];
  /** Also mutation runs of gap-closing tests; recorded as a session of their own with role `mutation`. */
  readonly mutations: boolean;
}

/** Progress for people; never part of the records. */
export interface SessionObserver {
  onStart(command: GateCommand): void;
  onOutput(bytes: Uint8Array, stream: 'stdout' | 'stderr'): void;
  onEnd(command: GateCommand, run: CommandRun['runs'][number]): void;
}

export interface RunnerDeps {
  readonly log: GateLog;
  readonly tree: SourceTree;
  readonly signer: Signer;
  readonly clock: Clock;
  /** The environment of this process; commands get what the gate file passes of it. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** `null` where there is none: a command that asks for a profile is then not started. */
  readonly sandbox: SandboxedCommands | null;
}

/**
 * Runs one session: appends the `attempt`, runs the commands one after the other, keeps their outputs,
 * appends `command-run` with its `test-result` and `scan-result` records. On abort the command is
 * killed with all its descendants, recorded as `interrupted`, and what there is gets sealed.
 *
 * @throws `ERR_GATE_SOURCE` when there is no repository; a command that fails is a result, not an error
 */
export type RunSession = (
  deps: RunnerDeps,
  request: SessionRequest,
  observer: SessionObserver,
  signal: AbortSignal,
) => Promise<readonly RecordOf<'command-run'>[]>;
