/**
 * A command behind a sandbox profile, when the gate file asks for one. The sandbox comes through a port,
 * so that gates without such commands need neither root nor any layer of it.
 */
import { type Clock, hasCode, HoldfastError } from '@holdfast/core';
import type { SandboxJob, SandboxRun } from '@holdfast/sandbox';
import type { Execution, ExecuteOptions } from './execute.ts';

export interface SandboxedCommands {
  /**
   * Starts a job behind the named profile, to which `root` is added: the tree under test, of which it
   * sees everything and writes nothing.
   *
   * @throws `HoldfastError` when there is no such profile or it cannot be enforced here: nothing was run
   */
  start(profile: string, root: string, job: Omit<SandboxJob, 'profile'>, signal: AbortSignal): Promise<SandboxRun>;
}

/** Like `execute`. Without a sandbox nothing is run at all, and standard error says why: never unconfined instead. */
export async function executeConfined(
  clock: Clock,
  sandbox: SandboxedCommands | null,
  profile: string,
  root: string,
  options: ExecuteOptions,
  signal: AbortSignal,
): Promise<Execution> {
  const { program, argv, cwd, environment: env, timeoutMs } = options;
  const startMs = clock.monotonicMs();
  try {
    if (sandbox === null) throw new HoldfastError('there is no sandbox here', { code: 'ERR_SANDBOX_MISSING' });
    const job = { argv: [program, ...argv.slice(1)] as const, cwd, env, timeoutMs };
    await using running = await sandbox.start(profile, root, job, signal);
    await running.end();
    await Promise.all([copy(running.stdout, options.stdout), copy(running.stderr, options.stderr)]);
    const { endedBy, exitCode, signal: killedBy, profileHash } = await running.result;
    const durationMs = clock.monotonicMs() - startMs;
    const ending = ENDINGS[endedBy] ?? (killedBy === null ? 'itself' : 'signal');
    return { ending, exitCode, signal: killedBy, durationMs, sandbox: { profile, profileHash } };
  } catch (error) {
    const ending = signal.aborted ? 'interrupted' : 'not-started';
    if (!signal.aborted) options.stderr.write(Buffer.from(`not started behind profile ${profile}: ${whyNot(error)}\n`));
    return { ending, exitCode: null, signal: null, durationMs: clock.monotonicMs() - startMs, sandbox: null };
  }
}

const ENDINGS: Readonly<Record<string, Execution['ending']>> = {
  timeout: 'timeout',
  abort: 'interrupted',
  'memory-limit': 'signal',
  'cpu-limit': 'signal',
};
const CANNOT_START = [
  'ERR_SANDBOX_MISSING',
  'ERR_SANDBOX_PROFILE',
  'ERR_SANDBOX_START',
  'ERR_SANDBOX_SPAWNER_GONE',
] as const;

/** @throws what is no answer of a sandbox */
function whyNot(error: unknown): string {
  const refusal = CANNOT_START.some((code) => hasCode(error, code)) ? (error as HoldfastError) : null;
  if (refusal === null) throw error;
  const { message, code, fields } = refusal;
  const details = Object.entries(fields).map(([name, value]) => `${name} ${String(value)}`);
  return `${[message, ...details].join(', ')} (${code}; \`holdfast sandbox layers\` says what this host has)`;
}

async function copy(from: AsyncIterable<Uint8Array>, to: ExecuteOptions['stdout']): Promise<void> {
  for await (const bytes of from) to.write(bytes);
}
