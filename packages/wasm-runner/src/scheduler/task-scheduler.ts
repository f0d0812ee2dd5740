/**
 * Runs submitted tasks, so many at once, in the order of `TaskQueue`, again where `decideRetry` says
 * so. What passed every try, or had not ended when the service stopped, is a dead letter:
 * it can be looked at and submitted again. Nothing is kept beyond this process.
 */
import { type Clock, HoldfastError } from '@holdfast/core';
import { decideRetry } from './decide-retry.ts';
import { type TaskPriority, TaskQueue } from './task-queue.ts';

export interface SchedulerDeps<Task, Result> {
  /** MUST settle soon after `signal` aborts. */
  readonly run: (task: Task, signal: AbortSignal) => Promise<Result>;
  readonly clock: Clock;
  /** Calls `then` once after `delayMs`; the result cancels. */
  readonly after: (delayMs: number, then: () => void) => () => void;
}

export interface SchedulerOptions {
  readonly concurrency: number;
  /** Tasks that wait, for their turn or for their next try. */
  readonly maxWaiting: number;
  /** The oldest goes when another comes. */
  readonly maxDeadLetters: number;
}

/** What a drain may take. */
export const MAX_DRAIN_MS = 30_000;

export interface DeadLetter<Task> {
  readonly id: number;
  readonly task: Task;
  readonly priority: TaskPriority;
  readonly tries: number;
  readonly error: unknown;
}

interface Entry<Task, Result> {
  readonly id: number;
  readonly task: Task;
  readonly priority: TaskPriority;
  tries: number;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

export interface TaskScheduler<Task, Result> {
  /** Settles with the result of the try that counted. @throws `ERR_TASK_QUEUE_FULL`, `ERR_TASK_DRAINED`, and what `run` throws */
  submit(task: Task, priority: TaskPriority): Promise<Result>;
  /** Oldest first. */
  deadLetters(): readonly DeadLetter<Task>[];
  /** Takes it out and submits it anew, with all its tries. @throws `RangeError` when there is none with this id */
  requeue(id: number): Promise<Result>;
  readonly waiting: number;
  readonly running: number;
  /** Takes no more, finishes what it has, and after `graceMs` aborts and buries the rest. */
  drain(graceMs?: number): Promise<void>;
}

const drained = (): HoldfastError => new HoldfastError('the task service is stopping', { code: 'ERR_TASK_DRAINED' });

export function createTaskScheduler<Task, Result>(
  { run, clock, after }: SchedulerDeps<Task, Result>,
  { concurrency, maxWaiting, maxDeadLetters }: SchedulerOptions,
): TaskScheduler<Task, Result> {
  const queue = new TaskQueue<Entry<Task, Result>>();
  const delayed = new Map<Entry<Task, Result>, () => void>();
  const dead = new Map<number, DeadLetter<Task>>();
  const stop = new AbortController();
  const idle = Promise.withResolvers<void>();
  let [nextId, running, draining] = [1, 0, false];

  function bury({ id, task, priority, tries, reject }: Entry<Task, Result>, error: unknown): void {
    dead.set(id, { id, task, priority, tries, error });
    if (dead.size > maxDeadLetters) dead.delete(dead.keys().next().value ?? id);
    reject(error);
  }

  function pump(): void {
    while (running < concurrency) {
      const entry = queue.shift(clock.monotonicMs());
      if (entry === undefined) break;
      running += 1;
      void attempt(entry);
    }
    if (draining && running === 0 && queue.size === 0 && delayed.size === 0) idle.resolve();
  }

  async function attempt(entry: Entry<Task, Result>): Promise<void> {
    entry.tries += 1;
    try {
      entry.resolve(await run(entry.task, stop.signal));
    } catch (error) {
      fail(entry, error);
    } finally {
      running -= 1;
      pump();
    }
  }

  function fail(entry: Entry<Task, Result>, error: unknown): void {
    if (stop.signal.aborted) return bury(entry, drained());
    const decision = decideRetry(error, entry.tries);
    if (decision.kind === 'fail') return entry.reject(error);
    if (decision.kind === 'bury') return bury(entry, error);
    const cancel = after(decision.delayMs, () => {
      delayed.delete(entry);
      queue.push(entry, entry.priority, clock.monotonicMs());
      pump();
    });
    delayed.set(entry, cancel);
  }

  function admit(): void {
    if (draining) throw drained();
    if (queue.size + delayed.size < maxWaiting) return;
    throw new HoldfastError('the task queue is full', { code: 'ERR_TASK_QUEUE_FULL', fields: { maxWaiting } });
  }

  async function submit(task: Task, priority: TaskPriority): Promise<Result> {
    admit();
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    queue.push({ id: nextId++, task, priority, tries: 0, resolve, reject }, priority, clock.monotonicMs());
    pump();
    return promise;
  }

  return {
    submit,
    deadLetters: () => [...dead.values()],
    async requeue(id) {
      const letter = dead.get(id);
      if (letter === undefined) throw new RangeError(`no dead letter ${id}`);
      admit(); // refused, it stays a dead letter
      dead.delete(id);
      return submit(letter.task, letter.priority);
    },
    get waiting() {
      return queue.size + delayed.size;
    },
    get running() {
      return running;
    },
    async drain(graceMs = MAX_DRAIN_MS) {
      draining = true;
      const cancel = after(Math.min(graceMs, MAX_DRAIN_MS), () => {
        stop.abort(drained());
        for (const [entry, cancelRetry] of delayed) {
          cancelRetry();
          bury(entry, drained());
        }
        delayed.clear();
        for (let entry = queue.shift(clock.monotonicMs()); entry !== undefined;) {
          bury(entry, drained());
          entry = queue.shift(clock.monotonicMs());
        }
        pump();
      });
      pump();
      await idle.promise;
      cancel();
    },
  };
}
