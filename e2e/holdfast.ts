/** The shipped command line as tests start it: to its end, or as a daemon that is stopped by its process id. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';

export const REPOSITORY = resolve(import.meta.dirname, '..');
export const HOLDFAST = join(REPOSITORY, 'apps/cli/bin/holdfast');
/** util-linux. Ends the daemon with the test that started it, however that ended. */
const SETPRIV = '/usr/bin/setpriv';
const COMMAND_TIMEOUT_MS = 120_000;
const STOP_TIMEOUT_MS = 60_000;

export interface Ended {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one command to its end, whatever that is. */
export async function holdfast(...args: readonly string[]): Promise<Ended> {
  return run(HOLDFAST, args);
}

/** Runs any program to its end. */
export async function run(program: string, args: readonly string[]): Promise<Ended> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: COMMAND_TIMEOUT_MS });
  const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)];
  await once(child, 'close');
  return { exitCode: child.exitCode, stdout: stdout(), stderr: stderr() };
}

function collect(stream: NodeJS.ReadableStream): () => string {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString();
}

export interface DaemonOwner {
  readonly uid: number;
  readonly gid: number;
}

/** `holdfast up`, `holdfast server`: runs until it is told to end. Leads a process group of its own, like a job of a shell. */
export class Daemon {
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #stderr: () => string;
  readonly #exited: Promise<number | null>;

  constructor(args: readonly string[], owner?: DaemonOwner) {
    const identity =
      owner === undefined ? [] : [`--reuid=${owner.uid}`, `--regid=${owner.gid}`, '--clear-groups', '--inh-caps=-all'];
    const child = spawn(SETPRIV, ['--pdeathsig=INT', ...identity, '--', HOLDFAST, ...args], {
      cwd: '/',
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8', HOME: '/nonexistent' },
    });
    if (child.pid === undefined) throw new Error(`cannot start ${SETPRIV}`);
    this.pid = child.pid;
    this.#child = child;
    this.#stderr = collect(child.stderr);
    this.#exited = once(child, 'exit').then(() => child.exitCode);
  }

  get stderr(): string {
    return this.#stderr();
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** @throws when it had ended by itself: nobody may count on that */
  async kill(signal: NodeJS.Signals): Promise<void> {
    if (!this.isRunning) throw new Error(`it had ended by itself: ${this.stderr}`);
    process.kill(this.pid, signal);
    await this.#exited;
  }

  /** As Ctrl-C in a terminal: every process of the group gets it. Gives the exit code. */
  async interrupt(): Promise<number | null> {
    process.kill(-this.pid, 'SIGINT');
    return this.#ended();
  }

  /** For tidying up: ends it, by force when it takes too long. */
  async stop(): Promise<void> {
    if (this.isRunning) process.kill(this.pid, 'SIGTERM');
    await this.#ended();
  }

  async #ended(): Promise<number | null> {
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    try {
      return await this.#exited;
    } finally {
      clearTimeout(timer);
    }
  }
}
