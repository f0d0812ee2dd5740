/** What `systemd.test.ts` runs inside a booted host: the contracts against its real systemd, journal and accounts. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';

import { hasCode } from '@holdfast/core';
import { describeAccounts, describeJournal, describeServices } from '@holdfast/host/conformance';
import { openLinuxHost } from '@holdfast/host-linux';

// This file changes accounts: never outside the throw-away host that was made for it.
if (!readFileSync('/proc/1/environ', 'latin1').includes('container=systemd-nspawn')) {
  throw new Error('not inside a booted host');
}

const ACCOUNT = 'holdfast-test';
const FORGET = ['--lock', '--expiredate', '1'];
const calm = (): AbortSignal => new AbortController().signal;
const usermod = (...args: string[]): number | null => spawnSync('/usr/sbin/usermod', args, { stdio: 'ignore' }).status;
const storedLine = (): string =>
  readFileSync('/etc/shadow', 'latin1')
    .split('\n')
    .find((line) => line.startsWith(`${ACCOUNT}:`)) ?? '';

describeServices('systemd', async () => {
  const { services } = await openLinuxHost();
  await services.restart('holdfast-steady.service', calm());
  return { services, unit: 'holdfast-steady.service', failingUnit: 'holdfast-failing.service' };
});

describeJournal('syslog socket and journald', async () => ({
  journal: (await openLinuxHost()).journal,
  freshToken: () => randomBytes(16).toString('hex'),
}));

describeAccounts('the real password files', async (t) => {
  const { accounts } = await openLinuxHost();
  const captured = await accounts.capture(ACCOUNT, calm());
  t.after(() => accounts.restore(ACCOUNT, captured, calm()));
  return {
    accounts,
    account: ACCOUNT,
    secret: '$y$j9T$salt$hash',
    stored: () => readFileSync('/etc/shadow', 'latin1'),
  };
});

/** CPU time of this process and of all it started and waited for. */
function cpuMs(): number {
  const { userCPUTime, systemCPUTime } = process.resourceUsage();
  const children = readFileSync('/proc/self/stat', 'latin1').split(') ')[1]?.split(' ').slice(13, 15) ?? [];
  // proc(5): cutime and cstime in ticks of 10 ms.
  return (userCPUTime + systemCPUTime) / 1_000 + children.reduce((sum, ticks) => sum + Number(ticks) * 10, 0);
}

describe('beside the tools of the system', () => {
  it('C-01: locks an account exactly as usermod does', async () => {
    const { accounts } = await openLinuxHost();
    const captured = await accounts.capture(ACCOUNT, calm());
    await accounts.lock(ACCOUNT, calm());
    const ours = storedLine();
    await accounts.restore(ACCOUNT, captured, calm());
    assert.equal(usermod(...FORGET, ACCOUNT), 0);
    assert.equal(storedLine(), ours);
    await accounts.restore(ACCOUNT, captured, calm());
    assert.equal(storedLine(), captured);
  });

  it('C-10: with the journal stopped no line is taken, and after a restart the next one arrives', async () => {
    const { journal, services } = await openLinuxHost();
    const sockets = ['systemd-journald-dev-log.socket', 'systemd-journald.socket'];
    for (const unit of [...sockets, 'systemd-journald.service']) await services.stop(unit, calm());
    assert.notEqual((await services.show(['systemd-journald.service'], calm()))[0]?.active, 'active');
    await assert.rejects(journal.write('lost', calm()), (error) => hasCode(error, 'ERR_HOST_JOURNAL_UNWRITABLE'));
    for (const unit of [...sockets, 'systemd-journald.service']) await services.restart(unit, calm());
    const token = randomBytes(8).toString('hex');
    await journal.write(token, calm());
    const deadline = performance.now() + 5_000;
    while (!(await journal.contains(token, 60_000, calm()))) assert.ok(performance.now() < deadline);
  });

  it('C-15: all reads together take less than 300 ms of CPU', async () => {
    const host = await openLinuxHost();
    const before = cpuMs();
    await Promise.all([
      host.services.show(['holdfast-steady.service', 'cron.service', 'ssh.service'], calm()),
      host.services.listFailed(calm()),
      host.packetFilter.read(calm()),
      host.accounts.list(calm()),
      host.sockets.list(calm()),
      host.journal.contains('no-such-token', 60_000, calm()),
      ...['/etc/passwd', '/etc/hosts', '/etc/fstab'].map((path) => host.files.stat(path, calm())),
    ]);
    const usedMs = cpuMs() - before;
    assert.ok(usedMs < 300, `${usedMs} ms`);
  });
});
