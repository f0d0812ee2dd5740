/**
 * Slots that wait for a command, by profile. A slot is used once; the next one is made when a
 * command has ended, or a moment after the last start, so that setting up never delays a start.
 */
import type { Slot } from './slot.ts';

/** Long enough for a command of the same burst to be started first. */
const REFILL_AFTER_MS = 25;
/** Slots nobody wanted for this long are ended. */
const IDLE_MS = 5 * 60_000;
export const MAX_SLOTS_PER_PROFILE = 32;

export class SlotPool implements AsyncDisposable {
  readonly #open: () => Promise<Slot>;
  readonly #waiting: Slot[] = [];
  #wanted = 0;
  #filling: Promise<void> | null = null;
  #refill: NodeJS.Timeout | undefined;
  #idle: NodeJS.Timeout | undefined;
  #disposed = false;

  constructor(open: () => Promise<Slot>) {
    this.#open = open;
  }

  /** Keeps `slots` waiting from now on. Resolves when they do. @throws as opening one does */
  async warm(slots: number): Promise<void> {
    this.#wanted = Math.min(Math.max(this.#wanted, slots), MAX_SLOTS_PER_PROFILE);
    this.#postponeIdle();
    await this.#fill();
  }

  /** A waiting slot, or a new one. */
  async take(): Promise<Slot> {
    this.#postponeIdle();
    clearTimeout(this.#refill);
    this.#refill = setTimeout(() => void this.#fill().catch(() => undefined), REFILL_AFTER_MS); // the next start says why
    for (let slot = this.#waiting.shift(); slot !== undefined; slot = this.#waiting.shift()) {
      if (!slot.isOver) return slot;
      void slot[Symbol.asyncDispose]();
    }
    return this.#open();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    clearTimeout(this.#refill);
    clearTimeout(this.#idle);
    await this.#filling?.catch(() => undefined); // whoever asked for it was told
    await this.#drain();
  }

  /** One at a time: a fork stops the event loop, and starts come first. */
  async #fill(): Promise<void> {
    this.#filling ??= this.#fillOnce().finally(() => (this.#filling = null));
    await this.#filling;
  }

  async #fillOnce(): Promise<void> {
    while (!this.#disposed && this.#waiting.length < this.#wanted) {
      const slot = await this.#open();
      this.#waiting.push(slot);
      // One that dies is replaced; one that is used is no longer in the list.
      void slot.closed.then(() => this.#discard(slot));
    }
  }

  #discard(slot: Slot): void {
    const at = this.#waiting.indexOf(slot);
    if (at < 0) return;
    this.#waiting.splice(at, 1);
    void slot[Symbol.asyncDispose]();
    if (!this.#disposed) this.#refill = setTimeout(() => void this.#fill().catch(() => undefined), REFILL_AFTER_MS);
  }

  #postponeIdle(): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => {
      this.#wanted = 0;
      void this.#drain();
    }, IDLE_MS);
    this.#idle.unref();
  }

  async #drain(): Promise<void> {
    await Promise.all(this.#waiting.splice(0).map((slot) => slot[Symbol.asyncDispose]()));
  }
}
