/**
 * The systemd units that Holdfast ships, started by a real systemd in a lab host. Their programs are
 * replaced by probes that use the same adapters: what is proven here is the sandbox, that it lets
 * through what guard and agent need and nothing more.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { needs } from '@holdfast/testing';
import { becomesTrue } from '../src/becomes-true.ts';
import { createLab, type Lab } from '../src/index.ts';

const REPOSITORY = join(import.meta.dirname, '..', '..', '..');
const UNITS = readdirSync(join(REPOSITORY, 'packaging/systemd')).toSorted();
const NODE = '/opt/holdfast/node_modules/.bin/node';
const PROBES = '/opt/holdfast/packages/lab/test';

/** systemd-analyze security: 0 is closed, 10 is open. The guard has to write everywhere and to administrate the network. */
const MAX_EXPOSURE: Readonly<Record<string, number>> = {
  'holdfast-agent.service': 1.7,
  'holdfast-guard.service': 3.2,
  'holdfast-recover.service': 3.2,
  /** Namespaces of every kind and the ids of other users are what it is for. */
  'holdfast-spawner.service': 4.9,
  'holdfast-watchdog.service': 3.2,
};

const suite = needs('lab-hosts');
const { signal } = new AbortController();
let base = '';
let lab: Lab;

before(async () => {
  if (suite.skip !== false) return;
  base = mkdtempSync(join(realpathSync(tmpdir()), 'holdfast-lab-'));
  lab = createLab({ directory: join(base, 'lab'), hosts: 1, repositoryRoot: REPOSITORY });
  await lab.up(signal);
  // An enrolled host has this file; without it the units do not start.
  await lab.writeFile(
    'web-1',
    '/etc/holdfast/trust.json',
    { bytes: Buffer.from('{}'), mode: '0644', uid: 0, gid: 0 },
    signal,
  );
});

after(async () => {
  if (suite.skip !== false) return;
  await lab.down();
  rmSync(base, { recursive: true, force: true });
});

async function sh(...argv: [string, ...string[]]): Promise<string> {
  const { stdout, stderr } = await lab.exec('web-1', argv, signal);
  return Buffer.from(stdout).toString('utf8') + Buffer.from(stderr).toString('utf8');
}

/** Gives the unit another program; everything else stays as shipped. */
async function replaceProgram(unit: string, ...argv: readonly string[]): Promise<void> {
  const bytes = Buffer.from(`[Service]\nExecStart=\nExecStart=${argv.join(' ')}\n`);
  await lab.writeFile(
    'web-1',
    `/etc/systemd/system/${unit}.d/probe.conf`,
    { bytes, mode: '0644', uid: 0, gid: 0 },
    signal,
  );
  await sh('/usr/bin/systemctl', 'daemon-reload');
}

async function readOutcomes(path: string): Promise<Record<string, string>> {
  const there = await becomesTrue(async () => (await sh('/usr/bin/ls', path)) === `${path}\n`, 20_000);
  assert.equal(there, true, await sh('/usr/bin/journalctl', '--no-pager', '--lines=30'));
  return JSON.parse(Buffer.from(await lab.readFile('web-1', path, signal)).toString('utf8')) as Record<string, string>;
}

/** What must work worked, and what must not work did not. */
function assertContained(outcomes: Record<string, string>): void {
  for (const [name, outcome] of Object.entries(outcomes)) {
    if (name === 'capabilities' || name === 'no new privileges') continue;
    if (name.startsWith('must not')) assert.notEqual(outcome, 'ok', name);
    else assert.equal(outcome, 'ok', name);
  }
  assert.equal(outcomes['no new privileges'], '1');
}

async function starts(): Promise<number> {
  return (await sh('/usr/bin/cat', '/run/holdfast/starts')).split('\n').length - 1;
}

async function property(unit: string, name: string): Promise<string> {
  return (await sh('/usr/bin/systemctl', 'show', '--value', `--property=${name}`, unit)).trim();
}

