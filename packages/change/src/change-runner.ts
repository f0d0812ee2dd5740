/**
 * Carries one change through its states: capture, apply, verify, commit or revert (P-12, P-13).
 *
 * Every move is one durable journal write made before the next thing is done to the host, so that
 * whoever reads the journal after a crash knows which of "nothing", "anything" and "all" happened.
 * It knows nothing of other changes: queueing, waiting and sealing are the engine's.
 */
import { type Clock, HoldfastError, isHoldfastError, type JsonObject } from '@holdfast/core';
import type { Action } from '@holdfast/evidence';
import type { Host } from '@holdfast/host';
import type { ChangeJournal } from './change-journal.ts';
import type { BootInstant, ChangeEntry, ChangeError } from './change-record.ts';
import { type ChangeEvent, nextState } from './change-state.ts';
import type { AnyOperation, ChangeOutcome, Step, Verification } from './operation.ts';
import { readOnlyHost, recordingHost } from './watched-host.ts';

export interface RunnerDeps {
  readonly host: Host;
  readonly journal: ChangeJournal;
  readonly clock: Clock;
  readonly bootId: string;
}

export interface RunnerOptions {
  /** For planning and capturing together. */
  readonly captureTimeoutMs: number;
  readonly applyTimeoutMs: number;
  readonly verifyTimeoutMs: number;
  /** For each attempt to revert. */
  readonly revertTimeoutMs: number;
}

/** A revert that fails once may have met a busy unit or lock; one that fails three times needs a person. */
const MAX_REVERT_ATTEMPTS = 3;

/** Where every part of an operation that must not be called off gets its signal from. */
const never = new AbortController().signal;

type Look =
  | { settled: { outcome: ChangeOutcome } & Partial<ChangeEntry> }
  | { planned: readonly Step[]; captured: ChangeEntry['captured'] };

export class ChangeRunner {
  readonly #deps: RunnerDeps;
  readonly #options: RunnerOptions;

  constructor(deps: RunnerDeps, options: RunnerOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /**
   * Carries out a change that is `intended`.
   *
   * @returns the entry as journaled: `ended` or `awaiting-confirmation`
   * @throws `ERR_CHANGE_JOURNAL` when the journal failed; what is on disk then decides at recovery
   */
  async start(intended: ChangeEntry, operation: AnyOperation, signal: AbortSignal): Promise<ChangeEntry> {
    const started = { ...intended, startedAt: this.#now() };
    const look = await this.#look(started, operation, signal);
    if ('settled' in look) return this.#move(started, 'settled', look.settled);
    // P-12: what revert needs is on disk before anything is changed.
    const applying = await this.#move(started, 'captured', look);
    const { steps, error } = await this.#apply(applying, operation, signal);
    if (error !== null) return this.#undo({ ...applying, steps }, operation, error);
    const confirmBy = this.#deadline(operation);
    let verifying: ChangeEntry;
    try {
      verifying = await this.#move(applying, 'applied', { steps, confirmBy });
    } catch {
      // The mark may be missing on disk; reverting is right whether it is or not.
      return this.#undo({ ...applying, steps }, operation, JOURNAL_FAILED);
    }
    return this.#decide(verifying, operation, signal);
  }

  /**
   * Brings a change that was interrupted while `applying`, `verifying`, `awaiting-confirmation` or
   * `reverting` to where it is `ended`, or awaits confirmation with time left. May itself be killed
   * and run again.
   *
   * @param operation `undefined` when the host no longer has it
   */
  async resume(entry: ChangeEntry, operation: AnyOperation | undefined): Promise<ChangeEntry> {
    if (operation === undefined) {
      const reverting = entry.state === 'reverting' ? entry : await this.#move(entry, 'given-up', {});
      return this.#move(reverting, 'stuck', {
        outcome: 'frozen',
        error: { code: 'ERR_CHANGE_OPERATION_UNKNOWN', message: 'the operation to revert is not known any more' },
      });
    }
    switch (entry.state) {
      case 'applying':
        return this.#undo(entry, operation, INTERRUPTED);
      case 'verifying':
        if (this.isPastDeadline(entry)) return this.#undo(entry, operation, NOT_CONFIRMED);
        return this.#decide(entry, operation, never);
      case 'awaiting-confirmation': {
        if (this.isPastDeadline(entry)) return this.#undo(entry, operation, NOT_CONFIRMED);
        // Between the crash and now somebody may have changed the host: it waits on only what still holds.
        const { error, verification } = await this.#verify(entry, operation, never);
        return error === null ? entry : this.#undo({ ...entry, verification }, operation, error);
      }
      case 'reverting':
        return this.#revert(entry, operation);
      case 'intended':
      case 'ended':
        break;
    }
    throw new TypeError(`a change that is ${entry.state} has nothing to resume`);
  }

