/**
 * Declared commands (`exec.<name>`) go through here (G-29, G-31): decision, durable intent and record,
 * the sandbox of their profile, one statement. Whatever goes wrong on the way, a command runs at most
 * once, never unconfined, and what was let in ends in exactly one statement, also across crashes.
 *
 * Commands run one at a time, in the order in which they were let in, beside changes.
 */
import type { CommandReport, GuardRequest } from '@holdfast/api';
import type { AuditLog } from '@holdfast/audit';
import type { ChangeEngine } from '@holdfast/change';
import { type BundleId, canonicalJson, type Clock, type ErrorCode, hasCode, isHoldfastError } from '@holdfast/core';
import { sha256Hex } from '@holdfast/crypto';
import type { Known } from '@holdfast/evidence';
import type { FileReader } from '@holdfast/host';
import { type Caller, type Command, decide, type Decision, type Policy, resolveArgv } from '@holdfast/policy';
import type { Sandbox, SandboxJob } from '@holdfast/sandbox';
import type { BaselineHolder } from '../baseline-holder.ts';
import type { Mutation, MutationDesk, Obstacle } from '../mutation-desk.ts';
import { refusalOf } from '../refuse.ts';
import type { EvidenceSealer } from '../sealing/evidence-sealer.ts';
import { draftOfCommand, encodeCircumstances, paramsDigestOf } from '../sealing/predicates.ts';
import type { CommandJournal, CommandRun, Ending, JournaledRun } from './command-journal.ts';
import { type Confined, type Output, runConfined } from './run-confined.ts';

/** Commands that wait for their turn; more are refused. */
const MAX_WAITING = 16;
/** Text of each stream that is redacted for the excerpt, which is shorter: a secret at its end is whole when it is looked for. */
const MAX_EXCERPT_SOURCE_BYTES = 16 * 1024;

/** Opens a connection to the spawner. @throws `ERR_SANDBOX_SPAWNER_GONE` */
export type ConnectSandbox = (signal: AbortSignal) => Promise<Sandbox>;

export interface CommandDeps {
  readonly journal: CommandJournal;
  readonly mutations: MutationDesk;
  readonly engine: ChangeEngine;
  readonly baseline: BaselineHolder;
  readonly audit: AuditLog;
  readonly sealer: EvidenceSealer;
  readonly files: FileReader;
  readonly clock: Clock;
  /** `null` on a host that runs no commands. */
  readonly connectSandbox: ConnectSandbox | null;
  /** Of the guard; a command gets of it what it names. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Called once the evidence of a run is durable, at least once. */
  readonly onSealed: (ended: EndedRun) => void;
  /** Told of what could not be written down. MUST NOT throw. */
  readonly onFault: (error: unknown) => void;
  readonly signal: AbortSignal;
}

export interface EndedRun {
  readonly run: CommandRun;
  readonly ending: Ending;
  /** `null` while its evidence could not be sealed. */
  readonly bundleId: BundleId | null;
}

const deny = (code: ErrorCode, reason: string): Obstacle => ({ code, outcome: 'deny', reason });

export const isCommand = (operation: string): boolean => operation.startsWith('exec.');

