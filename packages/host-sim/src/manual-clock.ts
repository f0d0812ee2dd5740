/** A clock that stands still until it is told otherwise. */
import type { Clock } from '@holdfast/core';

export class ManualClock implements Clock {
  #wallMs: number;
  #monotonicMs = 0;

  constructor(wallMs = Date.UTC(2026, 0, 1)) {
    this.#wallMs = wallMs;
  }

  wallMs(): number {
    return this.#wallMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  /** Time passes on both clocks. */
  advance(ms: number): void {
    if (!(ms >= 0)) throw new TypeError('time does not run backwards');
    this.#wallMs += ms;
    this.#monotonicMs += ms;
  }

  /** The wall clock is set; the other does not notice. */
  stepWall(toMs: number): void {
    this.#wallMs = toMs;
  }
}
