/**
 * Mends what a check found, through the guard, one change per distinct action (C-18…C-26): only what
 * the baseline lets be mended without asking, within the brakes, and counted as fixed only once the
 * check was run again and passes (C-19).
 */
import type { ChangeReport } from '@holdfast/api';
import { canonicalJson, hasCode, isHoldfastError, type MaintenanceWindow, nextWindowStart } from '@holdfast/core';
import type { CheckResult } from '@holdfast/compliance';
import { coolDownLeftMs, isFlapping } from './brakes.ts';
import { confirmWhenSafe, type ConfirmationDeps } from './confirmation.ts';
import { loggable } from './agent-log.ts';
import type { OpenRemediation, RemediationState } from './memory.ts';
import { ageMs, type AgentLog, type Checks, type CheckRun, type GuardPort, momentOf } from './ports.ts';
import type { Action, BookDeps, RemediationBook } from './remediation-book.ts';
import { type SealerDeps, sealResult } from './sealer.ts';

/** Between two looks at a check that is to pass again. */
const RECHECK_INTERVAL_MS = 2_000;
/** Part of the time to confirm that re-checking may take; the rest is for the server and the confirmation. */
const RECHECK_PART = 0.5;
const CHANGES_LIMIT = 100;

export interface HealerDeps extends BookDeps, Omit<SealerDeps, 'guard'>, Omit<ConfirmationDeps, 'guard'> {
  readonly guard: Pick<GuardPort, 'request' | 'confirm' | 'changes' | 'seal'>;
  readonly checks: Pick<Checks, 'run'>;
  readonly book: RemediationBook;
  readonly log: AgentLog;
}

export interface HealerOptions {
  readonly coolDownMs: number;
  readonly flapLimit: number;
  readonly recheckMs: number;
  readonly window: MaintenanceWindow;
}

const ENDED: Record<NonNullable<ChangeReport['outcome']>, RemediationState> = {
  committed: 'verifying',
  reverted: 'reverted',
  failed: 'failed',
  deferred: 'deferred',
  alert: 'alert',
  frozen: 'alert',
};

/** States in which a change may be under way at the guard. */
const WITH_GUARD: ReadonlySet<RemediationState> = new Set(['applying', 'verifying', 'confirming']);

const keyOf = ({ operation, params }: Action): string => `${operation} ${canonicalJson(params)}`;

/** The distinct actions the failing findings ask for, in their order. */
function listActions(result: CheckResult): Action[] {
  const actions = new Map<string, Action>();
  for (const { status, remediation } of result.findings) {
    if (status !== 'fail' || remediation === null) continue;
    const action = { operation: remediation.operation, params: remediation.params };
    if (!actions.has(keyOf(action))) actions.set(keyOf(action), action);
  }
  return [...actions.values()];
}

export class Healer {
  readonly #deps: HealerDeps;
  readonly #options: HealerOptions;