export class CommandDesk implements AsyncDisposable {
  readonly #deps: CommandDeps;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(deps: CommandDeps) {
    this.#deps = deps;
    this.#signal = AbortSignal.any([deps.signal, this.#stop.signal]);
  }

  /** A local caller asks for a command. Resolves when it ended. @throws the code of the refusal, or of what kept it from running */
  async request(
    policy: Policy | null,
    caller: Caller,
    request: Extract<GuardRequest, { kind: 'exec' }>,
    correlationId: string,
  ): Promise<CommandReport> {
    const { mutations, baseline } = this.#deps;
    const { operation, params } = request;
    const decision = decide(policy, { caller, operation, params });
    const { hash: baselineHash } = await baseline.current();
    const circumstances = { ...mutations.circumstances(policy, caller, decision, correlationId), baselineHash };
    const mutation: Mutation = { changeId: mutations.newId(), operation, params, circumstances };
    await mutations.limit(policy, caller, mutation);
    const obstacle = this.obstacleOf(policy, decision, mutation);
    if (obstacle !== null) await mutations.refuse(mutation, obstacle);
    await mutations.admit(caller, request, mutation);
    const { run, ending, bundleId, output } = await this.run(policy, mutation).catch(async (error: unknown) => {
      if (!hasCode(error, 'ERR_GUARD_STATE')) throw error;
      return mutations.refuse(mutation, { code: error.code, outcome: 'failed', reason: 'it could not be journaled' });
    });
    if (ending.state === null) throw refusalOf(ending.code ?? 'ERR_GUARD_INTERNAL');
    const { runId, argvDigest } = run;
    const [stdout, stderr] = [output.stdout, output.stderr].map((bytes) => Buffer.from(bytes).toString('base64'));
    const shown = { stdout: stdout ?? '', stderr: stderr ?? '' };
    return { ...ending.state, runId, operation, argvDigest, code: ending.code, shown, bundleId };
  }

  /** What stands between a decided command and its run; `null` when nothing does. */
  obstacleOf(policy: Policy | null, decision: Decision, { operation, params }: Mutation): Obstacle | null {
    const common = this.#deps.mutations.commonObstacleOf(decision);
    if (common !== null) return common;
    const command = policy?.commands.get(operation);
    if (command === undefined) return deny('ERR_CHANGE_OPERATION_UNKNOWN', 'the policy declares no such command');
    try {
      resolveArgv(command, params);
    } catch {
      return deny('ERR_COMMAND_PARAMS', 'the parameters do not fit the command');
    }
    if (this.#deps.connectSandbox === null) return deny('ERR_COMMAND_SIMULATED', 'a simulated host runs no commands');
    if (this.#waiting >= MAX_WAITING) return deny('ERR_SANDBOX_BUSY', 'too many commands wait for their turn');
    return null;
  }

  /**
   * Runs what was decided, once. Intent and decision are durable before it starts (P-19).
   *
   * @throws `ERR_GUARD_AUDIT_UNWRITABLE`, `ERR_GUARD_STATE` when they cannot be: nothing was run (P-22)
   */
  async run(policy: Policy | null, mutation: Mutation): Promise<EndedRun & { readonly output: Output }> {
    const { journal, mutations, onFault } = this.#deps;
    const { job, command } = planJob(policy, mutation, this.#deps.environment);
    const run: CommandRun = {
      runId: mutation.changeId,
      operation: mutation.operation,
      profile: job.profile.name,
      paramsDigest: paramsDigestOf(mutation.params),
      argvDigest: sha256Hex(canonicalJson(job.argv)),
      program: { path: command.path, sha256: await this.#digestOf(command.path) },
      started: this.#now(),
      circumstances: encodeCircumstances(mutation.circumstances),
    };
    try {
      journal.intend(run);
    } catch (error) {
      onFault(error);
      throw refusalOf('ERR_GUARD_STATE');
    }
    const { runId, argvDigest, profile } = run;
    try {
      await mutations.record('request.allowed', mutation, { runId, argvDigest, profile });
    } catch (error) {
      this.#forget(runId);
      throw error;
    }
    return this.#inTurn(async () => {
      const { ending, output } = await this.#confined(job, command);
      const ended: Ending = { ...ending, ended: this.#now() };
      this.#remember(runId, ended);
      await this.#recordEnd(mutation, run, ended);
      return { run, ending: ended, output, bundleId: await this.#seal({ run, ending: ended }, excerptOf(output)) };
    });
  }

  /** Whether the run is still to be proven. */
  find(runId: string): JournaledRun | undefined {
    return this.#deps.journal.find(runId);
  }

  /** After a restart: what was running was killed with the guard, is not run again, and is proven now. Call before `run`. */
  async recover(): Promise<void> {
    for (const { run, ending } of this.#deps.journal.list()) {
      if (ending !== null) continue;
      const reason = 'the guard ended between letting it in and its end';
      const code = 'ERR_COMMAND_INTERRUPTED';
      this.#remember(run.runId, { outcome: 'failed', state: null, code, reason, ended: this.#now() });
    }
    await this.sealPending();
  }

  /** Proves again what could not be proven, for the disk's sake. */
  async sealPending(): Promise<void> {
    for (const { run, ending } of this.#deps.journal.list()) {
      if (ending !== null) await this.#seal({ run, ending }, null); // the output was kept in memory only
    }
  }

  /** Kills what runs, and waits until it is proven. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('the guard stops'));
    await this.#last;
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    this.#waiting += 1;
    const before = this.#last;
    const turn = (async () => {
      await before;
      return work();
    })().finally(() => {
      this.#waiting -= 1;
    });
    this.#last = turn.catch(() => undefined); // its own caller is told
    return turn;
  }

  async #confined(job: SandboxJob, command: Command): Promise<Confined> {
    const { connectSandbox, engine } = this.#deps;
    const none = { stdout: new Uint8Array(), stderr: new Uint8Array() };
    const denied = (code: ErrorCode, reason: string): Confined => ({
      ending: { outcome: 'deny', state: null, code, reason },
      output: none,
    });
    if (engine.frozen) return denied('ERR_GUARD_FROZEN', 'the host was frozen while the command waited'); // G-19
    if (connectSandbox === null) return denied('ERR_COMMAND_SIMULATED', 'a simulated host runs no commands');
    return runConfined(connectSandbox, job, command.maxOutputBytes, this.#signal);
  }

  async #recordEnd(mutation: Mutation, { runId }: CommandRun, { outcome, code, reason }: Ending): Promise<void> {
    const { principal, correlationId, orderId } = mutation.circumstances;
    const detail = { runId, code, reason, correlationId, orderId };
    try {
      const subject = mutation.operation;
      await this.#deps.audit.append({ actor: principal, action: 'command.ended', subject, outcome, detail });
    } catch (error) {
      this.#deps.onFault(error); // its evidence waits for the same log
    }
  }

  async #seal({ run, ending }: { run: CommandRun; ending: Ending }, excerpt: string | null): Promise<BundleId | null> {
    const { runId } = run;
    try {
      // Exactly once, by the id that was drawn before it started (G-31).
      await this.#deps.sealer.seal(draftOfCommand(run, ending, excerpt), sha256Hex(runId));
      this.#deps.onSealed({ run, ending, bundleId: runId });
    } catch (error) {
      this.#deps.onFault(error);
      return null;
    }
    this.#forget(runId);
    return runId;
  }

  #remember(runId: BundleId, ending: Ending): void {
    try {
      this.#deps.journal.end(runId, ending);
    } catch (error) {
      this.#deps.onFault(error); // sealed below all the same; after a crash before that, as interrupted
    }
  }

  #forget(runId: BundleId): void {
    try {
      this.#deps.journal.remove(runId);
    } catch (error) {
      this.#deps.onFault(error); // sealing it again gives the same statement
    }
  }

  async #digestOf(path: string): Promise<Known<string>> {
    try {
      const state = await this.#deps.files.stat(path, this.#signal);
      if (state.kind !== 'missing' && state.sha256 !== null) return { value: state.sha256 };
      return { unknown: `not a regular file of the host: ${state.kind}` };
    } catch (error) {
      return { unknown: isHoldfastError(error) ? error.code : 'cannot be read' };
    }
  }

  #now(): string {
    return new Date(this.#deps.clock.wallMs()).toISOString();
  }
}

function planJob(
  policy: Policy | null,
  { operation, params }: Mutation,
  environment: CommandDeps['environment'],
): { job: SandboxJob; command: Command } {
  const command = policy?.commands.get(operation);
  const profile = policy?.profiles.get(command?.profile ?? '');
  if (command === undefined || profile === undefined) throw new TypeError('obstacleOf lets no such command through');
  const env = Object.fromEntries(
    command.env.flatMap((name) => {
      const value = environment[name];
      return value === undefined ? [] : [[name, value] as const];
    }),
  );
  const { cwd, timeoutMs } = command;
  return { job: { profile, argv: resolveArgv(command, params), cwd, env, timeoutMs }, command };
}

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes.subarray(0, MAX_EXCERPT_SOURCE_BYTES)).toString();

/** Standard error first: it says what went wrong. */
function excerptOf({ stdout, stderr }: Output): string | null {
  if (stdout.length + stderr.length === 0) return null;
  return stderr.length === 0 ? textOf(stdout) : `${textOf(stderr)}\n--- standard output ---\n${textOf(stdout)}`;
}
