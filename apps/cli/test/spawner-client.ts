/** Run by `spawner-world.ts` as some user: what that user may have the spawner do, as error codes. */
import { SandboxProfileSchema } from '@holdfast/policy';
import { connectSandbox, type Sandbox, type SandboxJob } from '@holdfast/sandbox';
import { wasmRunnerJob } from '@holdfast/wasm-runner/job';
import { isHoldfastError } from '@holdfast/core';
import { MAX_CHECK_MEMORY_BYTES } from '../src/check-limits.ts';

const own = wasmRunnerJob(MAX_CHECK_MEMORY_BYTES);
const JOBS: Readonly<Record<string, SandboxJob>> = {
  own,
  argv: { ...own, argv: [...own.argv, '--more'] },
  program: { ...own, argv: ['/usr/bin/true'] },
  profile: { ...own, profile: SandboxProfileSchema.parse({ name: 'wasm-runner' }) },
  env: { ...own, env: { NODE_OPTIONS: '--inspect' } },
  cwd: { ...own, cwd: '/usr' },
  other: { profile: SandboxProfileSchema.parse({ name: 'default' }), argv: ['/usr/bin/true'], timeoutMs: 5_000 },
};
const { signal } = new AbortController();

async function attempt(work: () => Promise<string>): Promise<string> {
  try {
    return await work();
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    const { place, layer } = error.fields;
    return [error.code, place ?? layer ?? ''].join(' ').trim();
  }
}

async function runOf(sandbox: Sandbox, job: SandboxJob): Promise<string> {
  await using run = await sandbox.start(job, signal);
  await run.end(); // a runner process ends with its input
  const { exitCode, signal: endedBy } = await run.result;
  return endedBy ?? `exit ${exitCode}`;
}

const outcome: Record<string, string> = {};
for (const [name, job] of Object.entries(JOBS)) {
  outcome[name] = await attempt(async () => {
    await using sandbox = await connectSandbox(process.argv[2] ?? '', signal);
    return await runOf(sandbox, job);
  });
}
outcome['warm'] = await attempt(async () => {
  await using sandbox = await connectSandbox(process.argv[2] ?? '', signal);
  await sandbox.warm(SandboxProfileSchema.parse({ name: 'default' }), 1, signal);
  return 'warmed';
});
outcome['ownUser'] = await attempt(async () => {
  await using sandbox = await connectSandbox(process.argv[2] ?? '', signal);
  const state = (await sandbox.layers(signal)).find(({ layer }) => layer === 'own-user');
  return `${String(state?.available)}: ${state?.fix ?? state?.reason ?? ''}`;
});
process.stdout.write(JSON.stringify(outcome));
