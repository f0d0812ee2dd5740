/** Runner processes behind the wall: the process sandbox with a profile of its own. */
import type { Sandbox } from '@holdfast/sandbox';
import type { RunnerHost } from './runner-host.ts';
import { type RunnerUser, wasmRunnerJob } from './runner-job.ts';

export interface SandboxRunnerOptions extends RunnerUser {
  readonly maxMemoryBytes: number;
  /** Set-up sandboxes that wait, without a Node in them. */
  readonly warmSlots: number;
}

/** @throws `ERR_SANDBOX_MISSING`, `ERR_SANDBOX_PROFILE` */
export async function sandboxRunnerHost(
  sandbox: Sandbox,
  { maxMemoryBytes, warmSlots, ...user }: SandboxRunnerOptions,
  signal: AbortSignal,
): Promise<RunnerHost> {
  const job = wasmRunnerJob(maxMemoryBytes, user);
  const { profile } = job;
  await sandbox.warm(profile, warmSlots, signal);
  return {
    layers: profile.require,
    async start(startSignal) {
      const run = await sandbox.start(job, startSignal);
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
