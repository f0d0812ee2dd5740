/** Every layer missing in turn, through the port: who requires it is denied by its name, who does not runs without claiming it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { hasCode } from '@holdfast/core';
import { SANDBOX_LAYERS } from '@holdfast/policy';
import { needs } from '@holdfast/testing';
import { groupsOf, openHere, ownProcess, shell, testProfile, textOf, until } from './machine.ts';

const { signal } = new AbortController();
const REPOSITORY = join(import.meta.dirname, '..', '..', '..', '..');
const NOBODY = 65_534;

describe('a host without a layer', needs('root', 'bubblewrap'), () => {
  for (const layer of SANDBOX_LAYERS) {
    it(`X-04: ${layer}: denied by name where it is required, not claimed where it is not`, async () => {
      await using here = await openHere({ masked: [layer], standInForMissing: true });
      const states = await here.client.layers(signal);
      const missing = new Set(states.filter(({ available }) => !available).map((state) => state.layer));
      assert.ok(missing.has(layer)); // Landlock's later layers need a kernel that has the earlier ones
      await assert.rejects(
        here.client.start(shell('true', { profile: { ...testProfile(), require: [layer] } }), signal),
        (error) => hasCode(error, 'ERR_SANDBOX_MISSING') && error.fields['layer'] === layer,
      );
      assert.deepEqual(groupsOf(process.pid), []); // nothing was even made

      const require = SANDBOX_LAYERS.filter((one) => !missing.has(one));
      const run = await here.client.start(shell('echo ran', { profile: { ...testProfile(), require } }), signal);
      assert.equal(await textOf(run.stdout), 'ran\n');
      assert.deepEqual((await run.result).layers, require);
    });
  }

  it('X-04: a person who is not root is denied the default profile, by the name of the layer', () => {
    const argv = ['apps/cli/src/main.ts', 'sandbox', 'run', '--profile', 'default', '--', '/bin/echo', 'RAN'];
    const { status, stdout, stderr } = spawnSync(join(REPOSITORY, 'node_modules/.bin/node'), argv, {
      cwd: REPOSITORY,
      uid: NOBODY,
      gid: NOBODY,
      env: { PATH: '/usr/bin:/bin', TMPDIR: '/tmp' },
      encoding: 'utf8',
    });
    assert.notEqual(status, 0);
    assert.doesNotMatch(stdout, /RAN/);
    assert.match(stderr, /own-user/);
  });
});

describe('a running command', needs('root', 'bubblewrap'), () => {
  it('X-04: is under every layer that its result then claims, as /proc shows it', async () => {
    await using here = await openHere();
    await using run = await here.client.start(shell('exec sleep 60'), signal);
    await until(() => ownProcess('sleep') !== undefined, 'sleep runs');
    const pid = ownProcess('sleep') ?? 0;
    const status = readFileSync(`/proc/${pid}/status`, 'ascii');
    assert.match(status, /^Seccomp:\t2$/m);
    assert.match(status, /^NoNewPrivs:\t1$/m);
    for (const set of ['Inh', 'Prm', 'Eff', 'Bnd', 'Amb']) assert.match(status, new RegExp(`^Cap${set}:\t0{16}$`, 'm'));
    assert.match(status, new RegExp(`^Uid:(\t${NOBODY}){4}$`, 'm'));
    assert.match(status, new RegExp(`^Gid:(\t${NOBODY}){4}$`, 'm'));
    assert.match(status, /^Groups:\t ?$/m);
    for (const name of ['user', 'pid', 'mnt', 'net', 'ipc', 'uts', 'cgroup']) {
      assert.notEqual(readlinkSync(`/proc/${pid}/ns/${name}`), readlinkSync(`/proc/self/ns/${name}`), name);
    }
    const limits = readFileSync(`/proc/${pid}/limits`, 'ascii');
    const { cpuSeconds, processes, openFiles, fileBytes } = testProfile().limits;
    assert.match(limits, new RegExp(`^Max cpu time +${cpuSeconds} +${cpuSeconds + 1} `, 'm'));
    assert.match(limits, new RegExp(`^Max processes +${processes + 1} +${processes + 1} `, 'm'));
    assert.match(limits, new RegExp(`^Max open files +${openFiles} +${openFiles} `, 'm'));
    assert.match(limits, new RegExp(`^Max file size +${fileBytes} +${fileBytes} `, 'm'));
    assert.match(limits, /^Max core file size +0 +0 /m);
    assert.match(readFileSync(`/proc/${pid}/mountinfo`, 'utf8'), /^\d+ \d+ \S+ \S+ \/ ro[, ]/m);
    run.kill();
    assert.deepEqual((await run.result).layers, [...SANDBOX_LAYERS]);
  });
});
