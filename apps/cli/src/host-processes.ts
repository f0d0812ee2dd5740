/** Spawner, guard and agent of a host as child processes of this one, for hosts without units: simulated ones, and `holdfast up`. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { isSimulated } from './host-wiring.ts';
import { REPOSITORY } from './repository.ts';

/** Peer credentials come through node:ffi, which warns once that it is young. */
const MAIN = ['--disable-warning=ExperimentalWarning', join(REPOSITORY, 'apps/cli/src/main.ts')];
/**
 * util-linux. The kernel ends the child when we are killed, at once: whoever is started next on the
 * same directories finds them free, and both daemons are made to be killed.
 */
const SETPRIV = '/usr/bin/setpriv';
const ENDING_WITH_US = existsSync(SETPRIV) ? [SETPRIV, '--pdeathsig=KILL', '--'] : [];
const MAX_OUTPUT_CHARS = 4_000_000;
/** As `RestartSec=` of the units. */
const RESTART_MS = 1_000;
/** As `TimeoutStopSec=` of the units. */
const STOP_GRACE_MS = 20_000;

export interface ProcessOwner {
  readonly uid: number;
  readonly gid: number;
}

/** Runs one command of this very installation to its end. */
export async function runHoldfast(
  args: readonly string[],
  stdin: string,
  signal: AbortSignal,
): Promise<{ stdout: string; stderr: string; exitCode: number | null }> {
  const child = spawn(process.execPath, [...MAIN, ...args], { stdio: ['pipe', 'pipe', 'pipe'], signal });
  child.stdin.end(stdin);
  const [stdout, stderr, exitCode] = await Promise.all([collect(child.stdout), collect(child.stderr), exitOf(child)]);
  return { stdout, stderr, exitCode };
}

async function collect(stream: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const chunk of stream) text = (text + chunk.toString()).slice(0, MAX_OUTPUT_CHARS);
  return text;
}

function exitOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code));
  });
}

/**
 * Starts guard and agent under `root`, again when they end, and before them, on a real host, the
 * spawner. Disposing goes the other way round: each may still want to say something to the next.
 *
 * @param agentOwner who the agent runs as; the running user when left out
 */
export function startHostProcesses(
  root: string,
  logDirectory = join(root, 'log'),
  agentOwner?: ProcessOwner,
): AsyncDisposable {
  mkdirSync(logDirectory, { recursive: true, mode: 0o700 });
  const spawner = isSimulated(root)
    ? undefined
    : keepRunning(['spawner', '--root', root], join(logDirectory, 'spawner.log'), undefined);
  const guard = keepRunning(['guard', '--root', root], join(logDirectory, 'guard.log'), undefined);
  const agent = keepRunning(['agent', '--root', root], join(logDirectory, 'agent.log'), agentOwner);
  return {
    [Symbol.asyncDispose]: async () => {
      await agent();
      await guard();
      await spawner?.();
    },
  };
}

function keepRunning(args: readonly string[], logFile: string, owner: ProcessOwner | undefined): () => Promise<void> {
  let stopping = false;
  let child: ChildProcess | undefined;
  let exited: Promise<unknown> = Promise.resolve();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const start = (): void => {
    const log = openSync(logFile, 'a', 0o600);
    // A group of its own: Ctrl-C in the terminal reaches us alone, and we end it in order.
    const [command = process.execPath, ...argv] = [...ENDING_WITH_US, process.execPath, ...MAIN, ...args];
    child = spawn(command, argv, { stdio: ['ignore', log, log], detached: true, ...owner });
    closeSync(log);
    exited = exitOf(child)
      .catch(() => undefined) // could not start: tried again below
      .finally(() => {
        if (!stopping) timer = setTimeout(start, RESTART_MS);
      });
  };
  start();
  return async () => {
    stopping = true;
    clearTimeout(timer);
    child?.kill('SIGTERM');
    const kill = setTimeout(() => child?.kill('SIGKILL'), STOP_GRACE_MS);
    await exited;
    clearTimeout(kill);
  };
}
