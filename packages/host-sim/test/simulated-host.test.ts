import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';

import { hasCode } from '@holdfast/core';
import type { Host } from '@holdfast/host';
import {
  BREAKABLE_CHECKS,
  type BreakableCheck,
  breakSimulatedHost,
  CERTIFICATE_FILE,
  CERTIFICATE_PORT,
  LOGGING_UNIT,
  ManualClock,
  mendSimulatedHost,
  openSimulatedHost,
} from '@holdfast/host-sim';
import { temporaryDirectory } from '@holdfast/testing';

const calm = (): AbortSignal => new AbortController().signal;
const UNITS = ['cron.service', 'ssh.service', 'unattended-upgrades.service'];
const FILES = ['/etc/ssh/sshd_config', '/etc/sudoers', '/etc/sysctl.d/50-hardening.conf'];

const invalid = (error: unknown): boolean => hasCode(error, 'ERR_HOST_SIMULATION_INVALID');

/** What each check could look at, through the ports alone. */
const LOOK: Readonly<Record<BreakableCheck, (host: Host) => Promise<unknown>>> = {
  firewall: (host) => host.packetFilter.read(calm()),
  services: (host) => host.services.show(UNITS, calm()),
  logging: (host) => host.services.show([LOGGING_UNIT], calm()),
  files: (host) => Promise.all(FILES.map((path) => host.files.stat(path, calm()))),
  ports: (host) => host.sockets.list(calm()),
  accounts: (host) => host.accounts.list(calm()),
  time_sync: (host) => host.timeSources.sample(['a'], calm()),
  certificates: (host) =>
    Promise.all([
      host.certificates.fromFile(CERTIFICATE_FILE, calm()),
      host.certificates.fromPort('::1', CERTIFICATE_PORT, calm()),
    ]),
};

async function lookAtAll(host: Host): Promise<Record<string, string>> {
  const seen: Record<string, string> = {};
  for (const check of BREAKABLE_CHECKS) seen[check] = JSON.stringify(await LOOK[check](host));
  return seen;
}

describe('drift of a simulated host', () => {
  for (const check of BREAKABLE_CHECKS) {
    it(`C-43: breaks ${check} and nothing else, by seed, and mends it`, async (t) => {
      const [one, two] = [temporaryDirectory(t), temporaryDirectory(t)];
      const clock = new ManualClock();
      const host = await openSimulatedHost(one, { seed: 3, clock });
      const twin = await openSimulatedHost(two, { seed: 3, clock });
      const good = await lookAtAll(host);
      for (let seed = 0; seed < 8; seed += 1) {
        const what = await breakSimulatedHost(one, check, seed);
        assert.ok(what.length > 5);
        assert.equal(await breakSimulatedHost(two, check, seed), what);
        const broken = await lookAtAll(host);
        assert.deepEqual(await lookAtAll(twin), broken, 'the same seed breaks alike');
        assert.notEqual(broken[check], good[check]);
        assert.deepEqual({ ...broken, [check]: good[check] }, good, 'nothing else changed');
        await mendSimulatedHost(one, check);
        await mendSimulatedHost(two, check);
        assert.deepEqual(await lookAtAll(host), good);
      }
    });
  }

  it('C-10: a canary does not arrive while logging is broken, and does after a restart', async (t) => {
    const directory = temporaryDirectory(t);
    const host = await openSimulatedHost(directory);
    await breakSimulatedHost(directory, 'logging');
    await host.journal.write('canary one', calm());
    assert.equal(await host.journal.contains('one', 60_000, calm()), false);
    await host.services.restart(LOGGING_UNIT, calm());
    await host.journal.write('canary two', calm());
    assert.equal(await host.journal.contains('two', 60_000, calm()), true);
  });

  it('C-10: an old canary does not count', async (t) => {
    const clock = new ManualClock();
    const host = await openSimulatedHost(temporaryDirectory(t), { clock });
    await host.journal.write('canary', calm());
    clock.advance(60_000);
    assert.equal(await host.journal.contains('canary', 60_000, calm()), true);
    clock.advance(1);
    assert.equal(await host.journal.contains('canary', 60_000, calm()), false);
  });

  it('refuses a check it does not know, and a host that does not exist', async (t) => {
    const directory = temporaryDirectory(t);
    for (const act of [breakSimulatedHost, mendSimulatedHost]) {
      await assert.rejects(act(directory, '__proto__'), (error) => hasCode(error, 'ERR_INPUT_INVALID'));
      await assert.rejects(act(directory, 'files'), invalid);
    }
  });
});

