/** Spawners and clients that are killed: their commands end with them, and the next spawner removes what they left. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, it, type TestContext } from 'node:test';
import { hasCode } from '@holdfast/core';
import { needs, temporaryDirectory } from '@holdfast/testing';
import { ControlGroups, readHierarchies } from '../../src/cgroup/control-groups.ts';
import { readIdentity } from '../../src/cgroup/spawner-identity.ts';
import { connectSandbox, openSandbox, serveSpawner } from '../../src/index.ts';
import { childrenOf, DIRECTORY, groupsOf, isRunning, membersOf, mounts, shell, textOf, until } from './machine.ts';

const { signal } = new AbortController();
const isGone = (error: unknown): boolean => hasCode(error, 'ERR_SANDBOX_SPAWNER_GONE');

function openGroups(identity = readIdentity()): ControlGroups {
  const groups = ControlGroups.open(readHierarchies(), identity);
  assert.ok(groups instanceof ControlGroups, 'none' in groups ? groups.none : '');
  return groups;
}

/** A process of the machine, outside of any sandbox. */
function sleeper(t: TestContext): ChildProcess & { readonly pid: number } {
  const child = spawn('/usr/bin/sleep', ['600'], { stdio: 'ignore' });
  t.after(() => child.kill('SIGKILL'));
  assert.ok(child.pid !== undefined);
  return Object.assign(child, { pid: child.pid });
}

describe('a spawner that is killed', needs('root', 'bubblewrap'), () => {
  it('X-07: takes its commands along, and leaves groups that the next spawner removes', async () => {
    const mountsBefore = mounts();
    const before = new Set(childrenOf(process.pid));
    const sandbox = await openSandbox();
    const scripts = ['sleep 300', '(setsid sleep 300 &); trap "" TERM; sleep 300', 'cat'];
    const runs = await Promise.all(scripts.map((script) => sandbox.start(shell(script), signal)));
    const spawnerPid = childrenOf(process.pid).find((pid) => !before.has(pid)) ?? assert.fail('no spawner');
    const groups = groupsOf(spawnerPid);
    await until(() => membersOf(groups).length >= 8, 'everything runs'); // 3 × process 1, and 2 + 3 + 2 below
    const members = membersOf(groups);
    process.kill(spawnerPid, 'SIGKILL');
    await Promise.all(runs.map(({ result }) => assert.rejects(result, isGone)));
    await until(() => !members.some(isRunning), 'all dead');
    assert.ok(groups.every((group) => existsSync(group)));
    {
      await using next = await openSandbox();
      await next.layers(signal);
    }
    await until(() => groupsOf(spawnerPid).length === 0, 'groups removed');
    assert.equal(mounts(), mountsBefore);
    await sandbox[Symbol.asyncDispose]();
  });

  it('X-07: before it has started anything in a new group, leaves nothing either', async () => {
    const dead = { ...readIdentity(), pid: 999_999_999 };
    openGroups(dead).create({ memoryBytes: 64 * 1_024 * 1_024, processes: 4 });
    assert.ok(groupsOf(dead.pid).length > 0);
    assert.ok((await openGroups().sweep()) > 0);
    assert.deepEqual(groupsOf(dead.pid), []);
  });
});

describe('a sweep', needs('root'), () => {
  it('X-07: kills what dead spawners left, and nothing in groups of living ones or of others', async (t) => {
    const own = readIdentity();
    const limits = { memoryBytes: 64 * 1_024 * 1_024, processes: 4 };
    const [left, kept, foreign] = [sleeper(t), sleeper(t), sleeper(t)];
    const identities = [{ ...own, startTicks: '1' }, own, { ...own, pidNamespace: '1', pid: 999_999_998 }];
    const groups = identities.map((identity) => openGroups(identity).create(limits));
    const sleepers = [left, kept, foreign];
    try {
      for (const [at, { pid }] of sleepers.entries()) groups[at]?.join(pid);
      const exited = once(left, 'exit');
      await openGroups().sweep();
      assert.deepEqual(await exited, [null, 'SIGKILL']);
      assert.deepEqual(
        [kept, foreign].map(({ pid }) => isRunning(pid)),
        [true, true],
      );
    } finally {
      for (const child of sleepers) child.kill('SIGKILL');
      assert.deepEqual(await Promise.all(groups.map((group) => group.remove())), [true, true, true]);
    }
  });
});

describe('a client that is killed', needs('root', 'bubblewrap'), () => {
  it('X-07: takes its runs along, and nobody else’s', async (t) => {
    const socketPath = join(temporaryDirectory(t), 'spawner.sock');
    await using service = await serveSpawner(
      { socketPath, gid: 0, accessOf: () => 'any-job' },
      { directory: DIRECTORY },
    );
    await using other = await connectSandbox(socketPath, signal);
    await using kept = await other.start(shell('read line; echo "$line"'), signal);
    const program = `
      const { connectSandbox } = await import(${JSON.stringify(join(import.meta.dirname, '../../src/index.ts'))});
      const { signal } = new AbortController();
      const sandbox = await connectSandbox(process.argv[1], signal);
      const job = ${JSON.stringify(shell('(setsid sleep 300 &); sleep 300'))};
      await Promise.all([1, 2, 3].map(() => sandbox.start(job, signal)));
      console.log('started');`;
    const argv = ['--no-warnings', '--input-type=module', '--eval', program, socketPath];
    const client = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
    t.after(() => client.kill('SIGKILL'));
    await once(createInterface(client.stdout), 'line');
    await until(() => membersOf(groupsOf(process.pid)).length >= 2 + 3 * 3, 'everything runs');
    client.kill('SIGKILL');
    await until(() => membersOf(groupsOf(process.pid)).length <= 2, 'its runs are dead');
    await kept.write(Buffer.from('still here\n'));
    await kept.end();
    assert.equal(await textOf(kept.stdout), 'still here\n');
    assert.equal((await kept.result).exitCode, 0);
    void service;
  });
});
