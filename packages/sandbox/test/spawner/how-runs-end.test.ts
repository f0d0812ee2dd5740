/** How a run ends when much happens at once, or nobody reads: never without its report, never later than its time-out. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { SANDBOX_LAYERS, SandboxProfileSchema } from '@holdfast/policy';
import { needs } from '@holdfast/testing';
import { openSandbox } from '../../src/index.ts';

const { signal } = new AbortController();
const profile = SandboxProfileSchema.parse({
  name: 'test',
  user: 'nobody',
  limits: { outputBytes: 4 * 1_024 * 1_024 },
});
const sh = (script: string, timeoutMs = 20_000) => {
  const argv: [string, ...string[]] = ['/bin/sh', '-c', script];
  return { profile, argv, timeoutMs };
};

it('X-07: the exit code of each of many runs at once comes back, and what each wrote', needs('root'), async () => {
  await using sandbox = await openSandbox();
  for (let round = 0; round < 6; round++) {
    const results = await Promise.all(
      Array.from({ length: 8 }, async (_, code) => {
        const run = await sandbox.start(sh(`echo ${code}; exit ${code}`), signal);
        return run.result;
      }),
    );
    for (const [code, { exitCode, endedBy, stdoutBytes, layers }] of results.entries()) {
      const wanted = { exitCode: code, endedBy: 'itself', stdoutBytes: 2, layers: [...SANDBOX_LAYERS] };
      assert.deepEqual({ exitCode, endedBy, stdoutBytes, layers }, wanted);
    }
  }
});

it('X-07: a result comes when what the command left behind is dead, and with all it wrote', needs('root'), async () => {
  await using sandbox = await openSandbox();
  const run = await sandbox.start(sh('(sleep 300; echo late) & echo early'), signal);
  const { exitCode, stdoutBytes } = await run.result;
  assert.deepEqual({ exitCode, stdoutBytes }, { exitCode: 0, stdoutBytes: 'early\n'.length });
});

it('X-07: output that nobody takes ends with the time-out', needs('root'), async () => {
  await using sandbox = await openSandbox();
  const run = await sandbox.start({ ...sh('exec head -c 2000000 /dev/zero', 500), killAfterMs: 100 }, signal);
  assert.equal((await run.result).endedBy, 'timeout'); // `run.stdout` is never read
});

it('X-07: a run that had ended before it was killed says how it ended', needs('root'), async () => {
  await using sandbox = await openSandbox();
  const run = await sandbox.start(sh('exit 4'), signal);
  const { exitCode, endedBy } = await run.result;
  run.kill();
  assert.deepEqual({ exitCode, endedBy }, { exitCode: 4, endedBy: 'itself' });
  const killed = await sandbox.start(sh('sleep 60'), signal);
  killed.kill();
  assert.equal((await killed.result).endedBy, 'abort');
});
