/**
 * Which tools a session runs with (R-08: other than the release build's, and its runs do not count):
 * the first line that each prints, and the digest of the program itself.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import type { Clock } from '@holdfast/core';
import type { Gate } from '../gate-file/gate-schema.ts';
import type { CommandRun } from '../records/statements.ts';
import { execute } from './execute.ts';
import { findExecutable } from './find-executable.ts';
import { CapturedStream } from './session-pack.ts';

type Tool = CommandRun['toolchain'][number];

/** A tool that takes longer to say its name is broken. */
const VERSION_TIMEOUT_MS = 30_000;
/** Of the record's schema. */
const MAX_VERSION_CHARS = 300;

export async function readToolchain(
  clock: Clock,
  where: { readonly run: string; readonly root: string; readonly environment: Readonly<Record<string, string>> },
  tools: Gate['toolchain'],
  signal: AbortSignal,
): Promise<readonly Tool[]> {
  return Promise.all(
    tools.map(async ({ name, argv }): Promise<Tool> => {
      const { root: cwd, environment } = where;
      // Each its own: the end of one must not end the others.
      const run = `${where.run}/${name}`;
      const program = await findExecutable(argv[0] ?? '', environment['PATH'] ?? '', cwd);
      if (program === null) return { name, version: 'not found', executable: null };
      const [stdout, stderr] = [new CapturedStream(), new CapturedStream()];
      const options = {
        run,
        program,
        argv,
        cwd,
        environment,
        timeoutMs: VERSION_TIMEOUT_MS,
        watchdog: null,
        stdout,
        stderr,
      };
      const { ending, exitCode } = await execute(clock, options, signal);
      const executable = await digestOf(program);
      if (ending !== 'itself' || exitCode !== 0) {
        return { name, version: `failed: ${ending}, exit code ${exitCode ?? 'none'}`, executable };
      }
      const version = firstLine(stdout) || firstLine(stderr) || 'printed nothing';
      return { name, version, executable };
    }),
  );
}

function firstLine(stream: CapturedStream): string {
  const text = new TextDecoder().decode(stream.kept().subarray(0, 4 * MAX_VERSION_CHARS));
  return (text.trimStart().split('\n', 1)[0] ?? '').trim().slice(0, MAX_VERSION_CHARS).toWellFormed();
}

/** Hex SHA-256 of the program's file, behind symlinks; `null` when it may be run but not read. */
async function digestOf(program: string): Promise<string | null> {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(await realpath(program), { highWaterMark: 1024 * 1024 }), hash);
  } catch {
    return null;
  }
  return hash.digest('hex');
}
