/** A frozen host: what still works, and the one way back (G-19, G-21, P-22). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { verifyAuditLog } from '@holdfast/audit';
import { needs } from '@holdfast/testing';
import {
  eventually,
  failingLogFiles,
  listEvidence,
  makeOrder,
  makeSite,
  signOrder,
  start,
  type TestSite,
} from './harness.ts';

const MOTD = { operation: 'files.restore', params: { path: '/etc/motd' } };

async function assertLogVerifies(site: TestSite): Promise<void> {
  const verdict = await verifyAuditLog(site.paths.auditLog, { publicKeys: [site.hostKey] });
  assert.equal(verdict.ok, true, JSON.stringify(verdict));
}

describe('a frozen host', needs('linux'), () => {
  it('G-19: a revert that fails freezes the host; status, audit and outbox go on, also after a restart', async (t) => {
    const site = await makeSite(t);
    let { client, stop } = await start(t, site);
    const report = await client.request({ operation: 'test.stuck', params: {} });
    assert.equal(report.outcome, 'frozen');
    for (let round = 0; round < 2; round += 1) {
      assert.equal((await client.status()).frozen, true);
      await assert.rejects(client.request(MOTD), { code: 'ERR_GUARD_FROZEN' });
      await assert.rejects(client.observe('files'), { code: 'ERR_GUARD_FROZEN' });
      await assert.rejects(client.order(signOrder(makeOrder(site))), { code: 'ERR_GUARD_FROZEN' });
      await assert.rejects(client.plan('files.restore', {}), { code: 'ERR_GUARD_FROZEN' });
      assert.ok((await client.auditTail(5)).length > 0);
      assert.ok((await client.outbox(0, 10)).items.some(({ bundleId }) => bundleId === report.bundleId));
      await stop();
      ({ client, stop } = await start(t, site));
    }
  });

  it('G-19, G-21: root frees a frozen host with a reason; record and evidence name who, why and what', async (t) => {
    const site = await makeSite(t);
    let { client, stop } = await start(t, site);
    await assert.rejects(client.unfreeze('nothing is frozen here at all'), { code: 'ERR_GUARD_NOT_FROZEN' });
    const stuck = await client.request({ operation: 'test.stuck', params: { path: '/etc/stuck' } });
    const reason = 'disk was replaced, file put back by hand';
    for (const short of ['', 'too short', `${' '.repeat(30)}x`]) {
      await assert.rejects(client.unfreeze(short), { code: 'ERR_GUARD_MALFORMED' });
    }
    assert.equal((await client.status()).frozen, true);
    const unfrozen = await client.unfreeze(reason);
    assert.deepEqual(unfrozen.changes, [stuck.changeId]);
    assert.equal((await client.status()).frozen, false);
    assert.equal((await client.request(MOTD)).outcome, 'committed');
    await stop();
    ({ client, stop } = await start(t, site)); // and it stays so
    assert.equal((await client.status()).frozen, false);
    const record = (await client.auditTail(50)).find(({ action }) => action === 'guard.unfrozen');
    assert.ok(JSON.stringify(record).includes(reason));
    await stop();
    const { statement } = (await listEvidence(site)).find(({ bundleId }) => bundleId === unfrozen.bundleId) ?? {};
    assert.equal(statement?.predicate.outcome, 'allow');
    assert.equal(statement?.predicate.operation, 'guard.unfreeze');
    assert.match(statement?.predicate.principal ?? '', /^local:/);
    assert.deepEqual(statement?.predicate.postState, { frozen: false, reason });
    assert.deepEqual(statement?.predicate.preState, { frozen: true, changes: [stuck.changeId] });
    await assertLogVerifies(site);
  });

  it('P-22: what cannot be recorded does not unfreeze', async (t) => {
    const site = await makeSite(t);
    const disk = { isFull: false };
    const { client } = await start(t, site, { deps: { logFiles: failingLogFiles(disk) } });
    await client.request({ operation: 'test.stuck', params: { path: '/etc/stuck' } });
    disk.isFull = true;
    const reason = 'disk was replaced, file put back by hand';
    await assert.rejects(client.unfreeze(reason), { code: 'ERR_GUARD_AUDIT_UNWRITABLE' });
    assert.equal((await client.status()).frozen, true);
    disk.isFull = false;
    await eventually(async () => (await client.status()).audit.writable);
    await client.unfreeze(reason);
    assert.equal((await client.status()).frozen, false);
  });
});
