/** The life of a request, over the real socket with the real engine, log and store (G-04, G-05, G-15, G-29, G-31, P-19, P-22, P-26). */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmodSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { verifyAuditLog } from '@holdfast/audit';
import { needs } from '@holdfast/testing';
import { recoverGuard, systemClock } from '../src/index.ts';
import {
  eventually,
  failingLogFiles,
  listEvidence,
  makeSite,
  OPERATIONS,
  RawClient,
  start,
  TEST_POLICY,
  type TestSite,
} from './harness.ts';

const never = new AbortController().signal;
const MOTD = { operation: 'files.restore', params: { path: '/etc/motd' } };

function requestLine(changes: Record<string, unknown> = {}): string {
  const request = {
    v: 1,
    id: 'r',
    kind: 'request',
    ...MOTD,
    nonce: randomBytes(18).toString('base64url'),
    issuedAtMs: Math.floor(systemClock.monotonicMs()),
    cause: { kind: 'operator', remediationId: null, check: null, reason: null },
    ...changes,
  };
  return `${JSON.stringify(request)}\n`;
}

async function assertLogVerifies(site: TestSite): Promise<void> {
  const verdict = await verifyAuditLog(site.paths.auditLog, { publicKeys: [site.hostKey] });
  assert.equal(verdict.ok, true, JSON.stringify(verdict));
}

