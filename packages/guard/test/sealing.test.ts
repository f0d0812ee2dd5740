/** Evidence of checks and the outbox, over the real socket (P-05, P-26, P-28, P-31, G-02). */
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { CheckReport } from '@holdfast/api';
import { formatUuidV7 } from '@holdfast/core';
import { randomBytes } from 'node:crypto';
import { needs } from '@holdfast/testing';
import { loadGuardConfig } from '../src/index.ts';
import { eventually, failingLogFiles, listEvidence, makeSite, start } from './harness.ts';

function makeReport(changes: Partial<CheckReport> = {}): CheckReport {
  return {
    bundleId: formatUuidV7(Date.now(), randomBytes(10)),
    check: 'files',
    started: '2026-01-02T03:04:05.678Z',
    ended: '2026-01-02T03:04:06.678Z',
    severity: 'low',
    outcome: 'pass',
    findings: [
      {
        subject: '/etc/motd',
        kind: 'file-intact',
        status: 'pass',
        severity: 'info',
        message: 'as it should be',
        observed: { sha256: 'a'.repeat(64) },
        expected: { sha256: 'a'.repeat(64) },
        diff: null,
        controls: { 'cis-debian-12': ['1.1.1'] },
        remediation: null,
      },
    ],
    observed: { files: 1 },
    clock: { status: 'sane', offsetMs: { value: 3 } },
    remediationId: null,
    ...changes,
  };
}