describe('systemd units', { ...suite, concurrency: false, timeout: 120_000 }, () => {
  for (const unit of UNITS) {
    it(`${unit} has nothing that systemd would warn about`, async () => {
      const { exitCode } = await lab.exec(
        'web-1',
        ['/usr/bin/systemd-analyze', 'verify', `/etc/systemd/system/${unit}`],
        signal,
      );
      assert.equal(exitCode, 0);
      assert.equal(
        await sh('/usr/bin/systemd-analyze', 'verify', '--recursive-errors=no', `/etc/systemd/system/${unit}`),
        '',
      );
    });
  }

  for (const unit of UNITS.filter((name) => name.endsWith('.service'))) {
    it(`${unit} is exposed no more than ${MAX_EXPOSURE[unit]}`, async (t) => {
      const report = await sh(
        '/usr/bin/systemd-analyze',
        'security',
        '--no-pager',
        '--offline=true',
        `/etc/systemd/system/${unit}`,
      );
      const score = Number(/Overall exposure level for .*: ([\d.]+)/.exec(report)?.[1]);
      t.diagnostic(`${unit}: ${score}`);
      assert.ok(score > 0 && score <= (MAX_EXPOSURE[unit] ?? 0), `${score}`);
    });
  }

  it('the guard’s unit lets it do its work and no more', async () => {
    await replaceProgram('holdfast-guard.service', NODE, '--no-warnings', `${PROBES}/guard-probe.ts`);
    await lab.startUnit('web-1', 'holdfast-guard.service', signal);
    const outcomes = await readOutcomes('/run/holdfast/probe.json');
    assertContained(outcomes);
    assert.equal(outcomes['capabilities'], '000000000008101b'); // the six it names
  });

  it('X-02: the spawner’s unit lets it make every layer of a sandbox and no more', async () => {
    await replaceProgram('holdfast-spawner.service', NODE, '--no-warnings', `${PROBES}/spawner-probe.ts`);
    await lab.stopUnit('web-1', 'holdfast-spawner.service', signal); // the guard's unit wants it
    await lab.startUnit('web-1', 'holdfast-spawner.service', signal);
    const outcomes = await readOutcomes('/run/holdfast/spawner-probe.json');
    assertContained(outcomes);
    assert.equal(outcomes['capabilities'], '00000000000800e3'); // the six it names
    await lab.stopUnit('web-1', 'holdfast-spawner.service', signal);
    assert.equal(await sh('/usr/bin/stat', '--format=%a', '/run/holdfast'), '755\n'); // the guard's as well
  });

  it('the guard comes back after kill -9', async () => {
    const before = await starts();
    await lab.killUnit('web-1', 'holdfast-guard.service', signal);
    assert.equal(await becomesTrue(async () => (await starts()) > before, 15_000), true);
  });

  it('the agent’s unit lets it see and ask, and nothing else', async (t) => {
    const server = createServer((socket) => socket.end()).listen(8080, lab.gatewayAddress);
    t.after(() => server.close());
    await once(server, 'listening');
    const args = [lab.gatewayAddress, ...lab.inventory.timeSources];
    await replaceProgram('holdfast-agent.service', NODE, '--no-warnings', `${PROBES}/agent-probe.ts`, ...args);
    await lab.startUnit('web-1', 'holdfast-agent.service', signal);
    const outcomes = await readOutcomes('/var/lib/holdfast/agent/probe.json');
    assertContained(outcomes);
    assert.equal(outcomes['capabilities'], '0000000000000000');
  });

  it('P-15: interrupted changes are ended at boot, after the ruleset is loaded and before the network is up', async () => {
    await replaceProgram('holdfast-recover.service', '/usr/sbin/nft', 'list', 'ruleset');
    await sh('/usr/bin/systemctl', 'enable', 'holdfast-recover.service', 'holdfast-watchdog.timer');
    await lab.reboot('web-1', signal);
    assert.equal(await property('holdfast-recover.service', 'Result'), 'success');
    const [firewall, start, end, network] = await Promise.all([
      property('nftables.service', 'ActiveEnterTimestampMonotonic'),
      property('holdfast-recover.service', 'ExecMainStartTimestampMonotonic'),
      property('holdfast-recover.service', 'ExecMainExitTimestampMonotonic'),
      property('network-pre.target', 'ActiveEnterTimestampMonotonic'),
    ]);
    const order = [firewall, start, end, network].map(Number);
    assert.ok(
      order.every((at) => at > 0),
      order.join(' '),
    );
    assert.deepEqual(
      order,
      order.toSorted((a, b) => a - b),
    );
  });

  it('P-15: the watchdog runs by its timer, outside the guard', async () => {
    assert.equal(await property('holdfast-watchdog.timer', 'ActiveState'), 'active');
    assert.match(await property('holdfast-watchdog.timer', 'TimersMonotonic'), /OnUnitInactiveUSec=30s/);
    await replaceProgram('holdfast-watchdog.service', '/usr/sbin/nft', 'list', 'ruleset');
    await lab.startUnit('web-1', 'holdfast-watchdog.service', signal);
    assert.equal(await property('holdfast-watchdog.service', 'Result'), 'success');
    assert.notEqual(await property('holdfast-watchdog.timer', 'NextElapseUSecMonotonic'), 'infinity');
  });
});
