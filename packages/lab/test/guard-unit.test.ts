/**
 * The guard itself, in the unit that ships, on a real host: it starts, answers the agent's user over
 * its socket and nobody else, and is back after a kill and after a power cut.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { needs } from '@holdfast/testing';
import { becomesTrue } from '../src/becomes-true.ts';
import { AGENT_ID, createLab, type Lab } from '../src/index.ts';

const REPOSITORY = join(import.meta.dirname, '..', '..', '..');
const NODE = '/opt/holdfast/node_modules/.bin/node';
const STATUS = [NODE, '--no-warnings', '/opt/holdfast/apps/cli/src/main.ts', 'status', '--json'] as const;
const NOBODY_ID = 65_534;

interface GuardStatus {
  readonly hostName: string;
  readonly simulated: boolean;
  readonly frozen: boolean;
  readonly audit: { readonly seq: number; readonly writable: boolean };
}

const suite = needs('lab-hosts');
const { signal } = new AbortController();
let base = '';
let lab: Lab;

before(async () => {
  if (suite.skip !== false) return;
  base = mkdtempSync(join(realpathSync(tmpdir()), 'holdfast-lab-'));
  lab = createLab({ directory: join(base, 'lab'), hosts: 1, repositoryRoot: REPOSITORY });
  await lab.up(signal);
});

after(async () => {
  if (suite.skip !== false) return;
  await lab.down();
  rmSync(base, { recursive: true, force: true });
});

/** What the guard says to this user; `undefined` when it says nothing. */
async function askAs(id: number): Promise<GuardStatus | undefined> {
  const asUser = ['/usr/bin/setpriv', `--reuid=${id}`, `--regid=${id}`, '--clear-groups', ...STATUS] as const;
  const { exitCode, stdout } = await lab.exec('web-1', [...asUser], signal);
  if (exitCode !== 0) return undefined;
  return (JSON.parse(Buffer.from(stdout).toString('utf8')) as { guard: GuardStatus }).guard;
}

async function answers(): Promise<GuardStatus> {
  let status: GuardStatus | undefined;
  const did = await becomesTrue(async () => (status = await askAs(AGENT_ID)) !== undefined, 30_000);
  const { stdout } = await lab.exec('web-1', ['/usr/bin/journalctl', '--no-pager', '--lines=30'], signal);
  assert.ok(did && status !== undefined, Buffer.from(stdout).toString('utf8'));
  return status;
}

describe('the guard in its unit', { ...suite, concurrency: false, timeout: 120_000 }, () => {
  it('does not start on a host that is not enrolled', async () => {
    await assert.rejects(lab.startUnit('web-1', 'holdfast-guard.service', signal));
  });

  it('starts on one that is, and answers the agent’s user and nobody else', async () => {
    const script = '/opt/holdfast/packages/lab/test/enrol-by-hand.ts';
    const enrolled = await lab.exec('web-1', [NODE, '--no-warnings', script], signal);
    assert.equal(enrolled.exitCode, 0, Buffer.from(enrolled.stderr).toString('utf8'));
    await lab.startUnit('web-1', 'holdfast-guard.service', signal);
    const status = await answers();
    assert.equal(status.hostName, 'web-1');
    assert.equal(status.simulated, false);
    assert.equal(status.audit.writable, true);
    assert.equal(await askAs(NOBODY_ID), undefined);
  });

  it('keeps its state to itself', async () => {
    const { stdout } = await lab.exec('web-1', ['/usr/bin/stat', '--format=%a %U', '/var/lib/holdfast/guard'], signal);
    assert.equal(Buffer.from(stdout).toString('utf8'), '700 root\n');
  });

  it('is back after kill -9, with its audit log whole', async () => {
    const before = await answers();
    await lab.killUnit('web-1', 'holdfast-guard.service', signal);
    const later = await answers();
    assert.ok(later.audit.seq > before.audit.seq);
    assert.equal(later.frozen, false);
  });

  it('P-15: is back after a power cut, behind a recovery that ran before the network', async () => {
    const units = ['holdfast-guard.service', 'holdfast-recover.service', 'holdfast-watchdog.timer'] as const;
    await lab.exec('web-1', ['/usr/bin/systemctl', 'enable', ...units], signal);
    const before = await answers();
    await lab.reboot('web-1', signal);
    const later = await answers();
    assert.ok(later.audit.seq > before.audit.seq);
    const shown = await lab.exec(
      'web-1',
      ['/usr/bin/systemctl', 'show', '--value', '--property=Result,ConditionResult', 'holdfast-recover.service'],
      signal,
    );
    assert.deepEqual(Buffer.from(shown.stdout).toString('utf8').trim().split('\n').toSorted(), ['success', 'yes']);
    await lab.startUnit('web-1', 'holdfast-watchdog.service', signal); // finds a guard running and leaves
    assert.equal((await answers()).frozen, false);
  });
});
