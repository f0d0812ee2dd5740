/** Runner processes behind the wall: the process sandbox with a profile of its own. */
import { type SandboxProfile, SandboxProfileSchema } from '@holdfast/policy';
import type { Sandbox } from '@holdfast/sandbox';
import { runnerArgv, RUNNER_ENV, RUNNER_SOURCES } from './runner-argv.ts';
import type { RunnerHost } from './runner-host.ts';

/** A runner lives for many tasks; each has a deadline of its own. */
const LIFE_MS = 86_400_000;
const MIB = 1_048_576;
/** Node itself, its heap and compiled code; measured at 60 to 90 MiB with a large module. */
const NODE_BYTES = 640 * MIB;

/** Reads its own sources, and nothing else: no writable file, no network, no program to start. */
export function wasmRunnerProfile(maxMemoryBytes: number, user?: string): SandboxProfile {
  return SandboxProfileSchema.parse({
    name: 'wasm-runner',
    description: 'Hosts untrusted WebAssembly: computes, and talks to its parent over two pipes.',
    files: {
      readOnly: ['/usr', '/etc/ld.so.cache', process.execPath, ...RUNNER_SOURCES],
      executable: ['/usr/lib', process.execPath],
      tmpBytes: 0,
    },
    syscalls: { purposes: ['base', 'files', 'threads', 'signals', 'jit', 'events'] },
    limits: {
      cpuSeconds: 86_400,
      memoryBytes: NODE_BYTES + maxMemoryBytes,
      processes: 32, // threads of Node and V8
      openFiles: 64,
      fileBytes: 0,
      outputBytes: 64 * MIB,
    },
    env: RUNNER_ENV,
    ...(user === undefined ? {} : { user }),
  });
}

export interface SandboxRunnerOptions {
  readonly maxMemoryBytes: number;
  /** Set-up sandboxes that wait, without a Node in them. */
  readonly warmSlots: number;
  /** Of the host; that of sandbox profiles when left out. */
  readonly user?: string;
}

/** @throws `ERR_SANDBOX_MISSING`, `ERR_SANDBOX_PROFILE` */
export async function sandboxRunnerHost(
  sandbox: Sandbox,
  { maxMemoryBytes, warmSlots, user }: SandboxRunnerOptions,
  signal: AbortSignal,
): Promise<RunnerHost> {
  const profile = wasmRunnerProfile(maxMemoryBytes, user);
  await sandbox.warm(profile, warmSlots, signal);
  return {
    layers: profile.require,
    async start(startSignal) {
      const run = await sandbox.start({ profile, argv: runnerArgv(maxMemoryBytes), timeoutMs: LIFE_MS }, startSignal);
      void drain(run.stderr);
      return {
        write: (bytes) => run.write(bytes).catch(() => undefined), // it is gone, and `ended` says so
        stdout: run.stdout,
        kill: () => run.kill(),
        ended: run.result.then(
          () => undefined,
          () => undefined, // the spawner is gone, and with it everything it started
        ),
      };
    },
  };
}

/** Nobody reads what Node has to say; a full pipe would stop it. */
async function drain(stream: AsyncIterable<Uint8Array>): Promise<void> {
  try {
    for await (const chunk of stream) void chunk;
  } catch {
    // ends with the process
  }
}
