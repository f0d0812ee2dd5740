/** The spawner over its real protocol, with the real kernel: what runs, how it ends, and that nothing is left. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { SANDBOX_LAYERS, SandboxProfileSchema } from '@holdfast/policy';
import { hasCode } from '@holdfast/core';
import { needs } from '@holdfast/testing';
import { openSandbox } from '../../src/index.ts';
import { SpawnerClient } from '../../src/client/spawner-client.ts';
import { readHierarchies } from '../../src/cgroup/control-groups.ts';
import { parseGroupName } from '../../src/cgroup/group-name.ts';
import { encodeFrame, FRAME } from '../../src/spawner/frames.ts';
import { serveConnection } from '../../src/spawner/serve-connection.ts';
import { Spawner } from '../../src/spawner/spawner.ts';

const { signal } = new AbortController();
const profile = SandboxProfileSchema.parse({
  name: 'test',
  user: 'nobody',
  limits: { memoryBytes: 32 * 1_024 * 1_024 },
});
const job = (...argv: [string, ...string[]]) => ({ profile, argv, timeoutMs: 20_000 });
const sh = (script: string) => job('/bin/sh', '-c', script);
/** A root user's directory that the sandbox's user can pass. */
const directory = '/run/holdfast/sandbox';

async function textOf(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const bytes of stream) chunks.push(bytes);
  return Buffer.concat(chunks).toString();
}

/** Control groups that `pid`'s spawner made and that are still there. */
function groupsOf(pid: number): string[] {
  return readHierarchies().flatMap(({ directory: at }) => {
    const names = readdirSync(`${at}/holdfast-spawner`, { withFileTypes: true }).map(({ name }) => name);
    return names.filter((name) => parseGroupName(name)?.pid === pid);
  });
}

function processesCalled(name: string): number[] {
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid) && textOfProcess(pid, 'comm') === `${name}\n`)
    .map(Number)
    .toSorted((a, b) => a - b);
}

function isBelow(pid: number, ancestor: number): boolean {
  const parent = Number(/^PPid:\t(\d+)$/m.exec(textOfProcess(pid, 'status'))?.[1] ?? 0);
  return parent === ancestor || (parent > 0 && isBelow(parent, ancestor));
}

function textOfProcess(pid: number | string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'ascii');
  } catch {
    return ''; // ended
  }
}

async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > deadline) assert.fail(`never: ${what}`);
    await delay(10);
  }
}

async function openHere() {
  const spawner = await Spawner.open({ directory });
  const server = createServer().listen(`\0holdfast-test-${process.pid}-${process.hrtime.bigint()}`);
  const ours = connect(server.address() as string); // an abstract socket has its name for an address
  const [theirs] = (await once(server, 'connection')) as [Socket];
  server.close();
  const served = serveConnection(spawner, theirs);
  const client = new SpawnerClient(ours, () => served);
  return { spawner, client, ours, served };
}

it('X-07: streams, exit code, usage and every layer come back', needs('root'), async () => {
  await using sandbox = await openSandbox();
  await using run = await sandbox.start(sh('cat; echo no >&2; exit 7'), signal);
  await run.write(Buffer.from('yes'));
  await run.end();
  assert.equal(await textOf(run.stdout), 'yes');
  assert.equal(await textOf(run.stderr), 'no\n');
  const result = await run.result;
  assert.equal(result.exitCode, 7);
  assert.equal(result.endedBy, 'itself');
  assert.deepEqual(result.layers, [...SANDBOX_LAYERS]);
  assert.ok('value' in result.usage.peakMemoryBytes && result.usage.peakMemoryBytes.value > 0);
});

it('X-07: TERM on time-out, KILL for who ignores it, and the group out of memory is named', needs('root'), async () => {
  await using sandbox = await openSandbox();
  const soft = await sandbox.start({ ...sh('sleep 60'), timeoutMs: 200 }, signal);
  const hard = await sandbox.start(
    { ...sh('trap "" TERM; while :; do sleep 1; done'), timeoutMs: 200, killAfterMs: 200 },
    signal,
  );
  const greedy = await sandbox.start(job('/usr/bin/tail', '/dev/zero'), signal);
  assert.deepEqual([(await soft.result).endedBy, (await soft.result).signal], ['timeout', 'SIGTERM']);
  assert.deepEqual([(await hard.result).endedBy, (await hard.result).signal], ['timeout', 'SIGKILL']);
  assert.equal((await greedy.result).endedBy, 'memory-limit');
});

it('X-06: a slot is confined while it waits, and one that dies is replaced', needs('root'), async () => {
  const { spawner, client } = await openHere();
  await using _spawner = spawner;
  await using _client = client;
  await client.warm(profile, 1, signal);
  const [first = 0, command = 0] = processesCalled('.launcher').filter((pid) => isBelow(pid, process.pid));
  assert.ok(first > 0 && command > first);
  const status = readFileSync(`/proc/${command}/status`, 'ascii');
  for (const line of [/^NSpid:\t.*\t2$/m, /^Seccomp:\t2$/m, /^NoNewPrivs:\t1$/m, /^CapEff:\t0{16}$/m]) {
    assert.match(status, line);
  }
  assert.match(readFileSync(`/proc/${command}/limits`, 'ascii'), /^Max open files +256 +256 /m);
  process.kill(command, 'SIGKILL'); // the host can; the slot is then over, and another is made
  await until(() => processesCalled('.launcher').some((pid) => pid > command && isBelow(pid, process.pid)), 'replaced');
  const run = await client.start(sh('echo still'), signal);
  assert.equal(await textOf(run.stdout), 'still\n');
});

it('X-07: a program that is not there is named as the step that failed', needs('root'), async () => {
  await using sandbox = await openSandbox();
  const run = await sandbox.start(job('/usr/bin/no-such-program'), signal);
  await assert.rejects(run.result, (error) => hasCode(error, 'ERR_SANDBOX_START') && error.fields['step'] === 'execve');
});

it('X-07: output above the cap is dropped and counted', needs('root'), async () => {
  await using sandbox = await openSandbox();
  const run = await sandbox.start(sh('head -c 3000000 /dev/zero'), signal);
  assert.equal((await textOf(run.stdout)).length, profile.limits.outputBytes);
  const { truncated, stdoutBytes } = await run.result;
  assert.deepEqual({ truncated, stdoutBytes }, { truncated: true, stdoutBytes: 3_000_000 });
});

it(
  'X-07: a hostile client loses its connection and its runs, and the spawner serves the next',
  needs('root'),
  async () => {
    const { spawner, client, ours, served } = await openHere();
    await using _spawner = spawner;
    const run = await client.start(sh('sleep 60'), signal);
    ours.write(encodeFrame(FRAME.ended, 1)); // a frame only the spawner sends
    await assert.rejects(run.result, (error) => hasCode(error, 'ERR_SANDBOX_SPAWNER_GONE'));
    await served;
    assert.deepEqual(groupsOf(process.pid), []);
  },
);
