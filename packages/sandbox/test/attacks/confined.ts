/** One command of the attack program through the production path, with all of its output and how it ended. */
import { buffer } from 'node:stream/consumers';
import type { Sandbox, SandboxJob } from '../../src/index.ts';

export interface Confined {
  readonly stdout: string;
  /** `exit N`, the name of a signal, or the error code of a sandbox that did not come about. */
  readonly ended: string;
  readonly truncated: boolean;
}

export async function runConfined(sandbox: Sandbox, job: SandboxJob, signal: AbortSignal): Promise<Confined> {
  await using run = await sandbox.start(job, signal);
  await run.end();
  const [stdout, , result] = await Promise.all([buffer(run.stdout), buffer(run.stderr), run.result]);
  const ended = result.signal ?? `exit ${result.exitCode}`;
  return { stdout: stdout.toString('latin1'), ended, truncated: result.truncated };
}
