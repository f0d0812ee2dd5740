/** `holdfast sandbox`: the process sandbox for people, with a spawner that lives as long as the command. */
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { HoldfastError } from '@holdfast/core';
import { parseSandboxProfile, SANDBOX_LAYERS, type SandboxProfile } from '@holdfast/policy';
import {
  BUILT_IN_PROFILES,
  describeProfile,
  openSandbox,
  type SandboxResult,
  type SandboxRun,
} from '@holdfast/sandbox';
import { type CommandResult, formatTable } from '../output.ts';

interface RunOptions {
  readonly profile: string;
  /** Seconds. */
  readonly timeout: number;
  readonly json?: boolean | undefined;
}

/** As shells count a signal. */
const EXIT_SIGNAL = 128;
/** What the spawner allows at most: a week. */
const MAX_TIMEOUT_SECONDS = 7 * 86_400;

export async function runConfined(
  argv: readonly string[],
  options: RunOptions,
  signal: AbortSignal,
): Promise<CommandResult> {
  const [program = '', ...args] = argv;
  if (!program.startsWith('/'))
    throw usage(`the program is an absolute path as seen inside, such as /usr/bin/${program}`);
  if (!(options.timeout > 0 && options.timeout <= MAX_TIMEOUT_SECONDS)) {
    throw usage(`a time-out is a number of seconds above 0 and up to ${MAX_TIMEOUT_SECONDS}`);
  }
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
  for (const line of remarks(result, profile, options)) process.stderr.write(`holdfast: ${line}\n`);
  const { signal: endedBy } = result;
  const exitCode = result.exitCode ?? EXIT_SIGNAL + (endedBy === null ? 0 : signalNumber(endedBy));
  return { data: { profile: profile.name, argv, ...result }, text: '', exitCode };
}

/** What a person would otherwise have to guess, a line each. */
function remarks(result: SandboxResult, { limits }: SandboxProfile, { timeout }: RunOptions): readonly string[] {
  const { endedBy, layers: active, signal, truncated } = result;
  const why: Readonly<Record<SandboxResult['endedBy'], string | null>> = {
    itself: signal === 'SIGXFSZ' ? `the command wrote a file of more than ${limits.fileBytes} bytes` : null,
    timeout: `the command was ended after its time-out of ${timeout} s`,
    abort: 'the command was ended because you asked for it',
    'memory-limit': `the command was ended because it used all of its ${limits.memoryBytes} bytes of memory`,
    'cpu-limit': `the command was ended because it used all of its ${limits.cpuSeconds} s of processor time`,
  };
  const without = SANDBOX_LAYERS.filter((layer) => !active.includes(layer));
  return [
    ...(why[endedBy] === null ? [] : [why[endedBy]]),
    ...(truncated ? [`output above ${limits.outputBytes} bytes of a stream was dropped`] : []),
    ...(without.length === 0 ? [] : [`the profile gives up and this run was without: ${without.join(', ')}`]),
  ];
}

/** Real-time signals have no name, and come as `SIG` and their number. */
function signalNumber(name: string): number {
  return (constants.signals as Readonly<Record<string, number>>)[name] ?? Number(name.slice('SIG'.length));
}

const usage = (message: string): HoldfastError => new HoldfastError(message, { code: 'ERR_CLI_USAGE' });

export async function show(name: string): Promise<CommandResult> {
  const profile = findProfile(name);
  const { plan, seccomp, bubblewrap } = describeProfile(profile);
  const options = bubblewrap.join(' ').replaceAll(' --', '\n  --');
  const calls = seccomp.replaceAll(/^(?=.)/gm, '  ');
  const parts = [plan, 'namespaces and files, made by bubblewrap', `  ${options}`, '', 'system calls', calls];
  const text = parts.join('\n').split('\n').flatMap(fold).join('\n');
  return { data: { profile, plan, seccomp, bubblewrap }, text };
}

/** A line at most this long, and the rest of it below, indented. */
const LINE_CHARS = 100;
function fold(line: string): readonly string[] {
  const indent = `${/^ */.exec(line)?.[0] ?? ''}    `;
  const lines = [line];
  for (let last = line; last.length > LINE_CHARS; last = lines.at(-1) ?? '') {
    const at = last.lastIndexOf(' ', LINE_CHARS);
    if (at <= indent.length) break; // one long word
    lines.splice(-1, 1, last.slice(0, at), `${indent}${last.slice(at + 1)}`);
  }
  return lines;
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
