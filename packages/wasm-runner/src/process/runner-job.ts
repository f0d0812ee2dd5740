/**
 * What confines a process that hosts WebAssembly, as data: its profile, and the one job by which
 * such processes are started. Loads nothing that runs modules, for spawners to know it too.
 */
import { SANDBOX_LAYERS, type SandboxProfile, SandboxProfileSchema } from '@holdfast/policy';
import { LAYERS_THAT_NEED_ROOT, type SandboxJob } from '@holdfast/sandbox';
import { runnerArgv, RUNNER_ENV, RUNNER_SOURCES } from './runner-argv.ts';

/** A runner lives for many tasks; each has a deadline of its own. */
const LIFE_MS = 86_400_000;
const MIB = 1_048_576;
/** Node itself, its heap and compiled code; measured at 60 to 90 MiB with a large module. */
const NODE_BYTES = 640 * MIB;

/** Without a control group memory is limited as address space, of which V8 reserves gigabytes for each module; its flags hold what is used. */
const ADDRESS_SPACE_BYTES = 65_536 * MIB;

export interface RunnerUser {
  /** Of the host; that of sandbox profiles when left out. */
  readonly user?: string;
  /** For people who are not root: without the layers that only root can put on. */
  readonly isPlain?: boolean;
}

/** Reads its own sources, and nothing else: no writable file, no network, no program to start. */
function wasmRunnerProfile(maxMemoryBytes: number, { user, isPlain = false }: RunnerUser): SandboxProfile {
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
      memoryBytes: isPlain ? ADDRESS_SPACE_BYTES : NODE_BYTES + maxMemoryBytes,
      processes: 32, // threads of Node and V8
      openFiles: 64,
      fileBytes: 0,
      outputBytes: 64 * MIB,
    },
    env: RUNNER_ENV,
    ...(user === undefined ? {} : { user }),
    ...(isPlain ? { require: SANDBOX_LAYERS.filter((layer) => !LAYERS_THAT_NEED_ROOT.includes(layer)) } : {}),
  });
}

/** The one job by which runner processes are started: also what a spawner lets the agent start. */
export function wasmRunnerJob(maxMemoryBytes: number, user: RunnerUser = {}): SandboxJob {
  return { profile: wasmRunnerProfile(maxMemoryBytes, user), argv: runnerArgv(maxMemoryBytes), timeoutMs: LIFE_MS };
}
