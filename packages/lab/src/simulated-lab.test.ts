import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { hasCode } from '@holdfast/core';
import { temporaryDirectory } from '@holdfast/testing';
import { createLab, openLab } from './create-lab.ts';
import { BREAKABLE_CHECKS, type Lab } from './lab.ts';
import { SIMULATED_STATE } from './simulated-lab.ts';

async function upLab(t: TestContext): Promise<Lab> {
  const directory = join(temporaryDirectory(t), 'lab');
  const lab = createLab({ id: 'sim', kind: 'simulated', directory, hosts: 2, repositoryRoot: '/' });
  await lab.up(t.signal);
  return lab;
}

function stateOf(lab: Lab, host: string): string {
  return readFileSync(join(lab.hostDirectory(host), SIMULATED_STATE, 'state.json'), 'utf8');
}

describe('a lab of simulated hosts', () => {
  it('comes up without privileges, says that it is simulated, and leaves nothing', async (t) => {
    const lab = await upLab(t);
    const status = await openLab(lab.directory).status(t.signal);
    assert.equal(status.kind, 'simulated');
    assert.deepEqual(
      status.hosts.map(({ name, state }) => [name, state]),
      [
        ['web-1', 'running'],
        ['web-2', 'running'],
      ],
    );
    await lab.down();
    await lab.down();
    assert.equal(existsSync(join(lab.directory, 'hosts')), false);
    assert.equal((await lab.status(t.signal)).hosts[0]?.state, 'down');
    await assert.rejects(lab.break('web-1', 'files', 1, t.signal), (error) => hasCode(error, 'ERR_LAB_HOST_DOWN'));
  });

  for (const check of BREAKABLE_CHECKS) {
    it(`C-43: breaks and mends ${check} of one host, from any process`, async (t) => {
      const lab = await upLab(t);
      const [whole, other] = [stateOf(lab, 'web-1'), stateOf(lab, 'web-2')];
      const drift = await openLab(lab.directory).break('web-1', check, 7, t.signal);
      assert.notEqual(stateOf(lab, 'web-1'), whole);
      assert.equal(stateOf(lab, 'web-2'), other);
      assert.deepEqual((await lab.status(t.signal)).hosts[0]?.drifts, [drift]);
      await lab.mend('web-1', check, t.signal);
      assert.deepEqual(JSON.parse(stateOf(lab, 'web-1')), JSON.parse(whole));
      assert.deepEqual((await lab.status(t.signal)).hosts[0]?.drifts, []);
    });
  }

  it('refuses what only a real host can do, and never pretends', async (t) => {
    const lab = await upLab(t);
    const attempts = [
      lab.exec('web-1', ['/usr/bin/true'], t.signal),
      lab.startUnit('web-1', 'x.service', t.signal),
      lab.stopUnit('web-1', 'x.service', t.signal),
      lab.killUnit('web-1', 'x.service', t.signal),
      lab.reboot('web-1', t.signal),
    ];
    for (const attempt of attempts) await assert.rejects(attempt, (error) => hasCode(error, 'ERR_LAB_SIMULATED'));
  });

  it('keeps files below the host’s own directory', async (t) => {
    const lab = await upLab(t);
    const content = { bytes: Buffer.from('x'), mode: '0600', uid: 0, gid: 0 };
    await lab.writeFile('web-1', '/etc/holdfast/guard.toml', content, t.signal);
    assert.equal(Buffer.from(await lab.readFile('web-1', '/etc/holdfast/guard.toml', t.signal)).toString(), 'x');
    assert.equal(existsSync(join(lab.hostDirectory('web-1'), 'etc/holdfast/guard.toml')), true);
    for (const path of ['/../x', 'x', '/etc/../../x', '/etc/', '/a\0b']) {
      await assert.rejects(lab.writeFile('web-1', path, content, t.signal), (error) => hasCode(error, 'ERR_LAB_INPUT'));
    }
  });
});
