/**
 * The agent's health (C-30): seven counters, the state of what it depends on, and typed conditions
 * with the time since when they hold. Sent with each check-in and written to `health.json`, so that
 * the CLI, the API and the console show the same.
 */
import { type AgentHealth, COUNTERS } from '@holdfast/api';
import type { Clock } from '@holdfast/core';
import type { ClockJudgement } from './ports.ts';
import type { QueueStats } from './queue.ts';

export type Counter = (typeof COUNTERS)[number];
type ConditionSeverity = AgentHealth['conditions'][number]['severity'];

/** So many cycles in a row may fail before the agent calls itself failing. */
const MAX_FAILED_CYCLES = 3;
/** The schema's limits. */
const MAX_CODE_CHARS = 64;
const MAX_MESSAGE_CHARS = 500;

const instant = (wallMs: number): string => new Date(wallMs).toISOString();

const NO_STATS: QueueStats = {
  totalPending: 0,
  totalUploaded: 0,
  dead: 0,
  lost: 0,
  unreadable: 0,
  refused: 0,
  readyForRetry: 0,
  oldestPendingMs: null,
};

/** Collects what holds now. Never throws: telemetry must not stop what it tells about. */
export class HealthRegistry {
  server: AgentHealth['server'] = 'unknown';
  guard: AgentHealth['guard'] = 'unknown';
  clockJudgement: ClockJudgement = { status: 'unknown', offsetMs: null };

  readonly #clock: Clock;
  readonly #counters = Object.fromEntries(COUNTERS.map((name) => [name, 0])) as Record<Counter, number>;
  readonly #conditions = new Map<string, { severity: ConditionSeverity; sinceMs: number; message: string }>();
  #status: AgentHealth['status'] = 'starting';
  #sinceMs: number;
  #failedCycles = 0;
  #lastCycle: { endedMonotonicMs: number; tookMs: number } | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#sinceMs = clock.wallMs();
  }

  count(counter: Counter, by = 1): void {
    this.#counters[counter] += by;
  }

  /** Holds from now on, or on, when it held already. `code` may carry a subject: `flapping:services`. */
  raise(code: string, severity: ConditionSeverity, message: string): void {
    const key = code.slice(0, MAX_CODE_CHARS);
    const sinceMs = this.#conditions.get(key)?.sinceMs ?? this.#clock.wallMs();
    this.#conditions.set(key, { severity, sinceMs, message: message.slice(0, MAX_MESSAGE_CHARS) });
  }

  clear(code: string): void {
    this.#conditions.delete(code.slice(0, MAX_CODE_CHARS));
  }

  /** Raises when there is a message, clears when there is none. */
  set(code: string, severity: ConditionSeverity, message: string | null): void {
    if (message === null) this.clear(code);
    else this.raise(code, severity, message);
  }

  holds(code: string): boolean {
    return this.#conditions.has(code.slice(0, MAX_CODE_CHARS));
  }

  cycleEnded(ok: boolean, tookMs: number): void {
    this.#failedCycles = ok ? 0 : this.#failedCycles + 1;
    if (ok) this.count('loopsCompleted');
    this.#lastCycle = { endedMonotonicMs: this.#clock.monotonicMs(), tookMs };
  }

  snapshot(stats: QueueStats | null): AgentHealth {
    const queue = stats ?? NO_STATS;
    this.#judge();
    return {
      status: this.#status,
      since: instant(this.#sinceMs),
      lastCycleAgeMs: this.#lastCycle === null ? null : this.#clock.monotonicMs() - this.#lastCycle.endedMonotonicMs,
      lastCycleMs: this.#lastCycle?.tookMs ?? null,
      counters: { ...this.#counters },
      server: this.server,
      guard: this.guard,
      clock: { status: this.clockJudgement.status, offsetMs: this.clockJudgement.offsetMs },
      queue: {
        totalPending: queue.totalPending,
        totalUploaded: queue.totalUploaded,
        dead: queue.dead,
        stuck: queue.dead + queue.lost + queue.unreadable,
        readyForRetry: queue.readyForRetry,
        oldestPending: queue.oldestPendingMs === null ? null : instant(queue.oldestPendingMs),
      },
      conditions: [...this.#conditions]
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([code, { severity, sinceMs, message }]) => ({ code, severity, since: instant(sinceMs), message })),
    };
  }

  /** Unknown is not good: an agent that has not completed a cycle is starting, never healthy. */
  #judge(): void {
    const severities = new Set([...this.#conditions.values()].map(({ severity }) => severity));
    let status: AgentHealth['status'] = 'healthy';
    if (this.#lastCycle === null) status = 'starting';
    if (severities.has('warning') || this.#failedCycles > 0) status = 'degraded';
    if (severities.has('critical') || this.#failedCycles >= MAX_FAILED_CYCLES) status = 'failing';
    if (status === this.#status) return;
    this.#status = status;
    this.#sinceMs = this.#clock.wallMs();
  }
}
