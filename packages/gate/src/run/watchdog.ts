/**
 * Kills the running command when the runner itself is killed: a process of its own that waits for
 * the end of a pipe. It knows the command's process group only; a descendant that left the group stays.
 */
import { type ChildProcess, spawn } from 'node:child_process';

/** Constant text, no value in it. Remembers the last line; at the end of input kills the group it names. */
const SCRIPT = 'while read -r line; do group=$line; done; [ -z "$group" ] || kill -s KILL -- "-$group"';

export class Watchdog implements Disposable {
  readonly #process: ChildProcess;

  constructor() {
    // Of its own session, so that what ends the runner's group does not end it too.
    this.#process = spawn('/bin/sh', ['-c', SCRIPT], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
    this.#process.on('error', () => undefined); // without a shell there is nobody to watch
    this.#process.stdin?.on('error', () => undefined);
    this.#process.unref();
  }

  watch(group: number): void {
    this.#process.stdin?.write(`${group}\n`);
  }

  /** The group is gone, and its number may become somebody else's. */
  rest(): void {
    this.#process.stdin?.write('\n');
  }

  [Symbol.dispose](): void {
    this.#process.stdin?.end('\n');
  }
}
