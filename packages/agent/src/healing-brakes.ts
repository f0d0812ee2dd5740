/** The brakes of healing at work (C-25): the pure rules, fed from what the agent remembers, and shown in health. */
import { canonicalJson } from '@holdfast/core';
import { coolDownLeftMs, isFlapping, isRushing } from './brakes.ts';
import { type AttemptVerdict, type BreakerOptions, CircuitBreaker } from './circuit-breaker.ts';
import type { OpenRemediation } from './memory.ts';
import { type Moment, momentOf } from './ports.ts';
import type { Action, BookDeps } from './remediation-book.ts';

export interface BrakeOptions {
  readonly coolDownMs: number;
  readonly flapLimit: number;
  readonly healLimit: number;
  readonly breaker: BreakerOptions;
}

export type BrakeDeps = Pick<BookDeps, 'memory' | 'clock' | 'bootId' | 'health'>;

/** What tells two actions apart. */
export const keyOf = ({ operation, params }: Action): string => `${operation} ${canonicalJson(params)}`;

export class HealingBrakes {
  readonly #deps: BrakeDeps;
  readonly #options: BrakeOptions;
  readonly #breaker: CircuitBreaker;

  constructor(deps: BrakeDeps, options: BrakeOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#breaker = new CircuitBreaker(options.breaker);
  }

  isFlapping(check: string): boolean {
    return isFlapping(this.#deps.memory.moments('drift', check), this.#now(), this.#options.flapLimit);
  }

  /** C-24, C-25: whether the action has to wait for its window or its cool-down. */
  holdsBack(action: Action, { deferredUntilMs }: OpenRemediation): boolean {
    const { memory, clock } = this.#deps;
    if (deferredUntilMs !== null && clock.wallMs() < deferredUntilMs) return true;
    const key = keyOf(action);
    const last = memory.moments('last', key).at(-1) ?? null;
    return coolDownLeftMs(memory.moments('attempt', key), last, this.#now(), this.#options.coolDownMs) > 0;
  }

  /**
   * Whether a remediation may begin now; when it may, it counts from here on, and MUST be ended.
   * Nothing is awaited in between: of several at once none slips through.
   */
  begin(): boolean {
    const { memory, clock } = this.#deps;
    const isFree = !this.#isRushing() && this.#breaker.begin(clock.monotonicMs());
    if (isFree) memory.note('remediation', '', this.#now());
    this.report();
    return isFree;
  }

  end(verdict: AttemptVerdict): void {
    this.#breaker.end(verdict, this.#deps.clock.monotonicMs());
    this.report();
  }

  /** Each attempt counts before it is made: one that kills the agent must not be repeated without end. */
  noteAttempt(action: Action): void {
    const { memory } = this.#deps;
    memory.note('attempt', keyOf(action), this.#now());
    memory.forgetMoments('last', keyOf(action));
    memory.note('last', keyOf(action), this.#now());
  }

  forgetAttempts(action: Action): void {
    this.#deps.memory.forgetMoments('attempt', keyOf(action));
  }

  /** Shows in health what stands still, and no longer what does not. */
  report(): void {
    const { health, clock } = this.#deps;
    const stopped = `${this.#options.healLimit} remediations within 10 minutes: all healing is stopped for 30 minutes`;
    health.set('healing-stopped', 'critical', this.#isRushing() ? stopped : null);
    const state = this.#breaker.state(clock.monotonicMs());
    if (state === 'closed') health.clear('circuit-breaker');
    else if (state === 'open') {
      health.raise('circuit-breaker', 'warning', 'healing failed again and again: the circuit breaker is open');
    } else {
      health.raise('circuit-breaker', 'info', 'the circuit breaker is half open: one remediation at a time is tried');
    }
  }

  #isRushing(): boolean {
    return isRushing(this.#deps.memory.moments('remediation', ''), this.#now(), this.#options.healLimit);
  }

  #now(): Moment {
    return momentOf(this.#deps.clock, this.#deps.bootId);
  }
}