describe('sealing', needs('linux'), () => {
  it('P-31: takes out what guard.toml names besides the built-in classes; wrong rules keep it from starting', async (t) => {
    const site = await makeSite(t);
    const toml = `[[redaction.tokens]]
class = "acme-token"
prefix = "acme_"
characters = "alphanumeric"
minLength = 8
[[redaction.labels]]
class = "badge"
label = "badgeNumber"
`;
    writeFileSync(site.paths.trust, JSON.stringify(site.trust));
    writeFileSync(site.paths.guardConfig, toml);
    const { redactionRules } = loadGuardConfig(site.paths, '0');
    assert.ok(redactionRules);
    const { client, stop } = await start(t, site, { config: { redactionRules } });
    await client.seal(makeReport({ observed: { note: 'it said acme_abcdefgh1', badgeNumber: '4711' } }));
    await stop();
    const { predicate } = (await listEvidence(site))[0]!.statement;
    assert.deepEqual(predicate.postState, { note: 'it said [redacted:acme-token]', badgeNumber: '[redacted:badge]' });
    assert.deepEqual(predicate.redactions, { 'acme-token': 1, badge: 1 });
    writeFileSync(site.paths.guardConfig, toml.replace('minLength = 8', 'minLength = 0'));
    assert.throws(() => loadGuardConfig(site.paths, '0'), { code: 'ERR_CONFIG_INVALID' });
    writeFileSync(site.paths.guardConfig, '[redaction]\nrules = []\n');
    assert.throws(() => loadGuardConfig(site.paths, '0'), { code: 'ERR_CONFIG_INVALID' });
  });

  it('P-05, P-26: what the agent saw is signed as the agent’s word, with policy and baseline', async (t) => {
    const site = await makeSite(t);
    const { client, stop } = await start(t, site);
    const report = makeReport();
    const sealed = await client.seal(report);
    assert.equal(sealed.bundleId, report.bundleId);
    const record = (await client.auditTail(1))[0]!;
    assert.deepEqual(
      [record['action'], record['subject'], record['seq']],
      ['evidence.sealed', report.bundleId, sealed.seq],
    );
    await stop();
    const [bundle] = await listEvidence(site);
    assert.equal(bundle!.digest, sealed.digest);
    const { predicate } = bundle!.statement;
    assert.deepEqual(
      [predicate.observedBy, predicate.check, predicate.operation, predicate.simulated],
      ['agent', 'files', null, true],
    );
    assert.deepEqual(predicate.controls, { 'cis-debian-12': ['1.1.1'] });
    assert.deepEqual(predicate.clock, { status: 'sane', offsetMs: { value: 3 } });
    assert.ok('value' in predicate.policyHash && 'value' in predicate.baselineHash);
  });

  it('the same report gives the same answer, another one under its id a conflict, also after a restart', async (t) => {
    const site = await makeSite(t);
    let running = await start(t, site);
    const report = makeReport();
    const answers = await Promise.all(Array.from({ length: 5 }, async () => running.client.seal(report)));
    for (let round = 0; round < 3; round += 1) {
      for (const answer of answers) assert.deepEqual(answer, answers[0]);
      assert.deepEqual(await running.client.seal(report), answers[0]);
      await assert.rejects(running.client.seal({ ...report, outcome: 'fail' }), { code: 'ERR_BUNDLE_CONFLICT' });
      await running.stop();
      // The index is only an index: without it the audit log answers.
      if (round === 1)
        for (const end of ['', '-wal', '-shm'])
          rmSync(join(site.paths.guardState, `evidence-index.sqlite${end}`), { force: true });
      running = await start(t, site);
    }
    assert.equal((await running.client.outbox(0, 100)).items.length, 1);
  });

  it('P-31: secrets in a report are not in the bundle', async (t) => {
    const site = await makeSite(t);
    const { client, stop } = await start(t, site);
    await client.seal(makeReport({ observed: { url: 'https://user:hunter2secret@example.org/' } }));
    await stop();
    const [bundle] = await listEvidence(site);
    assert.doesNotMatch(JSON.stringify(bundle!.statement), /hunter2secret/);
    assert.notDeepEqual(bundle!.statement.predicate.redactions, {});
  });

  it('P-26: a report that ends before it starts is refused', async (t) => {
    const { client } = await start(t, await makeSite(t));
    await assert.rejects(client.seal(makeReport({ ended: '2026-01-02T03:04:05.677Z' })), { code: 'ERR_INPUT_INVALID' });
  });

  it('P-05, P-22: what is signed and not yet in the log is not out, and is brought to its end later', async (t) => {
    const site = await makeSite(t);
    const disk = { isFull: false };
    const first = await start(t, site, { deps: { logFiles: failingLogFiles(disk) } });
    const [one, two] = [makeReport(), makeReport()];
    disk.isFull = true;
    await assert.rejects(first.client.seal(one), { code: 'ERR_GUARD_AUDIT_UNWRITABLE' });
    await assert.rejects(first.client.seal(two), { code: 'ERR_GUARD_AUDIT_UNWRITABLE' });
    assert.deepEqual((await first.client.outbox(0, 10)).items, []);
    disk.isFull = false;
    await eventually(async () => (await first.client.seal(one).catch(() => null)) !== null);
    assert.equal((await first.client.outbox(0, 10)).items.length, 1);
    await first.stop();
    const { client, stop } = await start(t, site);
    assert.equal((await client.outbox(0, 10)).items.length, 2);
    const sealed = await client.seal(two);
    await assert.rejects(client.seal({ ...two, outcome: 'fail' }), { code: 'ERR_BUNDLE_CONFLICT' });
    await stop();
    const evidence = await listEvidence(site);
    assert.deepEqual(
      evidence.map(({ bundleId }) => bundleId as string).toSorted(),
      [one.bundleId, two.bundleId].toSorted(),
    );
    assert.equal(evidence.find(({ bundleId }) => bundleId === two.bundleId)?.digest, sealed.digest);
  });

  it('the outbox lists what was sealed after a sequence number, oldest first, page by page', async (t) => {
    const site = await makeSite(t);
    const { client } = await start(t, site);
    const wanted: string[] = [];
    for (let n = 0; n < 25; n += 1) wanted.push((await client.seal(makeReport())).bundleId);
    const seen: string[] = [];
    for (
      let after = 0, page = await client.outbox(0, 10);
      page.items.length > 0;
      page = await client.outbox(after, 10)
    ) {
      seen.push(...page.items.map(({ bundleId }) => bundleId));
      assert.ok(page.items.every(({ seq }) => seq > after));
      after = page.nextSeq;
    }
    assert.deepEqual(seen, wanted);
    const last = await client.outbox(1_000_000, 10);
    assert.deepEqual(last, { items: [], nextSeq: 1_000_000 });
  });

  it('G-02: what root reads is what the baseline names', async (t) => {
    const site = await makeSite(t);
    const { client } = await start(t, site);
    const files = (await client.observe('files')) as { path: string }[];
    assert.deepEqual(
      files.map(({ path }) => path),
      ['/etc/motd'],
    );
    assert.equal(typeof (await client.observe('packet-filter')), 'string');
    assert.ok(Array.isArray(await client.observe('accounts')));
  });
});
