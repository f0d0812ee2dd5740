/** One ephemeral instance of what a runbook is about, on a free port of the loopback address. */
import type { Clock } from '@holdfast/core';
import type { Instance as InstanceBlock } from '../document/step-schema.ts';
import { type Answer, askLoopback, findFreePort } from './loopback.ts';
import { pollUntil } from './poll.ts';
import { ProcessTree } from './process-tree.ts';

/** One request that is not answered does not use up the whole time for others. */
const MAX_REQUEST_MS = 5_000;

export interface InstanceDeps {
  readonly clock: Clock;
  readonly onOutput: (bytes: Uint8Array) => void;
}

export class RunningInstance implements AsyncDisposable {
  readonly port: number;
  readonly #process: ProcessTree;
  readonly #block: InstanceBlock;

  private constructor(process: ProcessTree, block: InstanceBlock, port: number) {
    this.#process = process;
    this.#block = block;
    this.port = port;
  }

  /** @returns why it did not get ready, instead of an instance */
  static async start(
    deps: InstanceDeps,
    block: InstanceBlock,
    { argv, cwd, env }: { argv: readonly [string, ...string[]]; cwd: string; env: Readonly<Record<string, string>> },
    signal: AbortSignal,
  ): Promise<RunningInstance | string> {
    signal.throwIfAborted();
    const port = await findFreePort();
    const process = new ProcessTree(argv, {
      cwd,
      env: { ...env, [block.port]: String(port) },
      onOutput: deps.onOutput,
    });
    const instance = new RunningInstance(process, block, port);
    try {
      const ready = await pollUntil(
        deps.clock,
        block.within,
        async (leftMs) => {
          if (instance.failure !== null) return { done: true, value: instance.failure };
          const answer = await instance.ask({ method: 'GET', path: block.ready }, leftMs, signal);
          return { done: answer?.status === 200, value: null };
        },
        signal,
      );
      if (ready.inTime && ready.value === null) return instance;
      await instance[Symbol.asyncDispose]();
      return ready.value ?? `the instance did not get ready within ${block.within} ms`;
    } catch (cause) {
      await instance[Symbol.asyncDispose]();
      throw cause;
    }
  }

  /** Why it is gone, or `null` while it runs. */
  get failure(): string | null {
    return this.#process.ending === null ? null : `the instance is gone: ${this.#process.ending.text}`;
  }

  ask(what: { method: string; path: string }, leftMs: number, signal: AbortSignal): Promise<Answer | null> {
    return askLoopback(this.port, what, Math.min(leftMs, MAX_REQUEST_MS), signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.stop(this.#block.grace);
  }
}
