/**
 * C-42: `down` leaves nothing, however `up` went. Nothing here looks into a host; everything looks
 * at the machine underneath.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { hasCode } from '@holdfast/core';
import { needs, temporaryDirectory } from '@holdfast/testing';
import { AGENT_ID, createLab, isNothing, type Lab, type LabOptions, listRemains, openLab } from '../src/index.ts';
import { becomesTrue } from '../src/becomes-true.ts';
import { footprintOf, NO_FOOTPRINT } from './footprint.ts';

const REPOSITORY = join(import.meta.dirname, '..', '..', '..');
const CREATOR = join(import.meta.dirname, 'creator.ts');

function newLab(t: TestContext, options: Partial<LabOptions> = {}): Lab {
  const base = temporaryDirectory(t);
  symlinkSync(base, join(base, 'link')); // nobody says that a path has no links in it
  const directory = join(base, 'link/lab');
  const lab = createLab({
    id: randomBytes(4).toString('hex'),
    directory,
    hosts: 1,
    repositoryRoot: REPOSITORY,
    ...options,
  });
  t.after(() => lab.down());
  return lab;
}

function assertGone(lab: Lab): void {
  assert.deepEqual(footprintOf(lab), NO_FOOTPRINT);
  assert.equal(isNothing(listRemains(lab.id, lab.directory)), true);
  assert.equal(existsSync(join(lab.directory, 'lab.json')), false);
  assert.equal(existsSync(join(lab.directory, 'hosts')), false);
}

function machineNetwork(): string {
  return readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8') + readFileSync('/etc/passwd', 'utf8');
}

describe('taking a lab away', { concurrency: false }, () => {
  it(
    'C-42: leaves no interface, address, namespace, mount, process or control group',
    { ...needs('lab-hosts'), timeout: 60_000 },
    async (t) => {
      const before = machineNetwork();
      const lab = newLab(t, { hosts: 2 });
      assert.deepEqual(footprintOf(lab), NO_FOOTPRINT);
      await lab.up(t.signal);
      for (const [part, seen] of Object.entries(footprintOf(lab)))
        assert.notDeepEqual(seen, [], `${part} of a lab that is up`);
      await lab.down();
      assertGone(lab);
      await lab.down(); // twice is fine
      assert.equal(machineNetwork(), before);
    },
  );

  it(
    'C-42: removes what is left after kill -9 of its creator',
    { ...needs('lab-hosts'), timeout: 60_000 },
    async (t) => {
      const lab = newLab(t);
      const creator = spawn(process.execPath, [CREATOR, lab.id, lab.directory, REPOSITORY], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      t.after(() => creator.kill('SIGKILL'));
      await once(creator.stdout, 'data', { signal: t.signal });
      creator.kill('SIGKILL');
      await once(creator, 'close');

      const opened = openLab(lab.directory);
      const { hosts } = await opened.status(t.signal);
      assert.deepEqual(
        hosts.map(({ name, state }) => ({ name, state })),
        [
          { name: 'web-1', state: 'running' },
          { name: 'web-2', state: 'running' },
        ],
      );
      await opened.down();
      assertGone(lab);
    },
  );

  for (const [name, arrived] of [
    ['its first mount', (lab: Lab) => listRemains(lab.id, lab.directory).mounts.length > 0],
    ['its first process', (lab: Lab) => listRemains(lab.id, lab.directory).processes.length > 0],
    ['its first boot', (lab: Lab) => existsSync(join(lab.directory, 'web-1.console.log'))],
  ] as const) {
    it(
      `C-42: removes what is left after kill -9 in the middle of up, at ${name}`,
      { ...needs('lab-hosts'), timeout: 60_000 },
      async (t) => {
        const lab = newLab(t);
        const creator = spawn(process.execPath, [CREATOR, lab.id, lab.directory, REPOSITORY], {
          stdio: ['ignore', 'ignore', 'inherit'],
        });
        t.after(() => creator.kill('SIGKILL'));
        assert.equal(await becomesTrue(() => arrived(lab), 20_000), true);
        creator.kill('SIGKILL');
        await once(creator, 'close');
        await openLab(lab.directory).down();
        assertGone(lab);
      },
    );
  }

  it(
    'C-42: an up that fails half-way leaves nothing and says why',
    { ...needs('lab-hosts'), timeout: 60_000 },
    async (t) => {
      const empty = join(temporaryDirectory(t), 'checkout');
      mkdirSync(empty);
      const lab = newLab(t, { repositoryRoot: empty });
      await assert.rejects(lab.up(t.signal), /packaging/);
      assertGone(lab);
    },
  );

  it(
    'C-42: a host whose disk is too small fails the whole lab',
    { ...needs('lab-hosts'), timeout: 60_000 },
    async (t) => {
      const lab = newLab(t, { diskBytes: 64 * 1024 });
      await assert.rejects(lab.up(t.signal), /ENOSPC/);
      assertGone(lab);
    },
  );

  it(
    'C-42: an up that is aborted while a host boots leaves nothing',
    { ...needs('lab-hosts'), timeout: 60_000 },
    async (t) => {
      const lab = newLab(t);
      const stop = new AbortController();
      const up = lab.up(stop.signal);
      assert.equal(await becomesTrue(() => existsSync(join(lab.directory, 'web-1.console.log')), 20_000), true);
      stop.abort(new Error('enough'));
      await assert.rejects(up, /enough/);
      assertGone(lab);
    },
  );

  it(
    'C-42: up in a directory with leftovers of another lab removes those first',
    { ...needs('lab-hosts'), timeout: 60_000 },
    async (t) => {
      const first = newLab(t);
      await first.up(t.signal);
      const second = newLab(t, { directory: first.directory });
      await second.up(t.signal);
      assert.deepEqual(footprintOf(first).namespaces, []);
      assert.deepEqual(footprintOf(first).cgroups, []);
      assert.equal((await second.status(t.signal)).hosts[0]?.state, 'running');
      await second.down();
      assertGone(second);
    },
  );

  it(
    'C-42: somebody who stands in the disk of a host does not keep it on the machine',
    { ...needs('lab-hosts'), timeout: 60_000 },
    async (t) => {
      const lab = newLab(t);
      await lab.up(t.signal);
      const cwd = join(lab.hostDirectory('web-1'), 'root/etc');
      const idle = spawn(process.execPath, ['--eval', 'console.log(1); setInterval(() => {}, 1e6)'], {
        cwd,
        stdio: 'pipe',
      });
      t.after(() => idle.kill('SIGKILL'));
      await once(idle.stdout, 'data', { signal: t.signal });
      await lab.down();
      assertGone(lab);
    },
  );

  it(
    'C-42: a checkout that is closed to others is open in the host and stays closed outside',
    { ...needs('lab-hosts'), timeout: 60_000 },
    async (t) => {
      const closed = join(temporaryDirectory(t), 'checkout');
      mkdirSync(join(closed, 'packaging/systemd'), { recursive: true, mode: 0o700 });
      mkdirSync(join(closed, 'packages'), { mode: 0o700 });
      writeFileSync(join(closed, 'package.json'), '{}', { mode: 0o600 });
      cpSync(join(REPOSITORY, 'node_modules/node/bin/node'), join(closed, 'node_modules/node/bin/node'));
      mkdirSync(join(closed, 'node_modules/.bin'));
      symlinkSync('../node/bin/node', join(closed, 'node_modules/.bin/node'));
      chmodSync(join(closed, 'node_modules/node/bin/node'), 0o700);
      chmodSync(closed, 0o700);
      const lab = newLab(t, { repositoryRoot: closed });
      await lab.up(t.signal);
      const asAgent = ['/usr/bin/setpriv', `--reuid=${AGENT_ID}`, `--regid=${AGENT_ID}`, '--init-groups'] as const;
      const { stdout } = await lab.exec(
        'web-1',
        [...asAgent, '/opt/holdfast/node_modules/.bin/node', '--version'],
        t.signal,
      );
      assert.match(Buffer.from(stdout).toString('utf8'), /^v26/);
      await lab.reboot('web-1', t.signal);
      await lab.down();
      assertGone(lab);
      assert.equal(statSync(closed).mode & 0o777, 0o700);
      assert.equal(statSync(join(closed, 'package.json')).mode & 0o777, 0o600);
    },
  );

  it(
    'C-42: two labs stand side by side, and one goes without the other',
    { ...needs('lab-hosts'), timeout: 60_000 },
    async (t) => {
      const [one, two] = [newLab(t), newLab(t)];
      await Promise.all([one.up(t.signal), two.up(t.signal)]);
      await one.down();
      assertGone(one);
      const { hosts } = await two.status(t.signal);
      assert.equal(hosts[0]?.state, 'running');
      await two.stopUnit('web-1', 'demo-web.service', t.signal);
      await two.down();
      assertGone(two);
      await assert.rejects(two.stopUnit('web-1', 'demo-web.service', t.signal), (error) =>
        hasCode(error, 'ERR_LAB_HOST_DOWN'),
      );
    },
  );
});
