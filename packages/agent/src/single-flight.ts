/** Work that runs beside the cycle, one run at a time: a long upload or order never holds up detection. */
import type { Sleep } from './ports.ts';

export class SingleFlight {
  readonly #work: () => Promise<void>;
  #running: Promise<void> | null = null;

  /** @param work MUST NOT reject: it reports its own failures */
  constructor(work: () => Promise<void>) {
    this.#work = work;
  }

  /** Starts the work, or joins the run under way. */
  start(): Promise<void> {
    this.#running ??= this.#work().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  /** Resolves when nothing runs. */
  async settled(): Promise<void> {
    await this.#running;
  }
}

/** Waits for `work`, but no longer than `ms`: then it goes on by itself. */
export async function joinWithin(work: Promise<void>, ms: number, sleep: Sleep, signal: AbortSignal): Promise<void> {
  const ended = new AbortController();
  try {
    const timeout = sleep(ms, AbortSignal.any([signal, ended.signal])).catch(() => undefined);
    await Promise.race([work, timeout]);
  } finally {
    ended.abort();
    signal.throwIfAborted();
  }
}
