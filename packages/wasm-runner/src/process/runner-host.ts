/** Starting one runner process, confined or not; everything above this knows no difference. */
import { HoldfastError } from '@holdfast/core';
import type { SandboxLayer } from '@holdfast/policy';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { runnerArgv, RUNNER_ENV } from './runner-argv.ts';

export interface RunnerChild {
  /** MUST NOT throw when the process is gone: `ended` tells. */
  write(bytes: Uint8Array): Promise<void>;
  readonly stdout: AsyncIterable<Uint8Array>;
  /** SIGKILL, at once. */
  kill(): void;
  /** Settles, never rejects, when nothing of it is left. */
  readonly ended: Promise<void>;
}

export interface RunnerHost {
  /** That every process has which this starts: it starts none with fewer. */
  readonly layers: readonly SandboxLayer[];
  /** @throws `ERR_WASM_RUNNER`, and what the sandbox refuses with */
  start(signal: AbortSignal): Promise<RunnerChild>;
}

/**
 * Without a wall, for development and tests. The module still has no capability that it was not given,
 * as far as V8 has no bug.
 */
export function plainRunnerHost(maxMemoryBytes: number): RunnerHost {
  return {
    layers: [],
    async start() {
      const [program, ...args] = runnerArgv(maxMemoryBytes);
      const child = spawn(program, args, { env: RUNNER_ENV, cwd: '/', stdio: ['pipe', 'pipe', 'ignore'] });
      const ended = once(child, 'close').then(
        () => undefined,
        () => undefined, // could not be started: said below
      );
      child.stdin.on('error', () => undefined); // EPIPE: it is gone, and `ended` says so
      try {
        await once(child, 'spawn');
      } catch (cause) {
        throw new HoldfastError('the runner process could not be started', { code: 'ERR_WASM_RUNNER', cause });
      }
      return {
        async write(bytes) {
          if (!child.stdin.write(bytes)) await Promise.race([once(child.stdin, 'drain').catch(() => undefined), ended]);
        },
        stdout: child.stdout,
        kill: () => void child.kill('SIGKILL'),
        ended,
      };
    },
  };
}
