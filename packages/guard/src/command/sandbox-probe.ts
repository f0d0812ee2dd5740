/** What the spawner says of its layers, for `status` and `doctor` (G-33): asked now and then, never more often. */
import { isHoldfastError } from '@holdfast/core';
import type { LayerState } from '@holdfast/sandbox';
import type { ConnectSandbox } from './command-desk.ts';

/** `status` is asked by every cycle of the agent; layers change with a reboot. */
const FRESH_MS = 10_000;
const ANSWER_TIMEOUT_MS = 3_000;

export type SandboxState =
  | { readonly layers: readonly LayerState[] }
  /** Nobody answers, or nobody is to be asked. */
  | { readonly none: string };

export class SandboxProbe {
  readonly #connect: ConnectSandbox | null;
  readonly #monotonicMs: () => number;
  #asked: { readonly atMs: number; readonly answer: Promise<SandboxState> } | null = null;

  constructor(connect: ConnectSandbox | null, monotonicMs: () => number) {
    this.#connect = connect;
    this.#monotonicMs = monotonicMs;
  }

  async state(): Promise<SandboxState> {
    const connect = this.#connect;
    if (connect === null) return { none: 'a simulated host runs no commands' };
    const nowMs = this.#monotonicMs();
    if (this.#asked === null || nowMs - this.#asked.atMs > FRESH_MS) {
      this.#asked = { atMs: nowMs, answer: ask(connect) };
    }
    return this.#asked.answer;
  }
}

async function ask(connect: ConnectSandbox): Promise<SandboxState> {
  const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
  const late = Promise.withResolvers<SandboxState>();
  signal.addEventListener('abort', () => late.resolve({ none: 'the spawner does not answer' }));
  const layers = (async (): Promise<SandboxState> => {
    try {
      await using sandbox = await connect(signal);
      return { layers: await sandbox.layers(signal) };
    } catch (error) {
      return { none: isHoldfastError(error) ? `the spawner does not answer (${error.code})` : 'the spawner failed' };
    }
  })();
  return Promise.race([layers, late.promise]);
}
