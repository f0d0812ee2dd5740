/**
 * The system's own tools that a lab is built with: where they are, and running them.
 */
import { HoldfastError } from '@holdfast/core';
import type { CommandResult } from '@holdfast/host';
import { SpawnCommandRunner } from '@holdfast/host-linux';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

const SEARCH_PATH = ['/usr/sbin', '/usr/bin', '/sbin', '/bin', '/usr/local/sbin', '/usr/local/bin'];
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;
export const DEFAULT_TIMEOUT_MS = 30_000;

/** @returns the absolute path of a system tool, or `undefined` when it is not installed */
export function findProgram(name: string): string | undefined {
  return SEARCH_PATH.map((directory) => join(directory, name)).find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false; // absent and not executable are the same answer here
    }
  });
}

/** @throws `ERR_LAB_NOT_POSSIBLE` */
export function requireProgram(name: string): string {
  const path = findProgram(name);
  if (path === undefined) {
    throw new HoldfastError(`${name} is not installed`, { code: 'ERR_LAB_NOT_POSSIBLE', fields: { missing: name } });
  }
  return path;
}

const RUNNER = new SpawnCommandRunner();

/**
 * Resolves whatever the exit code is.
 *
 * @throws `ERR_HOST_COMMAND_FAILED`, `ERR_HOST_COMMAND_TIMEOUT`
 */
export function runCommand(
  argv: readonly [string, ...string[]],
  signal: AbortSignal,
  options: { readonly timeoutMs?: number; readonly stdin?: Uint8Array } = {},
): Promise<CommandResult> {
  return RUNNER.run(
    argv,
    {
      timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      maxOutputBytes: MAX_OUTPUT_BYTES,
      env: { LANG: 'C.UTF-8', HOME: '/root' },
      ...(options.stdin === undefined ? {} : { stdin: options.stdin }),
    },
    signal,
  );
}

/** Like `runCommand`, for commands that have to succeed; gives their standard output. */
export async function runOrThrow(
  argv: readonly [string, ...string[]],
  signal: AbortSignal,
  options: { readonly timeoutMs?: number; readonly stdin?: Uint8Array } = {},
): Promise<string> {
  const result = await runCommand(argv, signal, options);
  if (result.exitCode !== 0) {
    throw new HoldfastError('a command that the lab depends on failed', {
      code: 'ERR_LAB_COMMAND_FAILED',
      fields: { program: argv[0], exitCode: result.exitCode },
      cause: new Error(`${argv.join(' ')}: ${Buffer.from(result.stderr).toString('utf8').trim()}`),
    });
  }
  return Buffer.from(result.stdout).toString('utf8');
}
