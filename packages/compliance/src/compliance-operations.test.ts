import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hasCode, type ErrorCode, type JsonObject } from '@holdfast/core';
import type { Host } from '@holdfast/host';
import { sha256Hex } from '@holdfast/crypto';
import { baselineFrom, captureAll, loadedFrom, neverAborted } from '../test/baselines.ts';
import { account, goodParts, inMemoryHost, NOW_MS, type Parts } from '../test/in-memory-host.ts';
import { complianceOperations } from './compliance-operations.ts';
import { REMEDIABLE_KINDS, remediationFor } from './remediation.ts';
import { runChecks } from './run-checks.ts';

const operationNamed = (operations: ReturnType<typeof complianceOperations>, name: string) => {
  const operation = operations.get(name);
  assert.ok(operation, name);
  return operation;
};

/** What a host is, apart from its log and what was done to it. */
const stateOf = ({ lines: _lines, changes: _changes, broken: _broken, journalWorks: _works, ...state }: Parts) =>
  structuredClone(state);

const stopped = { load: 'loaded', active: 'inactive', sub: 'dead' };
const file = (text: string, mode = '0644') => ({ bytes: new Uint8Array(Buffer.from(text)), mode, uid: 0, gid: 0 });

const drifts: { name: string; operation: string; params: JsonObject; check: string; spoil: (parts: Parts) => void }[] =
  [
    {
      name: 'a changed ruleset',
      operation: 'firewall.restore',
      params: {},
      check: 'firewall',
      spoil: (parts) => (parts.ruleset = 'table ip x {\n}\n'),
    },
    {
      name: 'no ruleset',
      operation: 'firewall.restore',
      params: {},
      check: 'firewall',
      spoil: (parts) => (parts.ruleset = ''),
    },
    {
      name: 'a stopped unit',
      operation: 'services.restart',
      params: { unit: 'cron.service' },
      check: 'services',
      spoil: (parts) => parts.units.set('cron.service', stopped),
    },
    {
      name: 'stopped logging',
      operation: 'logging.restart',
      params: {},
      check: 'logging',
      spoil: (parts) => {
        parts.units.set('systemd-journald.service', stopped);
        parts.journalWorks = false;
      },
    },
    {
      name: 'a changed file',
      operation: 'files.restore',
      params: { path: '/etc/motd' },
      check: 'files',
      spoil: (parts) => parts.files.set('/etc/motd', file('evil\u0000', '4755')),
    },
    {
      name: 'a missing file',
      operation: 'files.restore',
      params: { path: '/etc/motd' },
      check: 'files',
      spoil: (parts) => parts.files.delete('/etc/motd'),
    },
    {
      name: 'a file others may read',
      operation: 'files.restore',
      params: { path: '/etc/secret' },
      check: 'files',
      spoil: (parts) => parts.files.set('/etc/secret', file('do not show\n', '0644')),
    },
    {
      name: 'a second superuser',
      operation: 'accounts.lock',
      params: { user: 'toor' },
      check: 'accounts',
      spoil: (parts) => parts.accounts.push(account('toor', 0)),
    },
    {
      name: 'a stranger without a password',
      operation: 'accounts.lock',
      params: { user: 'eve' },
      check: 'accounts',
      spoil: (parts) => parts.accounts.push(account('eve', 1001, { password: 'empty' })),
    },
  ];

async function drifted(spoil: (parts: Parts) => void) {
  const parts = goodParts();
  const host: Host = inMemoryHost(parts);
  const yaml = await captureAll(host);
  spoil(parts);
  return { parts, host, loaded: loadedFrom(yaml), operations: complianceOperations(baselineFrom(yaml)) };
}

