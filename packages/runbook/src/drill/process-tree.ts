/**
 * Programs of a drill: started by argv without a shell, in a process group of their own, with a
 * variable by which on Linux also those descendants are found that left the group. Ending one means
 * ending all of it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';

/** Descendants carry it in their environment, whatever group they are in. */
const MARK = 'HOLDFAST_DRILL';
/** A program that starts others as fast as they are found is given up on. */
const MAX_SWEEPS = 20;

export interface ProcessOptions {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Output is for people who look on; it is no part of any report. */
  readonly onOutput: (bytes: Uint8Array) => void;
}

/** How a program ended: `exit code 1`, `signal SIGKILL`, or that it could not be started. */
export interface Ending {
  readonly exitCode: number | null;
  readonly text: string;
}

export class ProcessTree implements AsyncDisposable {
  /** Resolves when the program itself has ended; never rejects. */
  readonly ended: Promise<Ending>;
  readonly #child: ChildProcess;
  readonly #mark = randomUUID();
  #ending: Ending | null = null;

  constructor([program, ...args]: readonly [string, ...string[]], { cwd, env, onOutput }: ProcessOptions) {
    const { promise, resolve } = Promise.withResolvers<Ending>();
    this.ended = promise;
    this.#child = spawn(program, args, {
      cwd,
      env: { ...env, [MARK]: this.#mark },
      detached: true, // setsid: the group is ours to kill
      shell: false,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const end = (ending: Ending): void => {
      this.#ending ??= ending;
      resolve(this.#ending);
    };
    this.#child.stdout?.on('data', onOutput);
    this.#child.stderr?.on('data', onOutput);
    this.#child.on('error', () => end({ exitCode: null, text: 'it could not be started' }));
    this.#child.on('exit', (exitCode, signal) => {
      end({
        exitCode,
        text: exitCode === null ? `it ended by signal ${signal}` : `it ended with exit code ${exitCode}`,
      });
    });
  }

  /** How it ended, or `null` while it runs. */
  get ending(): Ending | null {
    return this.#ending;
  }

  /** Asks it to end, and kills what is left after `graceMs`. Nothing of it runs afterwards. */
  async stop(graceMs: number): Promise<void> {
    this.#signal('SIGTERM');
    const { promise: tooLong, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, graceMs);
    await Promise.race([this.ended, tooLong]);
    clearTimeout(timer);
    await this[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal('SIGKILL');
    for (let sweep = 0; sweep < MAX_SWEEPS; sweep += 1) {
      const left = await this.#descendants();
      if (left.length === 0) break;
      for (const pid of left) kill(pid, 'SIGKILL');
    }
    await this.ended;
    // A descendant that inherited the pipes is dead by now; nobody else may keep us waiting for output.
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
  }

  #signal(signal: 'SIGTERM' | 'SIGKILL'): void {
    // The group may outlive its leader; its number is not given away while a member lives.
    if (this.#child.pid !== undefined) kill(-this.#child.pid, signal);
  }

  /** Running processes that carry our mark, by /proc; elsewhere than on Linux there is only the group. */
  async #descendants(): Promise<number[]> {
    const entries = await readdir('/proc').catch(() => []);
    const marked: number[] = [];
    for (const entry of entries) {
      if (!/^[0-9]+$/.test(entry)) continue;
      // Of others we may not read it, and a zombie's is empty.
      const environment = await readFile(`/proc/${entry}/environ`, 'latin1').catch(() => '');
      if (environment.split('\0').includes(`${MARK}=${this.#mark}`)) marked.push(Number(entry));
    }
    return marked;
  }
}

function kill(pid: number, signal: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(pid, signal);
  } catch {
    // ESRCH: it ended meanwhile, which is what was wanted.
  }
}
