/** `holdfast up --demo` as a test starts it: the shipped binary, on a state directory of its own. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { temporaryDirectory } from '@holdfast/testing';

export const HOLDFAST = new URL('../bin/holdfast', import.meta.url).pathname;
const START_TIMEOUT_MS = 120_000;

export function stateDirectory(t: TestContext): string {
  const directory = temporaryDirectory(t);
  chmodSync(directory, 0o711); // the database's user passes through
  return join(directory, 'state');
}

/** `holdfast up --demo` with one host, in a process group of its own. */
export class Up {
  readonly #child: ChildProcess;
  stderr = '';

  constructor(t: TestContext, state: string, ...more: string[]) {
    const args = ['up', '--demo', '--hosts', '1', '--no-drift', '--port', '0', '--state', state, ...more];
    this.#child = spawn(HOLDFAST, args, { detached: true, stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    t.after(() => this.interrupt());
  }

  get pid(): number {
    assert.ok(this.#child.pid !== undefined);
    return this.#child.pid;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async enrolled(): Promise<void> {
    await eventually(() => {
      assert.ok(this.isRunning, `it ended: ${this.stderr}`);
      return this.stderr.includes('guard and agent run on each');
    });
  }

  /** The whole process group, as by a terminal that goes away the hard way. */
  async killGroup(): Promise<void> {
    const exited = once(this.#child, 'exit');
    process.kill(-this.pid, 'SIGKILL');
    await exited;
  }

  async ended(): Promise<number | null> {
    if (this.isRunning) await once(this.#child, 'exit');
    return this.#child.exitCode;
  }

  async interrupt(): Promise<number | null> {
    if (this.isRunning) process.kill(this.pid, 'SIGINT');
    return this.ended();
  }
}

export async function eventually(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error('it did not happen in time');
    await delay(50);
  }
}
