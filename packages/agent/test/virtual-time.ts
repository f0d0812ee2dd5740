/** Time that passes only when a test says so: clock and waits move together, no test sleeps. */
import { stat } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import type { Clock } from '@holdfast/core';
import type { Sleep } from '../src/ports.ts';

interface Timer {
  readonly atMs: number;
  readonly fire: () => void;
}

/** Promise chains in memory settle within one turn of the loop each; file reads take a few. */
const TURNS = 8;

export class VirtualTime {
  monotonicMs: number;
  wallMs: number;
  #timers: Timer[] = [];

  constructor(wallMs = Date.UTC(2026, 0, 5, 12)) {
    this.monotonicMs = 1_000_000;
    this.wallMs = wallMs;
  }

  readonly clock: Clock = { wallMs: () => Math.round(this.wallMs), monotonicMs: () => this.monotonicMs };

  readonly sleep: Sleep = (ms, signal) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const abort = (): void => {
      this.#timers = this.#timers.filter((entry) => entry !== timer);
      reject(signal.reason as Error);
    };
    const timer: Timer = {
      atMs: this.monotonicMs + ms,
      fire: () => {
        signal.removeEventListener('abort', abort);
        resolve();
      },
    };
    if (signal.aborted) abort();
    else {
      signal.addEventListener('abort', abort, { once: true });
      this.#timers.push(timer);
    }
    return promise;
  };

  /** Lets everything run that waits for nothing. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < TURNS; turn++) {
      await setImmediate();
      // A round trip through the thread pool: file reads begun before it have their answers after it.
      if (turn === TURNS / 2) await stat('/');
    }
  }

  /** Lets `ms` pass; every wait that ends meanwhile ends at its time, in order. */
  async advance(ms: number): Promise<void> {
    const target = this.monotonicMs + ms;
    for (;;) {
      await this.settle();
      const next = this.#timers.toSorted((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined || next.atMs > target) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#moveTo(next.atMs);
      next.fire();
    }
    this.#moveTo(target);
    await this.settle();
  }

  #moveTo(monotonicMs: number): void {
    const passed = Math.max(0, monotonicMs - this.monotonicMs);
    this.monotonicMs += passed;
    this.wallMs += passed;
  }
}

/** Waits for a condition that real I/O brings about; fails after 10 s. */
export async function eventually(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`not within 10 s: ${what}`);
    await setImmediate();
  }
}
