/**
 * Runs git by argv, hardened: nothing of the repository's configuration or of the caller's
 * environment makes it run a hook, a file system monitor, a signature check or a transport, take a
 * lock, ask a question, or look at other objects than the ones that are there. Clean filters are the
 * one exception: without them `git status` would call every file of Git LFS changed.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import { HoldfastError } from '@holdfast/core';

/** Why a source tree cannot be read; the field `reason` of `ERR_GATE_SOURCE`. */
export type SourceProblem =
  | 'git-not-installed'
  | 'not-a-work-tree'
  | 'owned-by-another-user'
  | 'no-commit'
  | 'unknown-commit'
  | 'object-missing'
  | 'records-directory'
  | 'too-large'
  | 'git-failed';

export function sourceError(reason: SourceProblem, message: string, cause?: unknown): HoldfastError {
  return new HoldfastError(message, { code: 'ERR_GATE_SOURCE', fields: { reason }, cause });
}

const SETTINGS = [
  'core.fsmonitor=false',
  'core.hooksPath=/dev/null',
  'core.untrackedCache=false',
  // Changes that only the inode shows are changes.
  'core.trustctime=true',
  'core.checkStat=default',
  'core.ignoreStat=false',
  'core.fileMode=true',
  'core.quotePath=false',
  'log.showSignature=false',
  'protocol.allow=never',
  'gc.auto=0',
  'maintenance.auto=false',
  'advice.detachedHead=false',
].flatMap((setting) => ['-c', setting]);

/** A repository of a million files lists in less. */
const MAX_OUTPUT_BYTES = 256 * 1024 * 1024;
/** Enough to tell what went wrong. */
const MAX_ERROR_CHARS = 4_096;

export interface GitOptions {
  readonly signal: AbortSignal;
  readonly input?: string;
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Takes the output piece by piece instead of collecting it. */
  readonly onOutput?: (chunk: Buffer) => void;
}

export class GitExit extends Error {
  override readonly name = 'GitExit';
  readonly stderr: string;
  constructor(verb: string, exitCode: number | null, stderr: string) {
    super(`git ${verb} exited with ${exitCode ?? 'a signal'}: ${stderr.split('\n', 1)[0] ?? ''}`);
    this.stderr = stderr;
  }
}

export class Git {
  readonly directory: string;
  readonly #program: string;

  constructor(program: string, directory: string) {
    this.#program = program;
    this.directory = directory;
  }

  /** The same git in another directory. */
  in(directory: string): Git {
    return new Git(this.#program, directory);
  }

  /**
   * Runs one command and returns what it wrote to standard output.
   *
   * @throws {GitExit} for any exit code but 0
   */
  async run(args: readonly [string, ...string[]], options: GitOptions): Promise<Buffer> {
    options.signal.throwIfAborted();
    const child = spawn(this.#program, ['--no-pager', ...SETTINGS, ...args], {
      cwd: this.directory,
      env: { ...gitEnvironment(), ...options.env },
      stdio: 'pipe',
      signal: options.signal,
      killSignal: 'SIGKILL',
    });
    const chunks: Buffer[] = [];
    let bytes = 0;
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      if (options.onOutput !== undefined) return options.onOutput(chunk);
      bytes += chunk.length;
      if (bytes > MAX_OUTPUT_BYTES) child.kill('SIGKILL');
      else chunks.push(chunk);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr = (stderr + chunk.toString()).slice(0, MAX_ERROR_CHARS);
    });
    child.stdin.on('error', () => undefined); // it ended without reading all: its exit code tells why
    child.stdin.end(options.input);
    try {
      const [exitCode] = (await once(child, 'close')) as [number | null];
      if (bytes > MAX_OUTPUT_BYTES) throw sourceError('too-large', 'git printed more than 256 MiB');
      if (exitCode !== 0) throw new GitExit(args[0], exitCode, stderr);
    } catch (error) {
      options.signal.throwIfAborted();
      throw error;
    }
    return Buffer.concat(chunks);
  }
}

/** HOME stays, for `safe.directory`: whether to trust another user's repository is for the person to say. */
function gitEnvironment(): Record<string, string> {
  const kept = ['PATH', 'HOME', 'XDG_CONFIG_HOME', 'TMPDIR'].flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return {
    ...Object.fromEntries(kept),
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_TERMINAL_PROMPT: '0',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_GRAFT_FILE: '/dev/null',
    GIT_LITERAL_PATHSPECS: '0',
  };
}

/**
 * The first git on the search path, absolute; not one that a package manager linked into it, because what the
 * code under test depends on must not tell us what its sources are.
 *
 * @throws `ERR_GATE_SOURCE`
 */
export function findGit(searchPath: string): string {
  for (const directory of searchPath.split(delimiter)) {
    const candidate = join(directory, 'git');
    if (isAbsolute(directory) && !IN_DEPENDENCIES.test(directory) && isExecutable(candidate)) return candidate;
  }
  throw sourceError('git-not-installed', 'git is not on the search path: install it, a gate judges commits');
}

/** `npx` and `npm run` put these first. */
const IN_DEPENDENCIES = /(?:^|\/)node_modules(?:\/|$)/;

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false; // absent and not executable are the same answer here
  }
}
