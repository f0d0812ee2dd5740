/** `holdfast sandbox`: the process sandbox for people, with a spawner that lives as long as the command. */
import { readFileSync } from 'node:fs';
import { HoldfastError } from '@holdfast/core';
import { parseSandboxProfile, type SandboxProfile } from '@holdfast/policy';
import { BUILT_IN_PROFILES, describeProfile, openSandbox, type SandboxRun } from '@holdfast/sandbox';
import { type CommandResult, formatTable } from '../output.ts';

interface RunOptions {
  readonly profile: string;
  /** Seconds. */
  readonly timeout: number;
  readonly json?: boolean | undefined;
}

/** As shells count a signal; which one is in `--json`. */
const EXIT_SIGNAL = 128;

export async function runConfined(
  argv: readonly string[],
  options: RunOptions,
  signal: AbortSignal,
): Promise<CommandResult> {
  const [program = '', ...args] = argv;
  await using sandbox = await openSandbox();
  const profile = findProfile(options.profile);
  await using running = await sandbox.start(
    { profile, argv: [program, ...args], timeoutMs: options.timeout * 1_000 },
    signal,
  );
  void feed(running);
  // With --json standard output is one document; what the command writes is then for standard error.
  const stdout = options.json === true ? process.stderr : process.stdout;
  await Promise.all([copy(running.stdout, stdout), copy(running.stderr, process.stderr)]);
  const result = await running.result;
  process.stdin.destroy();
  if (result.endedBy !== 'itself') process.stderr.write(`holdfast: ended by ${result.endedBy}\n`);
  if (result.truncated) process.stderr.write('holdfast: output above the cap of the profile was dropped\n');
  return { data: result, text: '', exitCode: result.exitCode ?? EXIT_SIGNAL };
}

export async function show(name: string): Promise<CommandResult> {
  const profile = findProfile(name);
  const text = describeProfile(profile);
  return { data: { profile, plan: text }, text };
}

export async function layers(signal: AbortSignal): Promise<CommandResult> {
  await using sandbox = await openSandbox();
  const states = await sandbox.layers(signal);
  const rows = states.map(({ layer, available, reason, fix }) => [
    available ? 'here' : 'missing',
    layer,
    fix === null ? reason : `${reason} → ${fix}`,
  ]);
  const isWhole = states.every(({ available }) => available);
  return { data: states, text: formatTable(['STATE', 'LAYER', 'WHY'], rows), exitCode: isWhole ? 0 : 1 };
}

function findProfile(name: string): SandboxProfile {
  const known = BUILT_IN_PROFILES.find((profile) => profile.name === name);
  if (known !== undefined) return known;
  let text: string;
  try {
    text = readFileSync(name, 'utf8');
  } catch (cause) {
    const names = BUILT_IN_PROFILES.map((profile) => profile.name).join(', ');
    throw new HoldfastError(`no such profile: neither a file nor one of ${names}`, {
      code: 'ERR_SANDBOX_PROFILE',
      cause,
    });
  }
  return parseSandboxProfile(text);
}

async function feed(running: SandboxRun): Promise<void> {
  try {
    for await (const bytes of process.stdin) await running.write(bytes as Buffer);
  } catch {
    // standard input was closed because the command has ended
  }
  await running.end();
}

async function copy(from: AsyncIterable<Uint8Array>, to: NodeJS.WriteStream): Promise<void> {
  for await (const bytes of from) {
    if (!to.write(bytes)) await new Promise<void>((resolve) => void to.once('drain', resolve));
  }
}
