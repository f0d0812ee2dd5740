/** `holdfast wasm …`: runs one WebAssembly module, confined and metered, or says what it is (X-09). */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type ErrorCode, HoldfastError } from '@holdfast/core';
import { systemClock } from '@holdfast/host-linux';
import { DEFAULT_MODULE_LIMITS, DEFAULT_RUN_LIMITS, type OutputListener } from '@holdfast/wasm';
import {
  commitChanges,
  DEFAULT_WASM_RUNNER_OPTIONS,
  type DirectoryGrant,
  openWasmRunner,
  type WasmTask,
  type WasmTaskResult,
} from '@holdfast/wasm-runner';
import type { CommandResult } from '../output.ts';
import { parseBytes, parseDurationMs } from '../parse-quantity.ts';
import { openRunnerHost } from '../wasm-host.ts';

interface RunOptions {
  readonly fuel: string;
  readonly deadline: string;
  readonly memory: string;
  readonly dir?: readonly string[] | undefined;
  readonly env?: readonly string[] | undefined;
  readonly stdin?: string | undefined;
  readonly entry?: string | undefined;
  readonly deterministic?: boolean | undefined;
  readonly seed?: string | undefined;
  readonly commit?: boolean | undefined;
  readonly usage?: boolean | undefined;
  readonly processSandbox: boolean;
  readonly json?: boolean | undefined;
}

/** As shells count what a signal ended: SIGXCPU, SIGKILL for memory, SIGXFSZ, SIGABRT; and 124 as timeout(1). */
const EXIT_OF_ERROR: Partial<Record<ErrorCode, number>> = {
  ERR_WASM_DEADLINE: 124,
  ERR_WASM_FUEL: 152,
  ERR_WASM_MEMORY: 137,
  ERR_WASM_OUTPUT: 153,
  ERR_WASM_STACK: 134,
  ERR_WASM_TRAP: 134,
};
const EXIT_OTHER = 70;

/** Of a directory the guest may write to. */
const COPY_QUOTA = { quotaBytes: 67_108_864, quotaFiles: 10_000 };
/** Of one that it reads: bytes in all, however often. */
const READ_QUOTA = { quotaBytes: 17_179_869_184, quotaFiles: 1_000_000 };
/** 1 ns of guest time for a unit of fuel: about what a fast processor does. */
const FUEL_CLOCK = { kind: 'fuel', startNs: 0n, fuelPerNs: 1 } as const;
const SEED_BYTES = 32;
const TENANT = 'command-line';
/** The largest module the gate lets pass takes a few seconds. */
const INSPECT_DEADLINE_MS = 30_000;

const usage = (message: string): HoldfastError => new HoldfastError(message, { code: 'ERR_CLI_USAGE' });

export async function runModule(
  file: string,
  args: readonly string[],
  options: RunOptions,
  signal: AbortSignal,
): Promise<CommandResult> {
  const task = taskOf(file, args, options);
  await using opened = await openRunner(options, task.moduleLimits.memoryBytes, signal);
  const result = await opened.runner.run(task, signal, options.json === true ? undefined : passOn);
  const exitCode = result.exitCode ?? EXIT_OF_ERROR[result.error?.code ?? 'ERR_WASM_RUNNER'] ?? EXIT_OTHER;
  const committed = options.commit === true && result.error === null && exitCode === 0 ? commit(task, result) : 0;
  if (options.json !== true) show(result, options, committed);
  return { data: dataOf(result, committed), text: '', exitCode: exitCode & 0xff };
}