  constructor(deps: HealerDeps, options: HealerOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /**
   * Deals with one failing check.
   *
   * @returns whether anything was changed on the host
   */
  async heal(
    result: CheckResult,
    remediation: OpenRemediation,
    run: CheckRun,
    mayDisrupt: boolean,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { book, health, memory, clock, bootId } = this.#deps;
    if (remediation.changeId !== null) return false; // still with the guard, see `resume`
    const actions = listActions(result);
    const policy = run.policyOf(result.check);
    if (policy === 'ask' && actions.length > 0) {
      book.move(remediation, 'waiting');
      return false;
    }
    if (policy === 'never' || actions.length === 0) {
      this.#alert(remediation, 'nothing mends this without a person');
      return false;
    }
    const now = momentOf(clock, bootId);
    if (isFlapping(memory.moments('drift', result.check), now, this.#options.flapLimit)) {
      // C-25: it is mended again and again and does not stay so; somebody or something works against us.
      health.raise(`flapping:${result.check}`, 'critical', 'drifts again and again: healing is suspended for an hour');
      this.#alert(remediation, 'it drifts again and again');
      return false;
    }
    health.clear(`flapping:${result.check}`);
    const ready: Action[] = [];
    for (const action of actions) {
      if (!mayDisrupt && run.isDisruptive(action.operation)) {
        // P-10: without a sane clock nobody knows whether the window is open.
        this.#alert(remediation, 'no disruptive work while the clock or the queue is not sane');
      } else if (this.#isBraked(action, remediation)) {
        if (remediation.state === 'detected') book.move(remediation, 'waiting', { operation: action.operation });
      } else {
        ready.push(action);
      }
    }
    if (ready.length === 0) return false;
    return this.#apply(remediation, ready, signal);
  }

  /** Learns what became of changes that were with the guard when this or an earlier agent last looked. */
  async resume(signal: AbortSignal): Promise<void> {
    const { guard, memory } = this.#deps;
    const open = memory.remediations().filter(({ changeId, state }) => changeId !== null || WITH_GUARD.has(state));
    if (open.length === 0) return;
    const changes = await guard.changes(CHANGES_LIMIT, signal);
    for (const remediation of open) {
      await this.#resumeOne(
        remediation,
        changes.filter(({ remediationId }) => remediationId === remediation.remediationId),
        signal,
      );
    }
  }

  async #resumeOne(opened: OpenRemediation, changes: readonly ChangeReport[], signal: AbortSignal): Promise<void> {
    const { book } = this.#deps;
    const awaiting = changes.filter(({ state }) => state === 'awaiting-confirmation');
    const running = changes.find(({ outcome }) => outcome === null);
    if (awaiting.length > 0) {
      // Whether the server could be reached before is forgotten: then it must be reachable now.
      await this.#conclude(opened, awaiting, true, signal);
    } else if (running !== undefined) {
      book.move(opened, opened.state, { changeId: running.changeId });
    } else {
      const ended = changes.find(({ changeId }) => changeId === opened.changeId) ?? changes[0];
      book.move(opened, ended === undefined ? 'failed' : ENDED[ended.outcome ?? 'failed'], { changeId: null });
    }
  }