  /** Keeps a change that awaits confirmation. */
  async confirm(entry: ChangeEntry): Promise<ChangeEntry> {
    return this.#move(entry, 'confirmed', { outcome: 'committed' });
  }

  /** Reverts a change that awaits confirmation. */
  async revert(entry: ChangeEntry, operation: AnyOperation, error: ChangeError): Promise<ChangeEntry> {
    return this.#undo(entry, operation, error);
  }

  /** Ends a change that is still `intended`: nothing was changed. */
  async refuse(entry: ChangeEntry, error: ChangeError): Promise<ChangeEntry> {
    return this.#move(entry, 'settled', { outcome: 'failed', error });
  }

  /** What the operation would do now, on a host that it can only look at (P-17). */
  async plan(operation: AnyOperation, params: JsonObject, signal: AbortSignal): Promise<readonly Step[]> {
    return limited(this.#options.captureTimeoutMs, signal, (limit) =>
      operation.plan(params, readOnlyHost(this.#deps.host), limit),
    );
  }

  /** P-15: in another boot, or at the deadline, nobody can confirm any more. */
  isPastDeadline({ confirmBy }: ChangeEntry): boolean {
    if (confirmBy === null) return false;
    return confirmBy.bootId !== this.#deps.bootId || this.#deps.clock.monotonicMs() >= confirmBy.monotonicMs;
  }

  async #look(entry: ChangeEntry, operation: AnyOperation, signal: AbortSignal): Promise<Look> {
    const { captureTimeoutMs } = this.#options;
    const eyes = readOnlyHost(this.#deps.host);
    try {
      const planned = await limited(captureTimeoutMs, signal, (limit) => operation.plan(entry.params, eyes, limit));
      if (planned.length > 0) {
        const captured = await limited(captureTimeoutMs, signal, (limit) =>
          operation.capture(entry.params, eyes, limit),
        );
        return { planned, captured };
      }
    } catch (cause) {
      return { settled: { outcome: 'failed', error: toChangeError(cause, signal) } };
    }
    // P-16: nothing to do. It counts as done only if the effect is really there.
    const { error, verification } = await this.#verify(entry, operation, signal);
    return { settled: { outcome: error === null ? 'committed' : 'failed', error, verification } };
  }

  async #apply(entry: ChangeEntry, operation: AnyOperation, signal: AbortSignal) {
    const { host, clock } = this.#deps;
    const startedAt = this.#now();
    const startedMs = clock.monotonicMs();
    let steps: readonly Action[] = [];
    try {
      await limited(this.#options.applyTimeoutMs, signal, async (limit) => {
        const recorder = recordingHost(host, { clock, signal: limit, firstStep: 0, phase: '' });
        steps = recorder.steps;
        await operation.apply(entry.params, recorder.host, limit);
        limit.throwIfAborted();
      });
    } catch (cause) {
      return { steps, error: toChangeError(cause, signal) };
    }
    // An operation whose effect does not pass through the ports has only its plan to show.
    if (steps.length === 0) steps = plannedSteps(entry.planned, startedAt, clock.monotonicMs() - startedMs);
    return { steps, error: null };
  }

