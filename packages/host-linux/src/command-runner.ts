/**
 * The one place where processes start (ARCHITECTURE, ground rule 5). A command runs in a process
 * group of its own, so that a time-out ends it together with everything it started; only a child
 * that leaves its group on purpose can outlive it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';

import { HoldfastError } from '@holdfast/core';
import type { CommandOptions, CommandResult, CommandRunner } from '@holdfast/host';

const PATH = '/usr/sbin:/usr/bin:/sbin:/bin';
/** Linux, all architectures: `__O_TMPFILE`; it is always given together with O_DIRECTORY. */
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY;
/** How long output may still come after the program ended: its group is dead by then. */
const DRAIN_MS = 1_000;

/**
 * Standard input as a nameless file in memory. Node's pipes are socket pairs, which cannot be opened
 * again through `/dev/stdin`; and a secret in it never has a name.
 */
function openStdin(bytes: Uint8Array): number {
  const fd = openSync('/dev/shm', O_TMPFILE | constants.O_RDWR, 0o600);
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at, bytes.length - at, at);
    return fd;
  } catch (cause) {
    closeSync(fd);
    throw cause;
  }
}

/**
 * execvp(3), which Node uses, gives a file of unknown format to `/bin/sh`. Only what the kernel itself
 * can run is started: ELF, or a script that names its interpreter.
 */
function refuseShellFallback(program: string): void {
  const magic = Buffer.alloc(4);
  let fd: number;
  try {
    fd = openSync(program, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return; // what we may not read no shell of ours may read either; what is not there fails to start
  }
  try {
    readSync(fd, magic, 0, magic.length, 0);
  } catch (cause) {
    throw couldNotStart(program, cause); // a directory
  } finally {
    closeSync(fd);
  }
  const runnable = magic.toString('latin1') === '\x7fELF' || magic.toString('latin1', 0, 2) === '#!';
  if (!runnable) throw couldNotStart(program, new Error('not a format that the kernel runs'));
}

class Output {
  readonly #chunks: Uint8Array[] = [];
  readonly #max: number;
  #size = 0;
  truncated = false;

  constructor(max: number) {
    this.#max = max;
  }

  add(chunk: Uint8Array): void {
    const kept = chunk.subarray(0, this.#max - this.#size);
    this.truncated ||= kept.length < chunk.length;
    this.#size += kept.length;
    if (kept.length > 0) this.#chunks.push(kept);
  }

  bytes(): Uint8Array {
    return Buffer.concat(this.#chunks);
  }
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // ESRCH: nobody of the group is left, which is what was wanted.
  }
}

function couldNotStart(program: string, cause: unknown): HoldfastError {
  return new HoldfastError(`${program} could not be started`, {
    code: 'ERR_HOST_COMMAND_FAILED',
    fields: { program },
    cause,
  });
}

export class SpawnCommandRunner implements CommandRunner {
  async run(
    argv: readonly [string, ...string[]],
    options: CommandOptions,
    signal: AbortSignal,
  ): Promise<CommandResult> {
    const [program, ...args] = argv;
    if (!program.startsWith('/')) throw new TypeError('a program is named by its absolute path');
    signal.throwIfAborted();
    refuseShellFallback(program);
    const stdin = options.stdin === undefined ? undefined : openStdin(options.stdin);
    const started = performance.now();
    let child: ChildProcess;
    try {
      child = spawn(program, args, {
        argv0: program,
        cwd: '/',
        detached: true, // setsid: the group is ours to kill
        env: { PATH, ...options.env },
        shell: false,
        stdio: [stdin ?? 'ignore', 'pipe', 'pipe'],
      });
    } catch (cause) {
      if (cause instanceof TypeError) throw cause; // a NUL in an argument: misuse
      throw couldNotStart(program, cause);
    } finally {
      if (stdin !== undefined) closeSync(stdin);
    }
    return watch(child, program, options, signal, started);
  }
}

function watch(
  child: ChildProcess,
  program: string,
  options: CommandOptions,
  signal: AbortSignal,
  started: number,
): Promise<CommandResult> {
  const stdout = new Output(options.maxOutputBytes);
  const stderr = new Output(options.maxOutputBytes);
  child.stdout?.on('data', (chunk: Uint8Array) => stdout.add(chunk));
  child.stderr?.on('data', (chunk: Uint8Array) => stderr.add(chunk));

  const { promise, resolve, reject } = Promise.withResolvers<CommandResult>();
  let failure: unknown;
  let drain: NodeJS.Timeout | undefined;
  const end = (why: unknown): void => {
    failure ??= why;
    killGroup(child);
  };
  const abort = (): void => end(signal.reason);
  const timer = setTimeout(
    () =>
      end(
        new HoldfastError(`${program} did not end in time`, {
          code: 'ERR_HOST_COMMAND_TIMEOUT',
          fields: { program, timeoutMs: options.timeoutMs },
        }),
      ),
    options.timeoutMs,
  );
  signal.addEventListener('abort', abort, { once: true });

  child.once('exit', () => {
    // What it left behind in its group would hold the pipes open and run on unseen.
    killGroup(child);
    drain = setTimeout(() => {
      child.stdout?.destroy();
      child.stderr?.destroy();
    }, DRAIN_MS);
  });
  child.once('error', (cause) => {
    failure ??= couldNotStart(program, cause);
    if (child.pid === undefined) settle(null); // no process, so no `close` to wait for
  });
  child.once('close', settle);

  function settle(exitCode: number | null): void {
    clearTimeout(timer);
    clearTimeout(drain);
    signal.removeEventListener('abort', abort);
    if (failure !== undefined) {
      // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- `signal.reason` passes through as it is
      reject(failure);
      return;
    }
    resolve({
      exitCode,
      stdout: stdout.bytes(),
      stderr: stderr.bytes(),
      truncated: stdout.truncated || stderr.truncated,
      durationMs: performance.now() - started,
    });
  }
  return promise;
}

/** ip-netns(8) takes any file name; this takes those that need no thought. */
const NAMESPACE = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

/** Runs every command of `inner` inside a named network namespace (ip-netns(8)). */
export function inNetworkNamespace(inner: CommandRunner, namespace: string): CommandRunner {
  if (!NAMESPACE.test(namespace)) throw new TypeError('not the name of a network namespace');
  return {
    run: (argv, options, signal) => inner.run(['/usr/sbin/ip', 'netns', 'exec', namespace, ...argv], options, signal),
  };
}