describe('compliance operations', () => {
  for (const { name, operation: operationName, params, check, spoil } of drifts) {
    it(`C-19: ${operationName} mends ${name}, its check passes, and reverts it exactly`, async () => {
      const { parts, host, loaded, operations } = await drifted(spoil);
      const operation = operationNamed(operations, operationName);
      const before = stateOf(parts);

      const captured = await operation.capture(params, host, neverAborted);
      const steps = await operation.plan(params, host, neverAborted);
      assert.equal((await operation.verify(params, host, neverAborted)).ok, false);
      assert.deepEqual(stateOf(parts), before, 'P-17: looking changes nothing');
      assert.ok(steps.length > 0);

      await operation.apply(params, host, neverAborted);
      const verification = await operation.verify(params, host, neverAborted);
      assert.ok(verification.ok && verification.reasons.length > 0);
      const results = await runChecks(loaded, { host, nowMs: NOW_MS }, neverAborted);
      assert.equal(results.find((result) => result.check === check)?.status, 'pass');

      assert.deepEqual(await operation.plan(params, host, neverAborted), [], 'P-16: nothing is left to do');
      const changes = [...parts.changes];
      await operation.apply(params, host, neverAborted);
      assert.deepEqual(parts.changes, changes, 'P-16: applying again changes nothing');

      const fromJournal = JSON.parse(JSON.stringify(captured)) as typeof captured;
      await operation.revert(fromJournal, host, neverAborted);
      assert.deepEqual(stateOf(parts), before);
      await operation.revert(fromJournal, host, neverAborted);
      assert.deepEqual(stateOf(parts), before, 'P-12: reverting twice is reverting once');
    });

    it(`P-12: ${operationName} can be reverted when nothing of it ran: ${name}`, async () => {
      const { parts, host, operations } = await drifted(spoil);
      const operation = operationNamed(operations, operationName);
      const before = stateOf(parts);
      await operation.revert(await operation.capture(params, host, neverAborted), host, neverAborted);
      assert.deepEqual(stateOf(parts), before);
    });

    it(`P-12: ${operationName} can be reverted after the baseline is gone: ${name}`, async () => {
      const { parts, host, operations } = await drifted(spoil);
      const operation = operationNamed(operations, operationName);
      const before = stateOf(parts);
      const captured = await operation.capture(params, host, neverAborted);
      await operation.apply(params, host, neverAborted);
      const orphan = operationNamed(complianceOperations(null), operationName);
      assert.ok(orphan.resources(params).length > 0);
      await orphan.revert(captured, host, neverAborted);
      assert.deepEqual(stateOf(parts), before);
    });
  }

  const refusals: {
    name: string;
    operation: string;
    params: JsonObject;
    code: ErrorCode;
    spoil?: (parts: Parts) => void;
  }[] = [
    {
      name: 'a unit not in the baseline',
      operation: 'services.restart',
      params: { unit: 'systemd-journald.service' },
      code: 'ERR_NOT_IN_BASELINE',
    },
    {
      name: 'a unit that is an option',
      operation: 'services.restart',
      params: { unit: '--root=/' },
      code: 'ERR_INPUT_INVALID',
    },
    { name: 'no unit', operation: 'services.restart', params: {}, code: 'ERR_INPUT_INVALID' },
    {
      name: 'an unknown parameter',
      operation: 'firewall.restore',
      params: { ruleset: 'x' },
      code: 'ERR_INPUT_INVALID',
    },
    {
      name: 'a path not in the baseline',
      operation: 'files.restore',
      params: { path: '/etc/shadow' },
      code: 'ERR_NOT_IN_BASELINE',
    },
    {
      name: 'another spelling of a path',
      operation: 'files.restore',
      params: { path: '/etc/../etc/motd' },
      code: 'ERR_INPUT_INVALID',
    },
    {
      name: 'a symlink in place of the file',
      operation: 'files.restore',
      params: { path: '/etc/motd' },
      code: 'ERR_RESTORE_TARGET_UNSUITABLE',
      spoil: (parts) => parts.odd.set('/etc/motd', 'symlink'),
    },
    { name: 'root', operation: 'accounts.lock', params: { user: 'root' }, code: 'ERR_ACCOUNT_PROTECTED' },
    {
      name: 'an account the baseline allows',
      operation: 'accounts.lock',
      params: { user: 'alice' },
      code: 'ERR_ACCOUNT_PROTECTED',
    },
    {
      name: 'an allowed account with an empty password',
      operation: 'accounts.lock',
      params: { user: 'alice' },
      code: 'ERR_ACCOUNT_PROTECTED',
      spoil: (parts) => (parts.accounts[1] = account('alice', 1000, { password: 'empty' })),
    },
    {
      name: 'an account that does not exist',
      operation: 'accounts.lock',
      params: { user: 'nobody-here' },
      code: 'ERR_NOT_IN_BASELINE',
    },
    { name: 'a name that is an option', operation: 'accounts.lock', params: { user: '-x' }, code: 'ERR_INPUT_INVALID' },
  ];
  for (const { name, operation: operationName, params, code, spoil } of refusals) {
    it(`C-23: ${operationName} refuses ${name}, before and instead of doing anything`, async () => {
      const { parts, host, operations } = await drifted(spoil ?? (() => undefined));
      const operation = operationNamed(operations, operationName);
      for (const method of ['capture', 'plan', 'apply'] as const) {
        await assert.rejects(
          async () => operation[method](params, host, neverAborted),
          (error) => hasCode(error, code),
          method,
        );
      }
      assert.deepEqual(parts.changes, []);
    });
  }

  it('C-03: without a baseline every operation refuses to begin', async () => {
    const host = inMemoryHost(goodParts());
    const operations = complianceOperations(null);
    for (const { operation, params } of drifts) {
      await assert.rejects(operationNamed(operations, operation).plan(params, host, neverAborted), (error) =>
        hasCode(error, 'ERR_NOT_IN_BASELINE'),
      );
    }
  });

  it('C-22: firewall.restore reverts by itself after a minute, and refuses a ruleset that drops loopback', async () => {
    const parts = goodParts();
    const host = inMemoryHost(parts);
    const yaml = await captureAll(host);
    assert.equal(operationNamed(complianceOperations(baselineFrom(yaml)), 'firewall.restore').confirmWithinMs, 60_000);
    const unsafe = baselineFrom(yaml.replace('iif "lo" accept', 'iif "eth0" accept'));
    const operation = operationNamed(complianceOperations(unsafe), 'firewall.restore');
    for (const method of ['capture', 'plan', 'apply'] as const) {
      await assert.rejects(operation[method]({}, host, neverAborted), (error) => hasCode(error, 'ERR_BASELINE_UNSAFE'));
    }
    assert.deepEqual(parts.changes, []);
  });

  it('C-23: files.restore restores the group as well', async () => {
    const { parts, host, operations } = await drifted((parts) =>
      parts.files.set('/etc/motd', { ...file('hello\nworld\n'), gid: 33 }),
    );
    const operation = operationNamed(operations, 'files.restore');
    await operation.apply({ path: '/etc/motd' }, host, neverAborted);
    assert.equal(parts.files.get('/etc/motd')?.gid, 0);
  });

  it('C-23: accounts.lock never takes root, and nobody the baseline has nothing against', async () => {
    const parts = goodParts();
    parts.accounts.push(account('admin', 0));
    const host = inMemoryHost(parts);
    const yaml = await captureAll(host);
    const open = baselineFrom(
      yaml.replace(
        /uid0:\n(\s+- )admin\n\s+- root\n(\s+)accounts:\n\s+- alice\n/,
        'uid0:\n$1admin\n$2accounts: null\n',
      ),
    );
    assert.deepEqual(open.sections.get('accounts')?.expectation['uid0'], ['admin']);
    assert.equal(open.sections.get('accounts')?.expectation['accounts'], null);
    const operation = operationNamed(complianceOperations(open), 'accounts.lock');
    const refused = (user: string, code: ErrorCode) =>
      assert.rejects(operation.apply({ user }, host, neverAborted), (error) => hasCode(error, code));
    await refused('root', 'ERR_ACCOUNT_PROTECTED');
    await refused('alice', 'ERR_NOT_IN_BASELINE');
    assert.deepEqual(parts.changes, []);
  });

  it('C-22: a ruleset that does not come out as it was put in does not verify', async () => {
    const { parts, host, operations } = await drifted((parts) => (parts.ruleset = ''));
    const operation = operationNamed(operations, 'firewall.restore');
    await operation.apply({}, host, neverAborted);
    parts.ruleset += 'table ip late {\n}\n';
    assert.equal((await operation.verify({}, host, neverAborted)).ok, false);
  });

  it('C-21: logging.restart restarts what runs when lines are lost, and leaves it alone when they arrive', async () => {
    const { parts, host, operations } = await drifted((parts) => (parts.journalWorks = false));
    const operation = operationNamed(operations, 'logging.restart');
    await operation.apply({}, host, neverAborted);
    assert.deepEqual(parts.changes, ['restart systemd-journald.service']);
    assert.ok((await operation.verify({}, host, neverAborted)).ok);
    parts.journalWorks = false;
    assert.equal((await operation.verify({}, host, neverAborted)).ok, false, 'active is not enough');
  });

  it('C-23: files.restore takes a stored copy only when it has the digest', async () => {
    const { parts, host } = await drifted((parts) => parts.files.delete('/etc/secret'));
    const good = inMemoryHost(goodParts());
    const withoutCopy = baselineFrom(await captureAll(good));
    const params = { path: '/etc/secret' };
    const restoreWith = (blobs?: (sha256: string) => Promise<Uint8Array | null>) =>
      operationNamed(complianceOperations(withoutCopy, blobs === undefined ? {} : { blobs }), 'files.restore');
    for (const blobs of [undefined, async () => null, async () => Buffer.from('forged')]) {
      await assert.rejects(restoreWith(blobs).plan(params, host, neverAborted), (error) =>
        hasCode(error, 'ERR_RESTORE_SOURCE_MISSING'),
      );
    }
    const operation = restoreWith(async (sha256) => {
      const copy = Buffer.from('do not show\n');
      return sha256 === sha256Hex(copy) ? copy : null;
    });
    await operation.apply(params, host, neverAborted);
    assert.ok((await operation.verify(params, host, neverAborted)).ok);
    assert.equal(parts.files.get('/etc/secret')?.mode, '0600');
  });

  it('C-18: every remedy is an operation that takes the parameters of the finding', () => {
    const operations = complianceOperations(null);
    const subjects: Record<string, string> = { service: 'a.service', file: '/etc/motd', account: 'eve' };
    for (const kind of REMEDIABLE_KINDS) {
      const remedy = remediationFor(kind, subjects[kind.split('-')[0] ?? ''] ?? 'ruleset');
      assert.ok(remedy, kind);
      assert.ok(operationNamed(operations, remedy.operation).params.safeParse(remedy.params).success, kind);
    }
  });
});