  /** From `verifying`: on if the effect is there, back if it is not. */
  async #decide(entry: ChangeEntry, operation: AnyOperation, signal: AbortSignal): Promise<ChangeEntry> {
    const { error, verification } = await this.#verify(entry, operation, signal);
    if (error !== null) return this.#undo({ ...entry, verification }, operation, error);
    if (entry.confirmBy === null) return this.#move(entry, 'held', { verification, outcome: 'committed' });
    try {
      return await this.#move(entry, 'provisional', { verification });
    } catch {
      // What nobody can be told to confirm must not stay. Found `awaiting` on disk, it is verified again.
      return this.#undo({ ...entry, verification }, operation, JOURNAL_FAILED);
    }
  }

  async #verify(entry: ChangeEntry, operation: AnyOperation, signal: AbortSignal) {
    let verification: Verification | null = null;
    try {
      verification = await limited(this.#options.verifyTimeoutMs, signal, (limit) =>
        operation.verify(entry.params, readOnlyHost(this.#deps.host), limit),
      );
      // "Good" without saying what was looked at is not known to be good.
      const isGood = verification.ok && verification.reasons.length > 0;
      return { verification, error: isGood ? null : NOT_VERIFIED };
    } catch (cause) {
      return { verification, error: toChangeError(cause, signal) };
    }
  }

  async #undo(entry: ChangeEntry, operation: AnyOperation, error: ChangeError): Promise<ChangeEntry> {
    let reverting: ChangeEntry = { ...entry, state: nextState(entry.state, 'given-up'), error };
    try {
      reverting = await this.#move(entry, 'given-up', { error });
    } catch {
      // The host matters more than the mark: recovery reverts from every state this can be found in.
    }
    return this.#revert(reverting, operation);
  }

  async #revert(entry: ChangeEntry, operation: AnyOperation): Promise<ChangeEntry> {
    const { host, clock } = this.#deps;
    const steps = [...entry.steps];
    for (let attempt = 1; attempt <= MAX_REVERT_ATTEMPTS; attempt += 1) {
      const firstStep = steps.length;
      let taken: readonly Action[] = [];
      const isReverted = await limited(this.#options.revertTimeoutMs, never, async (limit) => {
        const recorder = recordingHost(host, { clock, signal: limit, firstStep, phase: 'revert: ' });
        taken = recorder.steps;
        await operation.revert(entry.captured, recorder.host, limit);
        return true;
      }).catch(() => false); // why it failed is in the failed step; the outcome says that it did
      steps.push(...taken);
      if (isReverted) return this.#move(entry, 'reverted', { steps, outcome: 'reverted' });
    }
    const why = entry.error === null ? '' : `, after ${entry.error.code}`;
    const error = { code: 'ERR_CHANGE_REVERT_FAILED', message: `the change could not be reverted${why}` };
    return this.#move(entry, 'stuck', { steps, outcome: 'frozen', error });
  }

  /** One durable step in the life of a change. */
  async #move(entry: ChangeEntry, event: ChangeEvent, patch: Partial<ChangeEntry>): Promise<ChangeEntry> {
    const next: ChangeEntry = { ...entry, ...patch, state: nextState(entry.state, event) };
    const ended = next.state === 'ended' ? { endedAt: this.#now() } : {};
    // What revert needs may be secret: it goes when nobody reverts any more (P-12).
    const cleared = next.state === 'ended' && next.outcome !== 'frozen' ? { captured: null } : {};
    const moved = { ...next, ...ended, ...cleared };
    await this.#deps.journal.replace(moved);
    return moved;
  }

  #deadline(operation: AnyOperation): BootInstant | null {
    if (operation.confirmWithinMs === undefined) return null;
    const { bootId, clock } = this.#deps;
    return { bootId, monotonicMs: clock.monotonicMs() + operation.confirmWithinMs };
  }

  #now(): string {
    return new Date(this.#deps.clock.wallMs()).toISOString();
  }
}

const INTERRUPTED = { code: 'ERR_CHANGE_INTERRUPTED', message: 'the change was interrupted while it was applied' };
const JOURNAL_FAILED = { code: 'ERR_CHANGE_JOURNAL', message: 'the change journal could not be written' };
const NOT_CONFIRMED = { code: 'ERR_CHANGE_NOT_CONFIRMED', message: 'the change was not confirmed in time' };
const NOT_VERIFIED = { code: 'ERR_CHANGE_NOT_VERIFIED', message: 'the wanted state is not there' };
export const CHANGE_NOT_CONFIRMED: ChangeError = NOT_CONFIRMED;

/** Runs `call` under a time limit and the caller's signal; waits for it to end, as its contract promises. */
async function limited<T>(
  timeoutMs: number,
  signal: AbortSignal,
  call: (limit: AbortSignal) => Promise<T>,
): Promise<T> {
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    const limit = AbortSignal.any([signal, timeout]);
    limit.throwIfAborted();
    return await call(limit);
  } catch (cause) {
    if (!signal.aborted && timeout.aborted) {
      throw new HoldfastError('a part of the change took too long', {
        code: 'ERR_CHANGE_TIMEOUT',
        fields: { timeoutMs },
        cause,
      });
    }
    throw cause;
  }
}

function toChangeError(cause: unknown, signal: AbortSignal): ChangeError {
  if (signal.aborted) return { code: 'ERR_CHANGE_ABORTED', message: 'the change was called off' };
  if (isHoldfastError(cause)) return { code: cause.code, message: cause.message };
  // The text of a stranger's error may hold anything; its class may not.
  const name = cause instanceof Error && /^[A-Za-z]{1,40}$/.test(cause.name) ? cause.name : 'value';
  return { code: 'ERR_CHANGE_OPERATION_FAILED', message: `the operation threw a ${name}` };
}

function plannedSteps(planned: readonly Step[], startedAt: string, durationMs: number): Action[] {
  return planned.slice(0, 200).map(({ action }, step) => ({
    step,
    action: action.slice(0, 300),
    argvDigest: null,
    exitCode: null,
    startedAt,
    durationMs: Math.max(0, durationMs),
    result: 'ok',
    stdoutDigest: null,
    stderrDigest: null,
    excerpt: null,
  }));
}
