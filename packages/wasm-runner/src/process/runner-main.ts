/**
 * The process that hosts untrusted WebAssembly: decoding, metering, compiling and running all happen in
 * here, one task after the other, until the parent closes the pipe or kills it. It is no
 * wall itself: the sandbox around it is. Started only by a `RunnerHost`.
 */
import { Console } from 'node:console';
import { isHoldfastError } from '@holdfast/core';
import {
  admitModule,
  compileAdmitted,
  DEFAULT_MODULE_LIMITS,
  DEFAULT_RUN_LIMITS,
  type CompiledModule,
  type GuestDirectory,
  OFFERED_IMPORTS,
  runModule,
  type SnapshotFileSystem,
  snapshotFileSystem,
} from '@holdfast/wasm';
import type { SentDirectory, SentInspection, SentRequest, SentTask } from '../protocol/messages.ts';
import { brokerFileSystem, type RemoteBroker } from './broker-file-system.ts';
import { call, receive, send, sendOutput } from './channel.ts';
import { OutputSender } from './output-sender.ts';

/** Compiled modules kept, the oldest goes: their code stays in memory. */
const MAX_COMPILED = 8;
const compiled = new Map<string, CompiledModule>();

/** Standard output belongs to the protocol. */
globalThis.console = new Console(process.stderr);

function compile({ moduleSha256, moduleLimits }: SentTask): CompiledModule {
  const key = `${moduleSha256} ${JSON.stringify(moduleLimits)}`;
  let module = compiled.get(key);
  if (module === undefined) {
    const bytes = call({ op: 'module' }) as Uint8Array; // the parent's answer, as all of these
    module = compileAdmitted(admitModule(bytes, OFFERED_IMPORTS, moduleLimits));
  }
  compiled.delete(key);
  compiled.set(key, module);
  const [oldest] = compiled.keys();
  if (compiled.size > MAX_COMPILED && oldest !== undefined) compiled.delete(oldest);
  return module;
}

function remoteBroker(directory: number): RemoteBroker {
  return {
    stat: (path) => call({ op: 'stat', directory, path: [...path] }) as ReturnType<RemoteBroker['stat']>,
    list: (path) => call({ op: 'list', directory, path: [...path] }) as ReturnType<RemoteBroker['list']>,
    open: (path) => call({ op: 'open', directory, path: [...path] }) as ReturnType<RemoteBroker['open']>,
    statFile: (handle) => call({ op: 'statFile', directory, handle }) as ReturnType<RemoteBroker['statFile']>,
    read: (handle, offset, length) =>
      call({ op: 'read', directory, handle, offset, length }) as ReturnType<RemoteBroker['read']>,
    close: (handle) => void call({ op: 'close', directory, handle }),
  };
}

function openDirectories(sent: readonly SentDirectory[]) {
  const snapshots: { readonly directory: number; readonly files: SnapshotFileSystem }[] = [];
  const directories = sent.map((grant, directory): GuestDirectory => {
    if (grant.kind === 'broker') {
      return { guestPath: grant.guestPath, files: brokerFileSystem(remoteBroker(directory)) };
    }
    const files = snapshotFileSystem(grant.entries, grant);
    snapshots.push({ directory, files });
    return { guestPath: grant.guestPath, files };
  });
  return { directories, snapshots };
}

function runTask(task: SentTask): void {
  const module = compile(task);
  const { directories, snapshots } = openDirectories(task.directories);
  const { args, env, stdin, clock, randomness, runLimits: limits, hashMemory, entry } = task;
  const output = new OutputSender(sendOutput, () => performance.now());
  const {
    stdout: _stdout,
    stderr: _stderr,
    fuelLeft,
    usage,
    ...result
  } = runModule(module, {
    capabilities: { args, env, stdin, directories, clock, randomness },
    limits,
    hashMemory,
    onOutput: (stream, bytes) => output.write(stream, bytes),
    ...(entry === undefined ? {} : { entry }),
  });
  output.flush();
  const changed = snapshots.flatMap(({ directory, files }) =>
    files.changes().map(({ path, kind, change, bytes }) => ({ directory, path: [...path], kind, change, bytes })),
  );
  send(
    {
      type: 'result',
      result: {
        ...result,
        fuelLeft: String(fuelLeft),
        usage: { ...usage, fuel: String(usage.fuel) },
        changes: changed.map(({ bytes, ...change }) => ({ ...change, hasBytes: bytes !== null })),
        residentBytes: process.memoryUsage.rss(),
      },
    },
    changed.flatMap(({ bytes }) => (bytes === null ? [] : [bytes])),
  );
}

function inspect({ module, moduleLimits }: SentInspection): void {
  const admitted = admitModule(module, OFFERED_IMPORTS, moduleLimits);
  const { sha256, memory, metered, startExport } = admitted;
  send({
    type: 'description',
    description: {
      sha256,
      memory,
      meteredBytes: metered.length,
      hasStartSection: startExport !== null,
      imports: admitted.imports.map((names) => ({ module: printable(names.module), name: printable(names.name) })),
      exports: admitted.exports.map(({ name, kind }) => ({ name: printable(name), kind })),
    },
  });
}

/** `(module (func (export "_start")))` */
const EMPTY_PROGRAM = Buffer.from('0061736d0100000001040160000003020100070a01065f737461727400000a040102000b', 'hex');

/** One run before the first task: proves that runs are possible in here, and compiles our own code. */
function rehearse(): void {
  const admitted = admitModule(EMPTY_PROGRAM, OFFERED_IMPORTS, DEFAULT_MODULE_LIMITS);
  const capabilities = {
    args: [],
    env: {},
    stdin: new Uint8Array(),
    directories: [],
    clock: { kind: 'fuel', startNs: 0n, fuelPerNs: 1 },
    randomness: { kind: 'system' },
  } as const;
  const { exitCode } = runModule(compileAdmitted(admitted), { capabilities, limits: DEFAULT_RUN_LIMITS });
  if (exitCode !== 0) throw new Error('the rehearsal did not end well');
}

rehearse();
send({ type: 'ready' });
for (let request = receive(); request !== undefined; request = receive()) {
  try {
    const asked = request as SentRequest; // the parent's, who is trusted
    if (asked.type === 'run') runTask(asked);
    else inspect(asked);
  } catch (error) {
    // Whatever is not a refusal is our own bug or worse: the process ends, and the parent sees that.
    if (!isHoldfastError(error)) throw error;
    const fields = Object.entries(error.fields).map(
      ([name, value]) => [name, typeof value === 'string' ? printable(value) : value] as const,
    );
    send({
      type: 'refused',
      code: error.code,
      text: printable(error.message),
      fields: Object.fromEntries(fields),
    });
  }
}

/** Names come from the module: what the parent would refuse to show is replaced here. */
function printable(text: string): string {
  return text.slice(0, 300).replaceAll(/[^\x20-\x7e]/g, '?');
}
