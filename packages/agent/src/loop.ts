/** Cycle after cycle: the interval with its jitter, the back-off after a failure, and being woken (C-27). */
import type { GuardPort, Sleep } from './ports.ts';
import type { CycleOutcome } from './cycle.ts';

/** C-27. */
const BACK_OFF_MS = 60_000;
/** While the guard is away it is looked for this often: its return ends the back-off. */
const GUARD_LOOK_MS = 1_000;
/** After something was healed: soon, and yet no busy loop. */
const AFTER_HEALING_MS = 250;

/** C-27: the interval within ± 10 %. @param random in [0, 1) */
export const jitteredMs = (intervalMs: number, random: number): number => Math.round(intervalMs * (0.9 + 0.2 * random));

/** Lets others end a wait early. A call while nobody waits ends the next wait. */
export class Wake {
  #called = false;
  #controller: AbortController | null = null;

  call(): void {
    this.#called = true;
    this.#controller?.abort();
  }

  /** Waits `ms` or until called. @throws `signal.reason` */
  async wait(ms: number, sleep: Sleep, signal: AbortSignal): Promise<void> {
    const controller = new AbortController();
    this.#controller = controller;
    try {
      if (!this.#called) await sleep(ms, AbortSignal.any([signal, controller.signal]));
    } catch (error) {
      if (!this.#called) throw error;
    } finally {
      this.#called = false;
      this.#controller = null;
      signal.throwIfAborted();
    }
  }
}

export interface LoopDeps {
  readonly cycle: { run(): Promise<CycleOutcome> };
  readonly guard: Pick<GuardPort, 'status'>;
  readonly wake: Wake;
  readonly sleep: Sleep;
  readonly random: () => number;
}

/** Runs until the signal aborts; rejects with nothing but its reason. */
export async function runLoop(deps: LoopDeps, intervalMs: number, signal: AbortSignal): Promise<never> {
  const { cycle, wake, sleep, random } = deps;
  for (;;) {
    const { ok, healed, guardAway } = await cycle.run();
    if (healed) await wake.wait(AFTER_HEALING_MS, sleep, signal);
    else if (ok) await wake.wait(jitteredMs(intervalMs, random()), sleep, signal);
    else if (guardAway) await waitForGuard(deps, signal);
    else await wake.wait(BACK_OFF_MS, sleep, signal);
  }
}

async function waitForGuard({ guard, wake, sleep }: LoopDeps, signal: AbortSignal): Promise<void> {
  for (let waitedMs = 0; waitedMs < BACK_OFF_MS; waitedMs += GUARD_LOOK_MS) {
    await wake.wait(GUARD_LOOK_MS, sleep, signal);
    try {
      await guard.status(signal);
      return;
    } catch {
      signal.throwIfAborted(); // still away: look again
    }
  }
}
