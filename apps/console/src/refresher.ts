/**
 * Turns a stream of "something changed" into refreshes: soon for the first, one for a burst, and never
 * so many that refreshing is all there is time for.
 */

const REFRESH_DELAY_MS = 250;
/** After a refresh that took long, the next one waits for this many times as long. */
const REST_FACTOR = 4;
const MAX_REST_MS = 10_000;

export interface Refresher {
  /** Something changed: `work` begins once after this call, not at once. */
  want(): void;
  stop(): void;
}

export function createRefresher(work: () => Promise<void>, nowMs: () => number = () => performance.now()): Refresher {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isWorking = false;
  let isWanted = false;
  let isStopped = false;

  const plan = (delayMs: number): void => {
    timer = setTimeout(() => void run(), delayMs);
  };
  const run = async (): Promise<void> => {
    timer = undefined;
    isWanted = false;
    isWorking = true;
    const started = nowMs();
    try {
      await work();
    } catch {
      // Every query shows its own failure.
    }
    isWorking = false;
    const restMs = Math.min((nowMs() - started) * REST_FACTOR, MAX_REST_MS);
    if (isWanted && !isStopped) plan(Math.max(REFRESH_DELAY_MS, restMs));
  };
  return {
    want() {
      isWanted = true;
      if (timer === undefined && !isWorking && !isStopped) plan(REFRESH_DELAY_MS);
    },
    stop() {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}