  #alert(remediation: OpenRemediation, why: string): OpenRemediation {
    this.#deps.health.raise(`needs-person:${remediation.check}`, 'warning', why);
    return this.#deps.book.move(remediation, 'alert');
  }

  /** C-24, C-25. */
  #isBraked(action: Action, { deferredUntilMs }: OpenRemediation): boolean {
    const { memory, clock, bootId } = this.#deps;
    if (deferredUntilMs !== null && clock.wallMs() < deferredUntilMs) return true;
    const key = keyOf(action);
    const last = memory.moments('last', key).at(-1) ?? null;
    const now = momentOf(clock, bootId);
    return coolDownLeftMs(memory.moments('attempt', key), last, now, this.#options.coolDownMs) > 0;
  }

  async #apply(opened: OpenRemediation, actions: readonly Action[], signal: AbortSignal): Promise<boolean> {
    const { guard, book, health, log } = this.#deps;
    const wasReachable = health.server === 'reachable';
    let remediation = opened;
    const changes: ChangeReport[] = [];
    for (const action of actions) {
      remediation = book.move(remediation, 'applying', { operation: action.operation, deferredUntilMs: null });
      this.#noteAttempt(action);
      health.count('remediationsAttempted');
      try {
        const { check, remediationId } = remediation;
        changes.push(await guard.request({ ...action, check, remediationId }, signal));
      } catch (error) {
        signal.throwIfAborted();
        log.warn({ ...loggable(error), check: remediation.check, operation: action.operation }, 'healing refused');
        // The connection broke: what became of it is asked before anything is asked for again.
        if (hasCode(error, 'ERR_GUARD_UNREACHABLE')) throw error;
        if (hasCode(error, 'ERR_GUARD_APPROVAL_REQUIRED')) remediation = book.move(remediation, 'waiting');
        // A refusal by the guard is its policy: a person has to look. Anything else may pass by itself.
        else if (isHoldfastError(error) && error.remedy !== 'retry') this.#alert(remediation, 'the guard refuses this');
        else remediation = book.move(remediation, 'failed');
      }
    }
    for (const change of changes) if (change.bundleId !== null) health.count('evidenceGenerated');
    return this.#conclude(remediation, changes, wasReachable, signal);
  }

  /** Each attempt counts before it is made: one that kills the agent must not be repeated without end. */
  #noteAttempt(action: Action): void {
    const { memory, clock, bootId } = this.#deps;
    const now = momentOf(clock, bootId);
    memory.note('attempt', keyOf(action), now);
    memory.forgetMoments('last', keyOf(action));
    memory.note('last', keyOf(action), now);
  }

  /** @returns whether the host was changed */
  async #conclude(
    opened: OpenRemediation,
    changes: readonly ChangeReport[],
    wasReachable: boolean,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { book, health, memory } = this.#deps;
    let remediation = opened;
    const waiting = changes.filter((change) => change.state === 'awaiting-confirmation');
    const [firstWaiting] = waiting;
    if (firstWaiting !== undefined)
      remediation = book.move(remediation, remediation.state, { changeId: firstWaiting.changeId });
    const unhappy = changes.find((change) => change.outcome !== null && change.outcome !== 'committed');
    if (unhappy !== undefined) remediation = this.#giveUp(remediation, unhappy);
    const done = changes.filter((change) => change.outcome === 'committed' || change.state === 'awaiting-confirmation');
    if (done.length === 0) return false;
    if (unhappy === undefined) remediation = book.move(remediation, 'verifying');

    const limits = waiting.map((change) => (change.confirmWithinMs ?? 0) * RECHECK_PART);
    const passed = await this.#recheck(remediation.check, Math.min(this.#options.recheckMs, ...limits), signal);
    if (passed === null) {
      // Changes that await confirmation are left to the guard, which takes them back.
      if (waiting.length === 0 && unhappy === undefined) book.move(remediation, 'failed');
      return true;
    }
    for (const change of waiting) {
      remediation = book.move(remediation, 'confirming', { operation: change.operation });
      const ended = await this.#confirm(change, wasReachable, signal);
      if (ended?.outcome !== 'committed') return true;
    }
    remediation = book.move(remediation, remediation.state, { changeId: null });
    await sealResult(passed, remediation.remediationId, this.#deps, signal);
    health.count('remediationsSuccessful');
    for (const change of done) memory.forgetMoments('attempt', keyOf(change));
    book.observe(passed); // C-19: only here does it become `fixed`
    return true;
  }

  /** A change that ended otherwise than committed. */
  #giveUp(opened: OpenRemediation, { outcome, operation }: ChangeReport): OpenRemediation {
    const { book, clock } = this.#deps;
    const state = ENDED[outcome ?? 'failed'];
    if (state === 'alert') return this.#alert(opened, 'the change needs a person');
    // C-24: deferred once, remembered, asked for again when the window opens.
    const deferredUntilMs = state === 'deferred' ? nextWindowStart(this.#options.window, clock.wallMs()) : null;
    return book.move(opened, state, { deferredUntilMs, operation });
  }

  async #confirm(change: ChangeReport, wasReachable: boolean, signal: AbortSignal): Promise<ChangeReport | null> {
    try {
      return await confirmWhenSafe(change, wasReachable, this.#deps, signal);
    } catch (error) {
      signal.throwIfAborted();
      // Confirmed or not is learned from the guard's list in the next cycle.
      this.#deps.log.warn({ ...loggable(error), operation: change.operation }, 'confirmation failed');
      return null;
    }
  }

  /**
   * Runs one check again until it passes or the time is over; a failing last look is sealed too.
   *
   * @returns the passing result, or `null`
   */
  async #recheck(check: string, timeoutMs: number, signal: AbortSignal): Promise<CheckResult | null> {
    const { checks, clock, sleep, bootId, memory, log } = this.#deps;
    const started = momentOf(clock, bootId);
    for (;;) {
      const result = (await checks.run([check], signal)).results.find((entry) => entry.check === check);
      if (result?.status === 'pass' || result?.status === 'excepted') return result;
      if (ageMs(started, momentOf(clock, bootId)) + RECHECK_INTERVAL_MS >= timeoutMs) {
        const remediationId = memory.remediation(check)?.remediationId ?? null;
        if (result !== undefined) {
          await sealResult(result, remediationId, this.#deps, signal).catch((error: unknown) => {
            signal.throwIfAborted();
            log.warn({ ...loggable(error), check }, 'evidence of a re-check not sealed');
          });
        }
        return null;
      }
      await sleep(RECHECK_INTERVAL_MS, signal);
    }
  }
}
