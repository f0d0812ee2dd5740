/**
 * Mends what a check found, through the guard, one change per distinct action (C-18…C-26): only what
 * the baseline lets be mended without asking, within the brakes, and counted as fixed only once the
 * check was run again and passes (C-19).
 */
import type { ChangeReport } from '@holdfast/api';
import { hasCode, isHoldfastError, isInsideWindow, type MaintenanceWindow, nextWindowStart } from '@holdfast/core';
import type { CheckResult } from '@holdfast/compliance';
import type { AttemptVerdict } from './circuit-breaker.ts';
import { confirmWhenSafe, type ConfirmationDeps } from './confirmation.ts';
import { loggable } from './agent-log.ts';
import { type BrakeOptions, HealingBrakes, keyOf } from './healing-brakes.ts';
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

export interface HealerOptions extends BrakeOptions {
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

/** How one remediation went. */
interface Conclusion {
  /** Whether the host was changed. */
  readonly changed: boolean;
  readonly verdict: AttemptVerdict;
}

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
  readonly #brakes: HealingBrakes;

  constructor(deps: HealerDeps, options: HealerOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#brakes = new HealingBrakes(deps, options);
  }

  /** Shows in health which brakes hold; they let go by the passing of time. */
  reportBrakes(): void {
    this.#brakes.report();
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
    const { book, health, clock } = this.#deps;
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
    if (this.#brakes.isFlapping(result.check)) {
      // C-25: it is mended again and again and does not stay so; somebody or something works against us.
      health.raise(`flapping:${result.check}`, 'critical', 'drifts again and again: healing is suspended for an hour');
      this.#alert(remediation, 'it drifts again and again');
      return false;
    }
    health.clear(`flapping:${result.check}`);
    const isWindowOnly = policy === 'window-only';
    if (isWindowOnly && mayDisrupt && !isInsideWindow(this.#options.window, clock.wallMs())) {
      return this.#postpone(remediation, actions, signal);
    }
    const ready: Action[] = [];
    for (const action of actions) {
      if (!mayDisrupt && (isWindowOnly || run.isDisruptive(action.operation))) {
        // P-10: without a sane clock nobody knows whether the window is open.
        this.#alert(remediation, 'no disruptive work while the clock or the queue is not sane');
      } else if (this.#brakes.holdsBack(action, remediation)) {
        this.#wait(remediation, action);
      } else {
        ready.push(action);
      }
    }
    const [first] = ready;
    if (first === undefined) return false;
    if (!this.#brakes.begin()) {
      this.#wait(remediation, first);
      return false;
    }
    let verdict: AttemptVerdict = 'none';
    try {
      const conclusion = await this.#apply(remediation, ready, signal);
      ({ verdict } = conclusion);
      return conclusion.changed;
    } finally {
      this.#brakes.end(verdict);
    }
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

  #wait(remediation: OpenRemediation, { operation }: Action): void {
    if (remediation.state === 'detected') this.#deps.book.move(remediation, 'waiting', { operation });
  }

  /**
   * C-24, C-26: out of the window nothing is done. The guard is asked once, for when the window
   * opens, and what it answers is evidence that this was deferred; after that it is remembered.
   */
  async #postpone(opened: OpenRemediation, actions: readonly Action[], signal: AbortSignal): Promise<boolean> {
    const { book, clock, health } = this.#deps;
    const deferredUntilMs = nextWindowStart(this.#options.window, clock.wallMs());
    if (opened.state === 'deferred') {
      book.move(opened, 'deferred', { deferredUntilMs });
      return false;
    }
    let remediation = opened;
    const changes: ChangeReport[] = [];
    const wasReachable = health.server === 'reachable';
    for (const action of actions.filter((entry) => !this.#brakes.holdsBack(entry, opened))) {
      const asked = await this.#ask(remediation, action, deferredUntilMs, signal);
      ({ remediation } = asked);
      if (asked.change === null) this.#brakes.noteAttempt(action); // refused: not to be asked in each cycle
      else changes.push(asked.change);
    }
    return (await this.#conclude(remediation, changes, wasReachable, signal)).changed;
  }

  async #apply(opened: OpenRemediation, actions: readonly Action[], signal: AbortSignal): Promise<Conclusion> {
    const { book, health } = this.#deps;
    const wasReachable = health.server === 'reachable';
    let remediation = opened;
    const changes: ChangeReport[] = [];
    let hasFailed = false;
    for (const action of actions) {
      remediation = book.move(remediation, 'applying', { operation: action.operation, deferredUntilMs: null });
      this.#brakes.noteAttempt(action);
      health.count('remediationsAttempted');
      const asked = await this.#ask(remediation, action, null, signal);
      ({ remediation } = asked);
      hasFailed ||= remediation.state === 'failed';
      if (asked.change !== null) changes.push(asked.change);
    }
    const conclusion = await this.#conclude(remediation, changes, wasReachable, signal);
    return hasFailed ? { ...conclusion, verdict: 'failure' } : conclusion;
  }

  /** Asks the guard for one change. @returns no change when it refused; the remediation says so */
  async #ask(
    remediation: OpenRemediation,
    action: Action,
    notBeforeMs: number | null,
    signal: AbortSignal,
  ): Promise<{ remediation: OpenRemediation; change: ChangeReport | null }> {
    const { guard, book, health, log } = this.#deps;
    const { check, remediationId } = remediation;
    const ended = (state: RemediationState) => ({ remediation: book.move(remediation, state), change: null });
    try {
      const change = await guard.request({ ...action, check, remediationId, notBeforeMs }, signal);
      if (change.bundleId !== null) health.count('evidenceGenerated');
      return { remediation, change };
    } catch (error) {
      signal.throwIfAborted();
      log.warn({ ...loggable(error), check, operation: action.operation }, 'healing refused');
      // The connection broke: what became of it is asked before anything is asked for again.
      if (hasCode(error, 'ERR_GUARD_UNREACHABLE')) throw error;
      if (hasCode(error, 'ERR_GUARD_APPROVAL_REQUIRED')) return ended('waiting');
      // A refusal by the guard is its policy: a person has to look. Anything else may pass by itself.
      if (!isHoldfastError(error) || error.remedy === 'retry') return ended('failed');
      return { remediation: this.#alert(remediation, 'the guard refuses this'), change: null };
    }
  }

  async #conclude(
    opened: OpenRemediation,
    changes: readonly ChangeReport[],
    wasReachable: boolean,
    signal: AbortSignal,
  ): Promise<Conclusion> {
    const { book, health } = this.#deps;
    let remediation = opened;
    const waiting = changes.filter((change) => change.state === 'awaiting-confirmation');
    const [firstWaiting] = waiting;
    if (firstWaiting !== undefined)
      remediation = book.move(remediation, remediation.state, { changeId: firstWaiting.changeId });
    const unhappy = changes.find((change) => change.outcome !== null && change.outcome !== 'committed');
    if (unhappy !== undefined) remediation = this.#giveUp(remediation, unhappy);
    const done = changes.filter((change) => change.outcome === 'committed' || change.state === 'awaiting-confirmation');
    const isFailed = unhappy !== undefined && unhappy.outcome !== 'deferred';
    const verdict = isFailed ? 'failure' : 'none';
    if (done.length === 0) return { changed: false, verdict };
    if (unhappy === undefined) remediation = book.move(remediation, 'verifying');

    const limits = waiting.map((change) => (change.confirmWithinMs ?? 0) * RECHECK_PART);
    const passed = await this.#recheck(remediation.check, Math.min(this.#options.recheckMs, ...limits), signal);
    if (passed === null) {
      // Changes that await confirmation are left to the guard, which takes them back.
      if (waiting.length === 0 && unhappy === undefined) book.move(remediation, 'failed');
      return { changed: true, verdict: 'failure' };
    }
    for (const change of waiting) {
      remediation = book.move(remediation, 'confirming', { operation: change.operation });
      const ended = await this.#confirm(change, wasReachable, signal);
      if (ended?.outcome !== 'committed') return { changed: true, verdict: 'failure' };
    }
    remediation = book.move(remediation, remediation.state, { changeId: null });
    await sealResult(passed, remediation.remediationId, this.#deps, signal);
    health.count('remediationsSuccessful');
    for (const change of done) this.#brakes.forgetAttempts(change);
    book.observe(passed); // C-19: only here does it become `fixed`
    return { changed: true, verdict: 'success' };
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
