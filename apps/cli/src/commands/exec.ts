/** `holdfast exec`: asks the guard to run a declared command, shows what it wrote and ends as it ended (G-32). */
import { readdirSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { type CommandReport, hostPaths } from '@holdfast/api';
import { HoldfastError, type Json, type JsonObject } from '@holdfast/core';
import { connectGuard } from '@holdfast/guard';
import { type Command, parsePolicy } from '@holdfast/policy';
import type { RootOption } from '../host-wiring.ts';
import { type CommandResult, formatTable } from '../output.ts';

interface ExecOptions extends RootOption {
  readonly list?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/** As shells count a process that a signal ended. */
const SIGNAL_BASE = 128;
const EXIT_UNKNOWN = 70;

export async function exec(
  name: string | undefined,
  params: readonly string[],
  options: ExecOptions,
  signal: AbortSignal,
): Promise<CommandResult> {
  if (options.list === true) return list(options);
  if (name === undefined) throw new HoldfastError('name a command, or ask for the --list', { code: 'ERR_CLI_USAGE' });
  const operation = name.startsWith('exec.') ? name : `exec.${name}`;
  const wanted = { operation, params: parseParams(params) };
  using guard = connectGuard(hostPaths(options.root).socket, signal);
  if (options.dryRun === true) {
    const plan = await guard.plan(wanted.operation, wanted.params);
    const isAllowed = plan.decision.effect === 'allow';
    const argv = plan.steps[0]?.detail?.['argv'];
    return { data: plan, text: isAllowed ? JSON.stringify(argv) : plan.decision.effect, exitCode: isAllowed ? 0 : 1 };
  }
  const report = await guard.exec(wanted);
  if (options.json !== true) show(report);
  return { data: report, text: '', exitCode: exitCodeOf(report) };
}

/** `key=value` is text; `key:=value` is JSON, for parameters that are integers. */
function parseParams(words: readonly string[]): JsonObject {
  const params: Record<string, Json> = {};
  for (const word of words) {
    const [, key = '', kind, value = ''] = /^([A-Za-z][A-Za-z0-9_]{0,63})(:?=)(.*)$/s.exec(word) ?? [];
    if (key === '' || Object.hasOwn(params, key)) {
      throw new HoldfastError('a parameter is given once, as key=value or key:=json', { code: 'ERR_CLI_USAGE' });
    }
    params[key] = kind === '=' ? value : parseJson(value, key);
  }
  return params;
}

function parseJson(text: string, param: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (cause) {
    throw new HoldfastError('what follows := is no JSON', { code: 'ERR_CLI_USAGE', fields: { param }, cause });
  }
}

/** Bytes as the command wrote them; what there is to say about it goes to standard error. */
function show({ shown, stdout, stderr, code, endedBy, exitCode, signal, bundleId }: CommandReport): void {
  const isCut = stdout.truncated || stderr.truncated || Buffer.byteLength(shown.stdout, 'base64') < stdout.bytes;
  process.stdout.write(Buffer.from(shown.stdout, 'base64'));
  process.stderr.write(Buffer.from(shown.stderr, 'base64'));
  const proof = bundleId === null ? 'its evidence is not sealed yet' : `evidence ${bundleId}`;
  if (isCut) process.stderr.write(`holdfast: ${stdout.bytes + stderr.bytes} bytes were written, not all are shown\n`);
  const how = exitCode === null ? `by ${signal ?? 'an unknown signal'}` : `with exit code ${exitCode}`;
  const why = endedBy === 'itself' ? '' : ` (${endedBy})`;
  if (code !== null) process.stderr.write(`holdfast: the command ended ${how}${why} [${code}]; ${proof}\n`);
}

function exitCodeOf({ exitCode, signal }: CommandReport): number {
  if (exitCode !== null) return exitCode;
  const number = Object.entries(constants.signals).find(([name]) => name === signal)?.[1];
  return number === undefined ? EXIT_UNKNOWN : SIGNAL_BASE + number;
}

/** What the policy files of this host declare, for whoever may read them; the guard is not asked. */
function list({ root }: ExecOptions): CommandResult {
  const { policy, findings } = parsePolicy(readPolicy(hostPaths(root).policy));
  if (policy === null) {
    const [first] = findings;
    throw new HoldfastError('the policy of this host does not load: run `holdfast policy lint`', {
      code: 'ERR_INPUT_INVALID',
      fields: { path: first?.path ?? '', problem: first?.message ?? '' },
    });
  }
  const commands = [...policy.commands.values()];
  const rows = commands.map((command) => [
    command.name,
    command.profile,
    `${command.timeoutMs} ms`,
    [command.path, ...command.argv].join(' '),
    describeParams(command),
  ]);
  return { data: { commands }, text: formatTable(['COMMAND', 'PROFILE', 'TIME-OUT', 'RUNS', 'PARAMETERS'], rows) };
}

function describeParams({ params }: Command): string {
  return Object.entries(params)
    .map(([name, { type }]) => (type === 'integer' ? `${name}:=number` : `${name}=${type}`))
    .join(' ');
}

function readPolicy(path: string): string[] {
  const directory = join(dirname(path), 'policy.d');
  try {
    const names = readdirSync(dirname(path)).includes('policy.d') ? readdirSync(directory) : [];
    const dropIns = names.filter((name) => name.endsWith('.toml')).toSorted();
    return [path, ...dropIns.map((name) => join(directory, name))].map((file) => readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new HoldfastError('the policy of this host cannot be read', {
      code: 'ERR_INPUT_INVALID',
      fields: { path },
      cause,
    });
  }
}
