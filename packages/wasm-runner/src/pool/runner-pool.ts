/**
 * The runner processes of this host: some that wait and belong to nobody yet, and some that each
 * belong to one tenant until they end. Never more than the bound; who finds none waits in line.
 */
import { type Clock, HoldfastError } from '@holdfast/core';
import type { RunnerHost } from '../process/runner-host.ts';
import { RunnerProcess } from './runner-process.ts';

export interface PoolOptions {
  /** Processes that there are at once, the waiting ones among them. */
  readonly maxProcesses: number;
  /** Started ahead of need, as far as `maxProcesses` allows. */
  readonly warmProcesses: number;
  /** Tasks that wait for a process. */
  readonly maxWaiting: number;
  /** After which a process is replaced by a fresh one. */
  readonly tasksPerProcess: number;
  /** After which a tenant's idle process ends. */
  readonly idleMs: number;
}

/** Half of what a sandbox lets one process write in its life (64 MiB): the other half is for its last task. */
const MAX_RECEIVED_BYTES = 33_554_432;

/** At once: each takes a processor for some 300 ms, and a hundred together would all be too late to be ready. */
const MAX_STARTING = 4;

interface Waiter {
  readonly tenant: string;
  readonly take: (runner: RunnerProcess) => void;
  readonly fail: (error: unknown) => void;
}

export class RunnerPool implements AsyncDisposable {
  readonly #host: RunnerHost;
  readonly #clock: Clock;
  readonly #options: PoolOptions;
  readonly #unassigned: RunnerProcess[] = [];
  /** Of tenants, least recently used first. */
  readonly #idle = new Set<RunnerProcess>();
  readonly #busy = new Set<RunnerProcess>();
  readonly #ending = new Set<Promise<void>>();
  readonly #waiters: Waiter[] = [];
  readonly #closing = new AbortController();
  readonly #sweep: NodeJS.Timeout;
  readonly #starting = new Set<Promise<void>>();
  #started = 0;

  constructor({ host, clock }: { readonly host: RunnerHost; readonly clock: Clock }, options: PoolOptions) {
    this.#host = host;
    this.#clock = clock;
    this.#options = options;
    this.#sweep = setInterval(() => this.#endIdle(), Math.max(options.idleMs / 2, 10)).unref();
    this.#balance();
  }

  get statistics() {
    return {
      processes: this.#unassigned.length + this.#idle.size + this.#busy.size + this.#starting.size,
      busy: this.#busy.size,
      waiting: this.#waiters.length,
      started: this.#started,
    };
  }

