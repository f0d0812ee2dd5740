/**
 * C-42, C-43 from inside: lab hosts are real hosts, and every break and mend of the drift generator
 * shows in what the system's own tools say.
 */
import assert from 'node:assert/strict';
import { randomUUID, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { hasCode } from '@holdfast/core';
import { needs } from '@holdfast/testing';
import {
  AGENT_ID,
  BREAKABLE_CHECKS,
  type BreakableCheck,
  countVariants,
  createLab,
  DEMO,
  type Lab,
  openLab,
} from '../src/index.ts';
import { becomesTrue } from '../src/becomes-true.ts';

const REPOSITORY = join(import.meta.dirname, '..', '..', '..');
const NODE = '/opt/holdfast/node_modules/.bin/node';
/** Longer than a line takes to the journal, which is a few milliseconds. */
const CANARY_MS = 400;

const suite = needs('lab-hosts');
const { signal } = new AbortController();
let base = '';
let lab: Lab;

before(async () => {
  if (suite.skip !== false) return;
  base = mkdtempSync(join(realpathSync(tmpdir()), 'holdfast-lab-'));
  lab = createLab({ directory: join(base, 'lab'), hosts: 2, repositoryRoot: REPOSITORY });
  await lab.up(signal);
});

after(async () => {
  if (suite.skip !== false) return;
  await lab.down();
  rmSync(base, { recursive: true, force: true });
});

async function sh(host: string, ...argv: [string, ...string[]]): Promise<string> {
  const { exitCode, stdout, stderr } = await lab.exec(host, argv, signal);
  return `${exitCode}\n${Buffer.from(stdout).toString('utf8')}${Buffer.from(stderr).toString('utf8')}`;
}

async function canaryArrives(host: string): Promise<boolean> {
  const token = randomUUID();
  // A frozen journal makes the writer wait for nothing: the socket takes the line all the same.
  await sh(host, '/usr/bin/logger', '--tag', 'canary', token);
  return becomesTrue(
    async () =>
      (await sh(host, '/usr/bin/journalctl', '--quiet', '--output=cat', '--identifier=canary')).includes(token),
    CANARY_MS,
  );
}

const ASK_TIME = `
import { SntpTimeSources } from '/opt/holdfast/packages/host-linux/src/index.ts';
import { systemClock } from '/opt/holdfast/packages/host-linux/src/index.ts';
const samples = await new SntpTimeSources(systemClock()).sample(process.argv.slice(1), AbortSignal.timeout(5000));
console.log(JSON.stringify(samples.map((sample) => Math.round(sample.offsetMs / 1000))));
`;

const SHOW_EXPIRY = `
const [port, host] = process.argv.slice(1);
const socket = require('node:tls').connect({ port, host, rejectUnauthorized: false }, () => {
  console.log(socket.getPeerCertificate().valid_to);
  socket.end();
});
`;

function fetchExpiry(): Promise<string> {
  const { port, address } = DEMO.certificatePort;
  return sh('web-1', NODE, '--eval', SHOW_EXPIRY, String(port), address);
}

/** What the host is like in the respect of one check, as its own tools tell. */
const OBSERVE: Record<BreakableCheck, (host: string) => Promise<unknown>> = {
  firewall: (host) => sh(host, '/usr/sbin/nft', '--stateless', 'list', 'ruleset'),
  services: (host) => sh(host, '/usr/bin/systemctl', 'is-active', ...DEMO.services),
  logging: canaryArrives,
  files: async (host) => [
    await sh(host, '/usr/bin/stat', '--format=%n %a %u %g', ...DEMO.files),
    await sh(host, '/usr/bin/sha256sum', ...DEMO.files),
  ],
  ports: async (host) => (await sh(host, '/usr/bin/ss', '-Hltun')).split('\n').map((line) => line.split(/\s+/)[4]),
  accounts: (host) => sh(host, '/usr/bin/cat', '/etc/passwd', '/etc/shadow'),
  time_sync: (host) =>
    sh(host, NODE, '--no-warnings', '--input-type=module', '--eval', ASK_TIME, ...lab.inventory.timeSources),
  certificates: async (host) => {
    const { validFrom, validTo } = new X509Certificate(await lab.readFile(host, DEMO.certificateFile, signal));
    return { validFrom, validTo };
  },
};

describe('lab hosts', { ...suite, concurrency: false, timeout: 120_000 }, () => {
  it('C-42: run a real systemd, their own name, firewall, services and addresses', async () => {
    for (const host of lab.hosts) {
      assert.equal(await sh(host, '/usr/bin/systemctl', 'is-system-running'), '0\nrunning\n');
      assert.equal(await sh(host, '/usr/bin/hostname'), `0\n${host}\n`);
      assert.match(await sh(host, '/usr/sbin/nft', 'list', 'ruleset'), /hook input priority filter; policy drop;/);
      assert.match(await sh(host, '/usr/bin/ip', '-brief', 'address', 'show', 'eth0'), new RegExp(lab.addressOf(host)));
      assert.equal(await sh(host, '/usr/bin/systemctl', 'is-active', ...DEMO.services), '0\nactive\nactive\n');
    }
    assert.notEqual(
      await sh('web-1', '/usr/bin/cat', '/etc/machine-id'),
      await sh('web-2', '/usr/bin/cat', '/etc/machine-id'),
    );
  });

  it('C-42: run nothing besides what the lab wants', async () => {
    const units = await sh(
      'web-1',
      '/usr/bin/systemctl',
      'list-units',
      '--type=service',
      '--state=running',
      '--plain',
      '--no-legend',
    );
    assert.deepEqual(
      units
        .split('\n')
        .slice(1, -1)
        .map((line) => line.split(' ')[0]),
      ['dbus.service', 'demo-web.service', 'demo-worker.service', 'systemd-journald.service'],
    );
  });

  it('C-42: reach the machine and one another, and nothing else', async (t) => {
    const server = createServer((_request, response) => response.end('the machine')).listen(0, lab.gatewayAddress);
    t.after(() => server.close());
    await once(server, 'listening');
    const get = (url: string): Promise<string> =>
      sh('web-1', NODE, '--eval', `fetch('${url}').then((r) => r.text()).then((text) => process.stdout.write(text))`);
    const { port } = server.address() as AddressInfo;
    assert.equal(await get(`http://${lab.gatewayAddress}:${port}/`), '0\nthe machine');
    assert.equal(await get(`http://${lab.addressOf('web-2')}:8080/`), '0\nhello from web-2\n');
    assert.doesNotMatch(await sh('web-1', '/usr/bin/ip', 'route'), /default/);
  });

  it('C-42: have the checkout read-only and open to the agent’s user, who may read the journal', async () => {
    const asAgent = ['/usr/bin/setpriv', `--reuid=${AGENT_ID}`, `--regid=${AGENT_ID}`, '--init-groups'] as const;
    assert.match(await sh('web-1', ...asAgent, NODE, '--version'), /^0\nv26\./);
    assert.match(await sh('web-1', '/usr/bin/touch', '/opt/holdfast/x'), /Read-only file system/);
    assert.match(
      await sh('web-1', ...asAgent, '/usr/bin/journalctl', '--quiet', '--output=cat', '--unit=demo-web.service'),
      /serving/,
    );
    assert.match(await sh('web-1', ...asAgent, '/usr/bin/cat', '/etc/shadow'), /Permission denied/);
  });

  for (const check of BREAKABLE_CHECKS) {
    it(`C-43: every way to break ${check} shows, and mend puts it back`, async () => {
      const whole = await OBSERVE[check]('web-1');
      if (check === 'logging') assert.equal(whole, true);
      for (let seed = 0; seed < countVariants(check); seed++) {
        const drift = await lab.break('web-1', check, seed, signal);
        assert.notDeepEqual(await OBSERVE[check]('web-1'), whole, drift.variant);
        assert.deepEqual((await lab.status(signal)).hosts[0]?.drifts, [drift]);
        await lab.mend('web-1', check, signal);
        const mended = await becomesTrue(async () => {
          const seen = await OBSERVE[check]('web-1');
          return JSON.stringify(seen) === JSON.stringify(whole);
        }, 5_000);
        assert.equal(mended, true, drift.variant);
        assert.deepEqual((await lab.status(signal)).hosts[0]?.drifts, []);
      }
      await lab.mend('web-1', check, signal); // of what is whole
      assert.deepEqual(await OBSERVE[check]('web-1'), whole);
    });
  }

  it('C-43: another process breaks the same lab, and the other host is none the worse', async () => {
    const whole = await OBSERVE.firewall('web-2');
    await openLab(lab.directory).break('web-1', 'firewall', 0, signal);
    assert.equal(await OBSERVE.firewall('web-1'), '0\n');
    assert.equal(await OBSERVE.firewall('web-2'), whole);
    await openLab(lab.directory).mend('web-1', 'firewall', signal);
    assert.equal(await OBSERVE.firewall('web-1'), whole);
  });

  it('writes files with owner and mode, makes their directories, and refuses what is no path', async () => {
    const content = { bytes: Buffer.from('a = 1\n'), mode: '0640', uid: 0, gid: AGENT_ID };
    await lab.writeFile('web-1', '/etc/holdfast/deep/guard.toml', content, signal);
    assert.equal(
      await sh('web-1', '/usr/bin/stat', '--format=%a %u %g', '/etc/holdfast/deep/guard.toml'),
      `0\n640 0 ${AGENT_ID}\n`,
    );
    assert.equal(
      Buffer.from(await lab.readFile('web-1', '/etc/holdfast/deep/guard.toml', signal)).toString(),
      'a = 1\n',
    );
    for (const path of ['', 'etc/x', '/etc/', '/etc/x\0']) {
      await assert.rejects(lab.writeFile('web-1', path, content, signal), (error) => hasCode(error, 'ERR_LAB_INPUT'));
    }
    await assert.rejects(lab.writeFile('web-3', '/etc/x', content, signal), (error) => hasCode(error, 'ERR_LAB_INPUT'));
  });

  it('C-43: serve the certificate that stands on the disk, broken or mended', async () => {
    const whole = await fetchExpiry();
    await lab.break('web-1', 'certificates', 1, signal);
    assert.equal(await becomesTrue(async () => (await fetchExpiry()) !== whole, 5_000), true);
    await lab.mend('web-1', 'certificates', signal);
    assert.equal(await becomesTrue(async () => (await fetchExpiry()) === whole, 5_000), true);
  });

  it('come back from a power cut with their disk', async () => {
    await lab.writeFile('web-2', '/etc/kept', { bytes: Buffer.from('kept'), mode: '0600', uid: 0, gid: 0 }, signal);
    const bootId = await sh('web-2', '/usr/bin/systemctl', 'show', '--property=UserspaceTimestampMonotonic');
    await lab.reboot('web-2', signal);
    assert.equal(Buffer.from(await lab.readFile('web-2', '/etc/kept', signal)).toString(), 'kept');
    assert.match(await sh('web-2', '/usr/sbin/nft', 'list', 'ruleset'), /policy drop/);
    assert.notEqual(await sh('web-2', '/usr/bin/systemctl', 'show', '--property=UserspaceTimestampMonotonic'), bootId);
  });
});
