/**
 * The circuit breaker of healing (C-25): so many failures in a row and nothing is tried for a while;
 * then one attempt at a time, until enough of them succeed in a row. Pure but for what it remembers:
 * times are arguments, monotonic. A restart of the agent closes it; the cool-downs stay.
 */
export interface BreakerOptions {
  /** Failures in a row that open it. */
  readonly failures: number;
  /** How long it is open. */
  readonly openMs: number;
  /** Successes in a row that close it. */
  readonly successes: number;
}

/** `none`: the attempt showed neither, such as one that was deferred. */
export type AttemptVerdict = 'success' | 'failure' | 'none';

export class CircuitBreaker {
  readonly #options: BreakerOptions;
  #failures = 0;
  #successes = 0;
  /** When it opened last; `null` while it is closed. */
  #openedMs: number | null = null;
  #isTrying = false;

  constructor(options: BreakerOptions) {
    this.#options = options;
  }

  state(nowMs: number): 'closed' | 'open' | 'half-open' {
    if (this.#openedMs === null) return 'closed';
    return nowMs - this.#openedMs < this.#options.openMs ? 'open' : 'half-open';
  }

  /** Whether an attempt may begin now. One that may MUST be ended with `end`. */
  begin(nowMs: number): boolean {
    const state = this.state(nowMs);
    if (state === 'closed') return true;
    if (state === 'open' || this.#isTrying) return false;
    this.#isTrying = true;
    return true;
  }

  end(verdict: AttemptVerdict, nowMs: number): void {
    this.#isTrying = false;
    if (verdict === 'failure') {
      this.#failures += 1;
      this.#successes = 0;
      if (this.#openedMs !== null || this.#failures >= this.#options.failures) this.#openedMs = nowMs;
    } else if (verdict === 'success') {
      this.#failures = 0;
      if (this.#openedMs === null) return;
      this.#successes += 1;
      if (this.#successes < this.#options.successes) return;
      this.#openedMs = null;
      this.#successes = 0;
    }
  }
}