describe('a mutation', needs('linux'), () => {
  it('P-26, P-27: is run, verified, and proven by one statement with every step it took', async (t) => {
    const site = await makeSite(t);
    const { client, stop } = await start(t, site);
    const remediationId = '01890a5d-ac96-774b-bcce-b302099a8057';
    const report = await client.request({ ...MOTD, remediationId, check: 'files' });
    assert.equal(report.outcome, 'committed');
    assert.equal(report.remediationId, remediationId);
    assert.ok(report.steps.length > 0);
    const again = await client.request(MOTD);
    assert.deepEqual([again.outcome, again.steps.length], ['committed', 0]); // P-16
    await stop();
    const evidence = await listEvidence(site);
    assert.deepEqual(
      evidence.map(({ kind, outcome }) => [kind, outcome]),
      [
        ['change', 'committed'],
        ['change', 'committed'],
      ],
    );
    const predicate = evidence[0]!.statement.predicate;
    assert.equal(evidence[0]!.bundleId, report.bundleId);
    assert.equal(predicate.observedBy, 'guard');
    assert.equal(predicate.simulated, true);
    assert.equal(predicate.hostId, 'host-1');
    assert.deepEqual(predicate.baselineHash, { value: 'b'.repeat(64) });
    assert.ok('value' in predicate.policyHash);
    assert.equal(predicate.decision?.rule, 'remediations');
    assert.equal(predicate.remediationId, remediationId);
    assert.equal(predicate.actions.length, report.steps.length);
    for (const [index, { step, action, startedAt, durationMs, result }] of predicate.actions.entries()) {
      assert.deepEqual([step, result], [index, 'ok']);
      assert.ok(action.length > 0 && durationMs >= 0);
      assert.ok(startedAt >= predicate.started && startedAt <= predicate.ended);
    }
    await assertLogVerifies(site);
  });

  it('P-19: the decision is on disk before the operation is entered', async (t) => {
    const site = await makeSite(t);
    let seen: string[] = [];
    const operation = OPERATIONS.get('files.restore')!;
    const watched = {
      ...operation,
      capture: async (...args: Parameters<typeof operation.capture>) => {
        seen = (await client.auditTail(10)).map(({ action, subject }) => JSON.stringify([action, subject]));
        return operation.capture(...args);
      },
    };
    const loadBaseline = async () => ({
      ...(await site.deps.loadBaseline()),
      operations: new Map([['files.restore', watched]]),
    });
    const { client } = await start(t, site, { deps: { loadBaseline } });
    await client.request(MOTD);
    assert.equal(seen.at(-1), '["request.allowed","files.restore"]');
  });

  it('G-05: a nonce counts once, also after a restart', async (t) => {
    const site = await makeSite(t);
    const first = await start(t, site);
    const line = requestLine();
    const raw = new RawClient(site.paths.socket);
    raw.write(line);
    assert.equal((await raw.next())?.ok, true);
    raw.write(line);
    assert.equal((await raw.next())?.error?.code, 'ERR_GUARD_REPLAYED');
    await first.stop();
    await start(t, site);
    const after = new RawClient(site.paths.socket);
    after.write(line);
    assert.equal((await after.next())?.error?.code, 'ERR_GUARD_REPLAYED');
    after.write(requestLine({ issuedAtMs: Math.floor(systemClock.monotonicMs()) - 300_100 }));
    assert.equal((await after.next())?.error?.code, 'ERR_GUARD_REPLAYED');
    after.write(requestLine({ issuedAtMs: Math.floor(systemClock.monotonicMs()) + 60_000 }));
    assert.equal((await after.next())?.error?.code, 'ERR_GUARD_REPLAYED');
    after.write(requestLine());
    assert.equal((await after.next())?.ok, true);
    after.socket.destroy();
  });

  it('G-06: when the memory of nonces is lost, what was issued before is refused', async (t) => {
    const site = await makeSite(t);
    const first = await start(t, site);
    const line = requestLine();
    await first.client.request(MOTD);
    await first.stop();
    for (const suffix of ['', '-wal', '-shm'])
      rmSync(join(site.paths.guardState, `guard.sqlite${suffix}`), { force: true });
    const { client } = await start(t, site);
    const raw = new RawClient(site.paths.socket);
    raw.write(line);
    assert.equal((await raw.next())?.error?.code, 'ERR_GUARD_REPLAYED');
    raw.socket.destroy();
    assert.equal((await client.request(MOTD)).outcome, 'committed');
    const layers = (await client.status()).layers;
    assert.equal(layers.find(({ name }) => name === 'replay-memory')?.state, 'degraded');
  });

  const refused: { name: string; operation: string; params: Record<string, unknown>; code: string }[] = [
    { name: 'an operation without a rule', operation: 'policy.load', params: {}, code: 'ERR_GUARD_DENIED' },
    { name: 'a denied parameter', operation: 'accounts.lock', params: { user: 'root' }, code: 'ERR_GUARD_DENIED' },
    {
      name: 'parameters that do not parse',
      operation: 'files.restore',
      params: { path: 'etc/motd' },
      code: 'ERR_INPUT_INVALID',
    },
    {
      name: 'an operation the baseline lacks',
      operation: 'test.ghost',
      params: {},
      code: 'ERR_CHANGE_OPERATION_UNKNOWN',
    },
    {
      name: 'a command that is asked for as a change',
      operation: 'exec.backup',
      params: { what: '/srv/data' },
      code: 'ERR_CHANGE_OPERATION_UNKNOWN',
    },
  ];
  it('G-04, G-31: each refusal gives a bare code to the caller, reasons to the log, and one statement', async (t) => {
    const site = await makeSite(t);
    const { client, stop } = await start(t, site);
    for (const { name, operation, params, code } of refused) {
      const raw = new RawClient(site.paths.socket);
      raw.write(requestLine({ operation, params }));
      const answer = await raw.next();
      assert.deepEqual(Object.keys(answer?.error ?? {}).toSorted(), ['code', 'correlationId'], name);
      assert.equal(answer?.error?.code, code, name);
      const records = await client.auditTail(5);
      const record = records.findLast(({ action }) => action === 'request.refused');
      const detail = record?.['detail'] as { correlationId: string; reasons: string[] } | undefined;
      assert.equal(detail?.correlationId, answer?.error?.correlationId, name);
      assert.ok(detail?.reasons.length, name);
      raw.socket.destroy();
    }
    await stop();
    const evidence = await listEvidence(site);
    assert.deepEqual(
      evidence.map(({ kind, outcome, operation, statement }) => [
        kind,
        outcome,
        operation,
        statement.predicate.error?.code,
      ]),
      refused.map(({ operation, code }) => ['decision', 'deny', operation, code]),
    );
  });

  it('G-31: a caller that is refused all day fills neither log nor store, and is counted', async (t) => {
    const site = await makeSite(t);
    const { client, stop } = await start(t, site);
    const before = (await client.status()).audit.seq;
    const codes = await Promise.all(
      Array.from({ length: 300 }, async () =>
        client.request({ operation: 'policy.load', params: {} }).catch((error: { code: string }) => error.code),
      ),
    );
    assert.ok(codes.every((code) => code === 'ERR_GUARD_DENIED'));
    assert.ok((await client.status()).audit.seq - before <= 30);
    await stop();
    const evidence = await listEvidence(site);
    assert.ok(evidence.length <= 15);
    const counted = evidence.reduce((sum, { statement }) => {
      const state = statement.predicate.postState as { refused?: number } | null;
      return sum + (state?.refused ?? 1);
    }, 0);
    assert.equal(counted, 300);
    await assertLogVerifies(site);
  });

  it('a rate limit holds for one caller', async (t) => {
    const policy = TEST_POLICY.replace(
      'mutations = { burst = 100000, perMinute = 100000 }',
      'mutations = { burst = 2, perMinute = 1 }',
    );
    const { client } = await start(t, await makeSite(t, policy));
    await client.request(MOTD);
    await client.request(MOTD);
    await assert.rejects(client.request(MOTD), { code: 'ERR_GUARD_RATE_LIMITED' });
    assert.equal((await client.status()).frozen, false);
  });

  it('C-22: what would disrupt outside of every window is deferred, with evidence', async (t) => {
    const policy = TEST_POLICY.replace('00:00-24:00 UTC', `${otherDay()} 00:00-24:00 UTC`);
    const site = await makeSite(t, policy);
    const { client, stop } = await start(t, site);
    const report = await client.request({ operation: 'test.disrupt', params: {} });
    assert.deepEqual([report.outcome, report.steps.length], ['deferred', 0]);
    await stop();
    assert.deepEqual(
      (await listEvidence(site)).map(({ bundleId, outcome }) => [bundleId, outcome]),
      [[report.bundleId, 'deferred']],
    );
  });

  it('C-24: what its caller wants later is deferred with evidence, and runs once its time has come', async (t) => {
    const site = await makeSite(t);
    const { client, stop } = await start(t, site);
    const remediationId = '01890a5d-ac96-774b-bcce-b302099a8057';
    const later = await client.request({ ...MOTD, remediationId, notBeforeMs: Date.now() + 3_600_000 });
    assert.deepEqual([later.outcome, later.errorCode, later.steps.length], ['deferred', 'ERR_GUARD_DEFERRED', 0]);
    assert.equal(later.remediationId, remediationId);
    const now = await client.request({ ...MOTD, notBeforeMs: Date.now() });
    assert.equal(now.outcome, 'committed');
    assert.ok(now.steps.length > 0, 'nothing was done before');
    // It can only make less happen: what is denied stays denied.
    await assert.rejects(
      client.request({ operation: 'exec.unknown', params: {}, notBeforeMs: Date.now() + 3_600_000 }),
      { code: 'ERR_GUARD_DENIED' },
    );
    await stop();
    assert.deepEqual(
      (await listEvidence(site)).map(({ bundleId, kind, outcome }) => [bundleId === later.bundleId, kind, outcome]),
      [
        [true, 'decision', 'deferred'],
        [false, 'change', 'committed'],
        [false, 'decision', 'deny'],
      ],
    );
    await assertLogVerifies(site);
  });

  it('P-13: a change that does not hold is reverted, and says so', async (t) => {
    const site = await makeSite(t);
    const { client, stop } = await start(t, site);
    const report = await client.request({ operation: 'logging.restart', params: { path: '/etc/log' } });
    assert.deepEqual([report.outcome, report.errorCode], ['reverted', 'ERR_CHANGE_NOT_VERIFIED']);
    assert.equal((await site.deps.host.files.stat('/etc/log', never)).kind, 'missing');
    await stop();
    assert.deepEqual(
      (await listEvidence(site)).map(({ outcome, severity }) => [outcome, severity]),
      [['reverted', 'high']],
    );
  });

  it('P-22: a log that cannot be written denies mutations and answers reads; afterwards the gap is in it', async (t) => {
    const site = await makeSite(t);
    const disk = { isFull: false };
    const { client, stop } = await start(t, site, { deps: { logFiles: failingLogFiles(disk) } });
    await client.request(MOTD);
    const before = (await client.status()).audit.seq;
    disk.isFull = true;
    await site.deps.host.files.remove('/etc/motd', never);
    await assert.rejects(client.request(MOTD), { code: 'ERR_GUARD_AUDIT_UNWRITABLE' });
    assert.equal((await site.deps.host.files.stat('/etc/motd', never)).kind, 'missing');
    const status = await client.status();
    assert.equal(status.audit.writable, false);
    assert.equal(status.audit.seq, before);
    assert.equal(status.layers.find(({ name }) => name === 'audit-log')?.state, 'missing');
    assert.ok(await client.observe('files'));
    assert.ok((await client.auditTail(5)).length > 0);
    disk.isFull = false;
    await eventually(async () => (await client.request(MOTD).catch(() => null))?.outcome === 'committed');
    const actions = (await client.auditTail(20)).map(({ action }) => action);
    assert.ok(actions.includes('audit.gap'));
    await stop();
    await assertLogVerifies(site);
  });

  it('G-15: without a policy only `status` answers; G-08: one with errors leaves the last good one', async (t) => {
    const site = await makeSite(t);
    const { client } = await start(t, site);
    await client.request(MOTD);
    writeFileSync(site.paths.policy, 'version = 1\nrulez = []\n');
    assert.equal((await client.request(MOTD)).outcome, 'committed');
    assert.equal((await client.status()).layers.find(({ name }) => name === 'policy')?.state, 'degraded');
    for (const spoil of [
      () => writeFileSync(site.paths.policy, ''),
      () => chmodSync(site.paths.policy, 0o666),
      () => unlinkSync(site.paths.policy),
    ]) {
      writeFileSync(site.paths.policy, TEST_POLICY, { mode: 0o644 });
      chmodSync(site.paths.policy, 0o644);
      assert.equal((await client.request(MOTD)).outcome, 'committed');
      spoil();
      await assert.rejects(client.request(MOTD), { code: 'ERR_GUARD_DENIED' });
      await assert.rejects(client.observe('accounts'), { code: 'ERR_GUARD_DENIED' });
      await assert.rejects(client.auditTail(1), { code: 'ERR_GUARD_DENIED' });
      assert.equal((await client.status()).policyHash, null);
    }
  });

  it('a baseline that does not load offers no operation, and nothing to observe', async (t) => {
    const site = await makeSite(t);
    const { client } = await start(t, site, {
      deps: { loadBaseline: async () => Promise.reject(new Error('forged')) },
    });
    await assert.rejects(client.request(MOTD), { code: 'ERR_CHANGE_OPERATION_UNKNOWN' });
    await assert.rejects(client.observe('files'), { code: 'ERR_GUARD_BASELINE_MISSING' });
    assert.equal((await client.status()).baselineHash, null);
  });

  it('P-12, P-15: a change that was begun is reverted, not frozen, when the baseline does not load any more', async (t) => {
    for (const [revertOperations, outcome, kind] of [
      [OPERATIONS, 'reverted', 'missing'],
      [new Map(), 'frozen', 'file'],
    ] as const) {
      const site = await makeSite(t);
      const { client, stop } = await start(t, site);
      await client.request({ operation: 'firewall.restore', params: { path: '/etc/fw' } });
      await stop();
      const deps = { loadBaseline: failToLoad, revertOperations, bootId: 'another-boot' };
      const again = await start(t, site, { deps });
      assert.equal((await again.client.status()).frozen, outcome === 'frozen');
      await again.stop();
      assert.deepEqual(
        (await listEvidence(site)).map((bundle) => bundle.outcome),
        [outcome],
      );
      assert.equal((await site.deps.host.files.stat('/etc/fw', never)).kind, kind);
    }
  });

  it('P-17: a plan changes nothing, and shows the argv of a command', async (t) => {
    const site = await makeSite(t);
    const { client } = await start(t, site);
    await site.deps.host.files.remove('/etc/motd', never);
    assert.equal((await client.plan('files.restore', { path: '/etc/motd' })).steps.length, 1);
    assert.equal((await site.deps.host.files.stat('/etc/motd', never)).kind, 'missing');
    const command = await client.plan('exec.backup', { what: '/srv/data' });
    assert.deepEqual(command.steps[0]?.detail?.['argv'], ['/usr/bin/backup', '--', '/srv/data']);
    assert.equal((await client.plan('policy.load', {})).decision.effect, 'deny');
  });

  it('P-15: a change waits for its confirmation, and ends once', async (t) => {
    const site = await makeSite(t);
    const { client, stop } = await start(t, site);
    const waiting = await client.request({ operation: 'firewall.restore', params: { path: '/etc/fw' } });
    assert.equal(waiting.state, 'awaiting-confirmation');
    assert.equal((await client.status()).pendingChanges, 1);
    const confirmed = await client.confirm(waiting.changeId);
    assert.equal(confirmed.outcome, 'committed');
    await assert.rejects(client.confirm(waiting.changeId), { code: 'ERR_CHANGE_STATE' });
    await assert.rejects(client.confirm('01890a5d-ac96-774b-bcce-b302099a8057'), { code: 'ERR_GUARD_DENIED' });
    const other = await client.request({ operation: 'firewall.restore', params: { path: '/etc/fw2' } });
    assert.equal((await client.revert(other.changeId)).outcome, 'reverted');
    assert.equal((await site.deps.host.files.stat('/etc/fw2', never)).kind, 'missing');
    await stop();
    const outcomes = (await listEvidence(site)).filter(({ kind }) => kind === 'change').map(({ outcome }) => outcome);
    assert.deepEqual(outcomes.toSorted(), ['committed', 'reverted']);
  });

  for (const [name, later] of [
    [
      'whose time to be confirmed is over',
      { clock: { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + 60_001 } },
    ],
    ['of an earlier boot', { bootId: 'another-boot' }],
  ] as const) {
    it(`P-15: while no guard runs, recovery reverts a change ${name}`, async (t) => {
      const site = await makeSite(t);
      const { client, stop } = await start(t, site);
      const waiting = await client.request({ operation: 'firewall.restore', params: { path: '/etc/fw' } });
      await stop();
      const recovery = await recoverGuard(site.config, { ...site.deps, ...later }, never);
      const reverted = [waiting.changeId];
      assert.deepEqual(recovery, { outcome: 'recovered', reverted, waiting: [], frozen: false });
      assert.equal((await site.deps.host.files.stat('/etc/fw', never)).kind, 'missing');
      assert.deepEqual(
        (await listEvidence(site)).map(({ outcome }) => outcome),
        ['reverted'],
      );
      await assertLogVerifies(site);
    });
  }

  it('P-15: recovery leaves what can still be confirmed to the guard that starts again, and touches nothing while one runs', async (t) => {
    const site = await makeSite(t);
    const { client, stop } = await start(t, site);
    const { changeId } = await client.request({ operation: 'firewall.restore', params: { path: '/etc/fw' } });
    const running = await recoverGuard(site.config, site.deps, never);
    assert.deepEqual(running, { outcome: 'guard-running', reverted: [], waiting: [], frozen: false });
    await stop();
    const recovery = await recoverGuard(site.config, site.deps, never);
    assert.deepEqual(recovery, { outcome: 'recovered', reverted: [], waiting: [changeId], frozen: false });
    assert.equal((await site.deps.host.files.stat('/etc/fw', never)).kind, 'file');
    const again = await start(t, site);
    assert.equal((await again.client.confirm(changeId)).outcome, 'committed');
    assert.equal((await site.deps.host.files.stat('/etc/fw', never)).kind, 'file');
    await again.stop();
    assert.deepEqual(
      (await listEvidence(site)).map(({ outcome }) => outcome),
      ['committed'],
    );
    await assertLogVerifies(site);
  });

  it('a second guard on the same state is refused, and the first goes on', async (t) => {
    const site = await makeSite(t);
    const { client } = await start(t, site);
    await assert.rejects(start(t, site), { code: 'ERR_GUARD_ALREADY_RUNNING' });
    assert.equal((await client.request(MOTD)).outcome, 'committed');
  });
});

const failToLoad = (): Promise<never> => Promise.reject(new Error('trust is unreadable'));

/** A weekday that is neither today nor next to it, in UTC. */
function otherDay(): string {
  return ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'][(new Date().getUTCDay() + 3) % 7]!;
}
