/**
 * Runs `git` to read a repository that may be hostile. No shell, no configuration of machine or user,
 * and nothing of the repository's own that would run a program or open a connection: hooks, the
 * fsmonitor, signature programs, external diffs and lazy fetching are off. Only reading subcommands
 * are ever given to it, and nothing of git is locked or written.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';

import { HoldfastError } from '@holdfast/core';

const SEARCH_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/homebrew/bin';

/** git(1) "Environment Variables". What is not named here is not given to git. */
const ENVIRONMENT = {
  PATH: SEARCH_PATH,
  HOME: '/nonexistent',
  LC_ALL: 'C',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_ATTR_NOSYSTEM: '1',
  GIT_OPTIONAL_LOCKS: '0',
  GIT_TERMINAL_PROMPT: '0',
  // What is read is what is there: neither replaced objects nor grafts may hide a commit.
  GIT_NO_REPLACE_OBJECTS: '1',
  GIT_GRAFT_FILE: '/dev/null',
  // A partial clone would fetch what is missing.
  GIT_NO_LAZY_FETCH: '1',
  GIT_ALLOW_PROTOCOL: '',
};

const HARDENING: readonly string[] = [
  '--no-pager',
  ...[
    // Whoever names the directory wants it read; everything that makes a foreign repository dangerous is off.
    'safe.directory=*',
    'core.fsmonitor=false',
    'core.hooksPath=/dev/null',
    'core.untrackedCache=false',
    'core.quotePath=false',
    'log.showSignature=false',
    'log.mailmap=false',
    'diff.external=',
    'submodule.recurse=false',
  ].flatMap((setting) => ['-c', setting]),
];

/** git answers small questions at once; a walk over the whole history is bounded by the caller's signal. */
const STDERR_KEPT_BYTES = 4_096;

/** Chunks of one command's standard output. Ends when git succeeds, throws when it does not. */
export async function* streamGit(
  directory: string,
  args: readonly string[],
  input: Iterable<string> | null,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  signal.throwIfAborted();
  const child: ChildProcessByStdio<Writable, Readable, Readable> = spawn('git', [...HARDENING, ...args], {
    cwd: directory,
    env: ENVIRONMENT,
    shell: false,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const ended = Promise.withResolvers<number | null>();
  let startFailure: unknown;
  child.once('error', (cause) => {
    startFailure = cause;
    ended.resolve(null);
  });
  child.once('close', (exitCode) => ended.resolve(exitCode));
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    if (stderr.length < STDERR_KEPT_BYTES) stderr += chunk.toString('latin1');
  });
  const abort = (): void => void child.kill('SIGKILL');
  signal.addEventListener('abort', abort, { once: true });
  // EPIPE when git ends before it has read everything: its exit code says why.
  child.stdin.on('error', () => undefined);
  const feeding = feed(child.stdin, input ?? []);
  try {
    for await (const chunk of child.stdout) yield chunk as Buffer;
    await feeding;
    const exitCode = await ended.promise;
    signal.throwIfAborted();
    if (exitCode !== 0) throw gitFailed(args[0] ?? '', exitCode, stderr, startFailure);
  } finally {
    signal.removeEventListener('abort', abort);
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    child.stdout.destroy();
    await ended.promise;
  }
}

/** What must be handed over in one write, so that a million object ids are not a million system calls. */
const FEED_CHARS = 65_536;

async function feed(stdin: Writable, lines: Iterable<string>): Promise<void> {
  let pending = '';
  for (const line of lines) {
    pending += `${line}\n`;
    if (pending.length < FEED_CHARS) continue;
    await written(stdin, pending);
    pending = '';
    if (stdin.destroyed) return;
  }
  if (pending !== '') await written(stdin, pending);
  stdin.end();
}

/** Resolves also when the pipe broke: then git's exit code tells. */
function written(stdin: Writable, text: string): Promise<void> {
  return new Promise((resolve) => {
    stdin.write(text, () => resolve());
  });
}

/** The whole output of a command that answers with a little. */
export async function readGit(
  directory: string,
  args: readonly string[],
  signal: AbortSignal,
  maxBytes = 1_048_576,
): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of streamGit(directory, args, null, signal)) {
    sizeBytes += chunk.length;
    if (sizeBytes > maxBytes) throw gitFailed(args[0] ?? '', null, 'answered more than expected', undefined);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Output split at `separator`; what follows the last one is yielded when it is not empty. Names that are not UTF-8 keep their bytes as Latin-1. */
export async function* splitOutput(
  chunks: AsyncIterable<Buffer>,
  separator: number,
): AsyncGenerator<string, void, undefined> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    const all: Buffer = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let from = 0;
    for (let at = all.indexOf(separator); at >= 0; at = all.indexOf(separator, from)) {
      yield decodeName(all.subarray(from, at));
      from = at + 1;
    }
    rest = all.subarray(from);
  }
  if (rest.length > 0) yield decodeName(rest);
}

function decodeName(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  return text.includes('\uFFFD') ? bytes.toString('latin1') : text;
}

/** git's own words may quote names of the repository; only a known reason goes into the fields. */
function gitFailed(subcommand: string, exitCode: number | null, stderr: string, cause: unknown): HoldfastError {
  const reason =
    cause !== undefined
      ? 'git could not be started'
      : /not a git repository/i.test(stderr)
        ? 'this is no git repository'
        : /missing|bad object|unable to read|corrupt|promisor/i.test(stderr)
          ? 'objects are missing or damaged: see `git fsck`'
          : 'git refused';
  return new HoldfastError('git could not read the repository', {
    code: 'ERR_SCAN_INPUT',
    fields: { subcommand, exitCode, reason },
    cause,
  });
}
