/** The control plane is gone for a while: hosts go on healing, and afterwards everything arrives exactly once (C-33, C-46). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { BreakableCheck } from '@holdfast/lab';
import { needs } from '@holdfast/testing';
import { listAcknowledged, settle } from './accounting.ts';
import { eventually } from './eventually.ts';
import { Daemon } from './holdfast.ts';
import { Site } from './site.ts';

const never = new AbortController().signal;
const HOSTS = ['web-1', 'web-2'] as const;
const BROKEN: readonly (readonly [BreakableCheck, number])[] = [
  ['files', 0],
  ['services', 1],
  ['accounts', 0],
  ['firewall', 0],
];

describe('an outage of the control plane', needs('lab-hosts'), () => {
  it('C-33, C-42, C-46: hosts heal without it, and all their evidence arrives exactly once afterwards', async (t) => {
    const site = await Site.start(t, { hosts: HOSTS.length, kind: 'apart' });
    const before = new Map<string, number>();
    for (const host of HOSTS) before.set(host, (await listAcknowledged(site, host)).size);
    await refusesTakenPort(site);
    await site.daemon.kill('SIGKILL');

    for (const [check, seed] of BROKEN) {
      await Promise.all(HOSTS.map(async (host) => site.lab.break(host, check, seed, never)));
      for (const host of HOSTS) {
        await eventually(`${host} heals ${check} alone`, async () => {
          const { exitCode, stdout } = await site.inHost(host, 'drift', check);
          if (exitCode === 0) return true;
          throw new Error(stdout);
        });
      }
    }
    const sealed = new Map<string, number>();
    for (const host of HOSTS) sealed.set(host, (await listAcknowledged(site, host)).size);
    for (const host of HOSTS) assert.ok((sealed.get(host) ?? 0) > (before.get(host) ?? 0) + 8, 'sealed meanwhile');

    site.restartControlPlane();
    await eventually('the control plane is back', async () => site.summary());
    await site.allGood(HOSTS.length);
    t.diagnostic(`${await settle(site)} bundles, each exactly once`);
  });
});

/** A second control plane on the same port says so in one line, and the first goes on. */
async function refusesTakenPort(site: Site): Promise<void> {
  const [, address = ''] = /console at http:\/\/(\S+),/.exec(site.daemon.stderr) ?? [];
  const other = new Daemon(['server', 'run', '--state', `${site.state}/other`, '--console-listen', address]);
  try {
    await eventually('it gives up', () => !other.isRunning || undefined);
  } finally {
    await other.stop();
  }
  assert.match(other.stderr, /ERR_SERVER_LISTEN/);
  assert.doesNotMatch(other.stderr, /internal error/);
  assert.ok(site.daemon.isRunning);
}