/** One process, for as long as the command takes. */
async function openRunner(options: { readonly processSandbox: boolean }, maxMemoryBytes: number, signal: AbortSignal) {
  const one = { ...DEFAULT_WASM_RUNNER_OPTIONS, maxProcesses: 1, warmProcesses: 1, maxMemoryBytes };
  const stack = new AsyncDisposableStack();
  const host = stack.use(await openRunnerHost(options, maxMemoryBytes, signal));
  const runner = stack.use(openWasmRunner({ host, clock: systemClock() }, one));
  return { runner, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** At once, as a terminal would show it; copied, because what is told is good only while it is told. */
const passOn: OutputListener = (stream, bytes) => void process[stream].write(Uint8Array.from(bytes));

function taskOf(file: string, args: readonly string[], options: RunOptions): WasmTask {
  const deterministic = options.deterministic === true;
  const seed = options.seed ?? (deterministic ? '00'.repeat(SEED_BYTES) : undefined);
  if (seed !== undefined && !/^([0-9a-fA-F]{2}){1,32}$/.test(seed)) throw usage('a seed is 1 to 32 bytes in hex');
  if (!/^[1-9]\d{0,17}$/.test(options.fuel)) throw usage('fuel is a whole number above 0');
  return {
    tenant: TENANT,
    module: readInput(file),
    ...(options.entry === undefined ? {} : { entry: options.entry }),
    args: [file, ...(args[0] === '--' ? args.slice(1) : args)],
    env: Object.fromEntries((options.env ?? []).map(parseVariable)),
    stdin: options.stdin === undefined ? new Uint8Array() : readInput(options.stdin),
    directories: (options.dir ?? []).map(parseGrant),
    clock: deterministic ? FUEL_CLOCK : { kind: 'coarse', resolutionMs: 1 },
    randomness: seed === undefined ? { kind: 'system' } : { kind: 'seeded', seed: Buffer.from(seed, 'hex') },
    moduleLimits: { ...DEFAULT_MODULE_LIMITS, memoryBytes: parseBytes(options.memory) },
    runLimits: { ...DEFAULT_RUN_LIMITS, fuel: BigInt(options.fuel) },
    deadlineMs: parseDurationMs(options.deadline),
    hashMemory: deterministic,
  };
}

/** `-` is standard input. */
function readInput(path: string): Uint8Array {
  try {
    return readFileSync(path === '-' ? 0 : path);
  } catch (cause) {
    throw new HoldfastError('a file cannot be read', { code: 'ERR_INPUT_INVALID', cause });
  }
}

function parseVariable(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw usage('a variable is NAME=value');
  return [text.slice(0, at), text.slice(at + 1)];
}

/** `HOST::GUEST`, and `:ro` or `:cow` behind it; read-only unless said. */
function parseGrant(text: string): DirectoryGrant {
  const [, host, guest, mode] = /^(.+?)::(\/[^:]*?)(?::(ro|cow))?$/.exec(text) ?? [];
  if (host === undefined || guest === undefined) throw usage('a directory is HOST::/GUEST, HOST::/GUEST:ro or :cow');
  const shared = { hostPath: resolve(host), guestPath: guest };
  return mode === 'cow'
    ? { ...shared, mode: 'copy-on-write', ...COPY_QUOTA }
    : { ...shared, mode: 'read-only', ...READ_QUOTA };
}

const note = (text: string): void => void process.stderr.write(`holdfast: ${text}\n`);
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

/** @returns how many changes were written */
function commit({ directories }: WasmTask, { changes }: WasmTaskResult): number {
  for (const [index, { hostPath }] of directories.entries()) {
    const own = changes.filter(({ directory }) => directory === index);
    if (own.length > 0) commitChanges(hostPath, own);
  }
  return changes.length;
}

function show(
  { error, truncated, usage: used, changes, memorySha256 }: WasmTaskResult,
  options: RunOptions,
  committed: number,
): void {
  if (error !== null) note(`the module was ended: ${error.detail} [${error.code}]`);
  if (truncated) note('its output reached the cap; the rest was dropped');
  if (changes.length > committed) note(`${changes.length} changes to its copies of directories were not written back`);
  if (options.usage !== true) return;
  const { io } = used;
  note(`fuel ${used.fuel}, memory ${Math.ceil(used.peakMemoryBytes / 1_024)} KiB`);
  note(`wall ${used.wallMs.toFixed(1)} ms, processor ${used.cpuMs.toFixed(1)} ms`);
  note(`read ${io.readBytes} bytes in ${io.reads} calls, wrote ${io.writtenBytes} in ${io.writes}, opened ${io.opens}`);
  if (memorySha256 !== null) note(`memory ${memorySha256}`);
}

function dataOf(
  { stdout, stderr, changes, fuelLeft, usage: used, layers, ...result }: WasmTaskResult,
  committed: number,
) {
  return {
    ...result,
    processSandbox: layers.length > 0,
    layers,
    fuelLeft: String(fuelLeft),
    usage: { ...used, fuel: String(used.fuel) },
    stdoutBase64: base64(stdout),
    stderrBase64: base64(stderr),
    committed,
    changes: changes.map(({ bytes, path, ...change }) => ({
      ...change,
      path: path.join('/'),
      sizeBytes: bytes?.length ?? null,
    })),
  };
}

interface InspectOptions {
  readonly processSandbox: boolean;
}

/** Decoded and metered behind the wall as well: the bytes are as hostile as what they would do (X-15). */
export async function inspect(file: string, options: InspectOptions, signal: AbortSignal): Promise<CommandResult> {
  const module = readInput(file);
  await using opened = await openRunner(options, DEFAULT_MODULE_LIMITS.memoryBytes, signal);
  const task = { tenant: TENANT, module, moduleLimits: DEFAULT_MODULE_LIMITS, deadlineMs: INSPECT_DEADLINE_MS };
  const description = await opened.runner.inspect(task, signal);
  const { sha256, imports, exports, memory, hasStartSection, meteredBytes } = description;
  const sizeBytes = module.length;
  const growth = (meteredBytes / sizeBytes).toFixed(2);
  const text = [
    `sha256   ${sha256}`,
    `size     ${sizeBytes} bytes, metered ${meteredBytes} (${growth} ×)`,
    `memory   ${memory === null ? 'none' : `${memory.initialPages} to ${memory.maximumPages} pages of 64 KiB`}`,
    `start    ${hasStartSection ? 'a start section, run under the budget' : 'no start section'}`,
    ...imports.map(({ module, name }) => `import   ${module} ${name}`),
    ...exports.map(({ kind, name }) => `export   ${kind} ${name}`),
  ].join('\n');
  return { data: { sizeBytes, ...description }, text };
}