describe('state of a simulated host', () => {
  it('C-02: says that it is simulated', async (t) => {
    const host = await openSimulatedHost(temporaryDirectory(t), { hostName: 'db-1' });
    assert.equal(host.platform.simulated, true);
    assert.equal(host.platform.hostName, 'db-1');
  });

  it('is kept: a host opened again is the same, whatever the seed', async (t) => {
    const directory = temporaryDirectory(t);
    const first = await lookAtAll(await openSimulatedHost(directory, { seed: 1 }));
    assert.deepEqual(await lookAtAll(await openSimulatedHost(directory, { seed: 2 })), first);
  });

  for (const damage of ['', '{', 'null', '[]', '{"version":2}', '{"version":1}']) {
    it(`refuses a state that is ${JSON.stringify(damage)}, in every port, and does not replace it`, async (t) => {
      const directory = temporaryDirectory(t);
      const host = await openSimulatedHost(directory);
      writeFileSync(`${directory}/state.json`, damage);
      for (const check of BREAKABLE_CHECKS) await assert.rejects(LOOK[check](host), invalid);
      await assert.rejects(host.packetFilter.replace('', calm()), invalid);
      await assert.rejects(openSimulatedHost(directory), invalid);
      assert.equal(readFileSync(`${directory}/state.json`, 'utf8'), damage);
    });
  }

  it('loses no change of several processes, and outlives those that are killed in the middle', async (t) => {
    const directory = temporaryDirectory(t);
    const host = await openSimulatedHost(directory);
    const script = `
      import { openSimulatedHost } from '@holdfast/host-sim';
      const host = await openSimulatedHost(process.argv[1]);
      const signal = new AbortController().signal;
      const count = Number(process.argv[3]);
      for (let n = 0; n < count; n += 1) {
        await host.files.write('/tmp/' + process.argv[2] + n, { bytes: Buffer.from('x'), mode: '0600', uid: 0, gid: 0 }, signal);
        if (n === 5) console.log('under way');
      }`;
    const start = (name: string, count: number) =>
      spawn(process.execPath, ['--input-type=module', '-e', script, directory, name, String(count)], {
        cwd: import.meta.dirname,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
    const victim = start('v', 1_000_000);
    t.after(() => victim.kill('SIGKILL'));
    await once(victim.stdout, 'data');
    victim.kill('SIGKILL');
    await once(victim, 'close');
    const codes = await Promise.all(['a', 'b'].map((name) => once(start(name, 30), 'close')));
    assert.deepEqual(
      codes.map(([code]) => code as number),
      [0, 0],
    );
    for (const name of ['a', 'b']) {
      for (let n = 0; n < 30; n += 1) {
        assert.equal((await host.files.stat(`/tmp/${name}${n}`, calm())).kind, 'file');
      }
    }
    // A process killed in the middle leaves at most its own temporary file, never a torn state.
    const left = readdirSync(directory).filter((name) => name !== 'state.json' && name !== 'state.lock');
    assert.ok(left.length <= 1);
  });
});

describe('ManualClock', () => {
  it('P-09: only the wall clock steps', () => {
    const clock = new ManualClock(1_000);
    clock.advance(5);
    clock.stepWall(0);
    assert.deepEqual([clock.wallMs(), clock.monotonicMs()], [0, 5]);
    assert.throws(() => clock.advance(-1), TypeError);
    assert.throws(() => clock.advance(Number.NaN), TypeError);
  });
});