  /** A process of this tenant's, or one of nobody's that becomes it. @throws `ERR_TASK_QUEUE_FULL`, `ERR_WASM_RUNNER` */
  async acquire(tenant: string, signal: AbortSignal): Promise<RunnerProcess> {
    signal.throwIfAborted();
    this.#closing.signal.throwIfAborted();
    const ready = this.#take(tenant);
    if (ready !== undefined) {
      this.#balance();
      return ready;
    }
    if (this.#waiters.length >= this.#options.maxWaiting + this.#free()) {
      throw new HoldfastError('every runner process is busy', {
        code: 'ERR_TASK_QUEUE_FULL',
        fields: { processes: this.#options.maxProcesses, waiting: this.#waiters.length },
      });
    }
    const { promise, resolve, reject } = Promise.withResolvers<RunnerProcess>();
    const waiter = { tenant, take: resolve, fail: reject };
    const abort = (): void => {
      this.#forget(waiter);
      reject(signal.reason);
    };
    signal.addEventListener('abort', abort, { once: true });
    this.#waiters.push(waiter);
    this.#balance();
    return promise.finally(() => signal.removeEventListener('abort', abort));
  }

  /** @param reuse false after anything but an orderly end: the process ends with it */
  release(runner: RunnerProcess, reuse: boolean): void {
    this.#busy.delete(runner);
    if (
      reuse &&
      runner.alive &&
      runner.tasks < this.#options.tasksPerProcess &&
      runner.receivedBytes < MAX_RECEIVED_BYTES
    ) {
      runner.idleSinceMs = this.#clock.monotonicMs();
      this.#idle.add(runner);
    } else {
      this.#end(runner);
    }
    this.#balance();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const reason = new HoldfastError('the runner is closing', { code: 'ERR_WASM_RUNNER' });
    this.#closing.abort(reason);
    clearInterval(this.#sweep);
    for (const waiter of this.#waiters.splice(0)) waiter.fail(reason);
    for (const runner of [...this.#unassigned.splice(0), ...this.#idle, ...this.#busy]) this.#end(runner);
    await Promise.all(this.#starting);
    await Promise.all(this.#ending);
  }

  #take(tenant: string): RunnerProcess | undefined {
    for (const runner of this.#idle) {
      if (!runner.alive) this.#end(runner);
      else if (runner.tenant === tenant) return this.#occupy(runner, tenant);
    }
    for (let runner = this.#unassigned.shift(); runner !== undefined; runner = this.#unassigned.shift()) {
      if (!runner.alive) {
        this.#end(runner);
        continue;
      }
      return this.#occupy(runner, tenant);
    }
    return undefined;
  }

  #occupy(runner: RunnerProcess, tenant: string): RunnerProcess {
    this.#idle.delete(runner);
    this.#busy.add(runner);
    runner.tenant = tenant;
    return runner;
  }

  /** Processes that may still be started, or are being started for whoever waits. */
  #free(): number {
    return this.#options.maxProcesses - this.#unassigned.length - this.#busy.size;
  }

  /** Serves who waits, and keeps the warm ones warm. */
  #balance(): void {
    this.#serve();
    const wanted = Math.min(this.#options.warmProcesses - this.#unassigned.length, MAX_STARTING);
    while (this.#hasRoom() && this.#starting.size < wanted) this.#start();
  }

  /** Makes room by ending idle processes of other tenants where it must. */
  #serve(): void {
    for (const waiter of this.#waiters.slice()) {
      const runner = this.#take(waiter.tenant);
      if (runner === undefined) continue;
      this.#forget(waiter);
      waiter.take(runner);
    }
    const missing = Math.min(this.#waiters.length, MAX_STARTING) - this.#starting.size;
    for (let n = 0; n < missing; n++) {
      if (!this.#hasRoom()) {
        const [oldest] = this.#idle;
        if (oldest === undefined) break;
        this.#end(oldest);
      }
      if (this.#hasRoom()) this.#start();
    }
  }

  #hasRoom(): boolean {
    if (this.#closing.signal.aborted) return false;
    const { processes } = this.statistics;
    return processes + this.#ending.size < this.#options.maxProcesses;
  }

  #start(): void {
    this.#started += 1;
    const starting = RunnerProcess.start(this.#host, this.#closing.signal).then(
      (runner) => {
        this.#starting.delete(starting);
        if (this.#closing.signal.aborted) return this.#end(runner);
        this.#unassigned.push(runner);
        this.#balance();
      },
      (error: unknown) => {
        this.#starting.delete(starting);
        // Only who waits is told; a warm process is tried again when one is needed.
        this.#waiters.shift()?.fail(error);
        this.#serve();
      },
    );
    this.#starting.add(starting);
  }

  #end(runner: RunnerProcess): void {
    this.#idle.delete(runner);
    this.#busy.delete(runner);
    const ended = runner[Symbol.asyncDispose]().finally(() => {
      this.#ending.delete(ended);
      this.#balance();
    });
    this.#ending.add(ended);
  }

  #endIdle(): void {
    const beforeMs = this.#clock.monotonicMs() - this.#options.idleMs;
    for (const runner of this.#idle) if (runner.idleSinceMs <= beforeMs) this.#end(runner);
  }

  #forget(waiter: Waiter): void {
    const index = this.#waiters.indexOf(waiter);
    if (index >= 0) this.#waiters.splice(index, 1);
  }
}
