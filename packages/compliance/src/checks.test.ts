import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HoldfastError } from '@holdfast/core';
import { FindingSchema } from '@holdfast/evidence';
import { captureAll, checksIn, loadedFrom, neverAborted } from '../test/baselines.ts';
import {
  account,
  certificate,
  goodParts,
  inMemoryHost,
  NOW_MS,
  type Parts,
  ROOT_KEY,
  unreadable,
} from '../test/in-memory-host.ts';
import type { CheckResult } from './check.ts';
import { runChecks } from './run-checks.ts';

/** Captures the good host, spoils it, and checks it against what was captured. */
async function after(spoil: (parts: Parts) => void): Promise<Map<string, CheckResult>> {
  const parts = goodParts();
  const host = inMemoryHost(parts);
  const yaml = await captureAll(host);
  spoil(parts);
  const loaded = loadedFrom(yaml);
  const options = { checks: checksIn(loaded) };
  const results = await runChecks(loaded, { host, nowMs: NOW_MS }, neverAborted, options);
  assert.deepEqual(parts.changes, [], 'checks change nothing');
  for (const finding of results.flatMap(({ findings }) => findings)) FindingSchema.parse(finding);
  return new Map(results.map((result) => [result.check, result]));
}

const bad = (result: CheckResult | undefined): string[] =>
  (result?.findings ?? [])
    .filter(({ status }) => status !== 'pass')
    .map(({ status, severity, kind, subject }) => `${status} ${severity} ${kind} ${subject}`);

const unit = (active: string) => ({ load: 'loaded', active, sub: 'dead' });

const cases: {
  id: string;
  name: string;
  check: string;
  spoil: (parts: Parts) => void;
  want: string[];
  /** What other checks see of it. */
  others?: string[];
  mend?: object | null;
}[] = [
  {
    id: 'C-11',
    name: 'no ruleset at all is critical',
    check: 'firewall',
    spoil: (parts) => (parts.ruleset = ''),
    want: ['fail critical firewall-inactive ruleset'],
    mend: { operation: 'firewall.restore', params: {} },
  },
  {
    id: 'C-11',
    name: 'one more open port is high',
    check: 'firewall',
    spoil: (parts) => (parts.ruleset = parts.ruleset.replace('22', '{ 22, 23 }')),
    want: ['fail high firewall-differs ruleset'],
    mend: { operation: 'firewall.restore', params: {} },
  },
  {
    id: 'C-11',
    name: 'two rules in another order differ',
    check: 'firewall',
    spoil: (parts) => (parts.ruleset = parts.ruleset.replace(/(\t\tiif "lo" accept\n)(\t\tct .*\n)/, '$2$1')),
    want: ['fail high firewall-differs ruleset'],
  },
  {
    id: 'C-11',
    name: 'counters, handles and indentation do not matter',
    check: 'firewall',
    spoil: (parts) => (parts.ruleset = parts.ruleset.replaceAll('\t', '  ').replace('accept\n', 'accept # handle 4\n')),
    want: [],
  },
  {
    id: 'C-06',
    name: 'a ruleset that cannot be read is unknown',
    check: 'firewall',
    spoil: (parts) => parts.broken.set('packetFilter.read', unreadable),
    want: ['unknown critical firewall-unreadable ruleset'],
  },
  {
    id: 'C-13',
    name: 'a stopped unit',
    check: 'services',
    spoil: (parts) => parts.units.set('cron.service', unit('inactive')),
    want: ['fail high service-inactive cron.service'],
    mend: { operation: 'services.restart', params: { unit: 'cron.service' } },
  },
  {
    id: 'C-13',
    name: 'a unit that is still starting is not there yet',
    check: 'services',
    spoil: (parts) => parts.units.set('cron.service', unit('activating')),
    want: ['fail high service-inactive cron.service'],
  },
  {
    id: 'C-13',
    name: 'a unit that is gone needs a person',
    check: 'services',
    spoil: (parts) => parts.units.delete('cron.service'),
    want: ['fail high service-missing cron.service'],
    mend: null,
  },
  {
    id: 'C-13',
    name: 'any other unit that failed',
    check: 'services',
    spoil: (parts) => parts.units.set('backup.service', unit('failed')),
    want: ['fail medium unit-failed backup.service'],
    mend: null,
  },
  {
    id: 'C-06',
    name: 'units that cannot be read are unknown, one by one',
    check: 'services',
    spoil: (parts) => parts.broken.set('services.show', unreadable),
    want: ['unknown high service-unreadable ssh.service', 'unknown high service-unreadable cron.service'],
    others: ['unknown high logging-service-unreadable systemd-journald.service'],
  },
  {
    id: 'C-10',
    name: 'a stopped logging service is high',
    check: 'logging',
    spoil: (parts) => parts.units.set('systemd-journald.service', unit('inactive')),
    want: ['fail high logging-service-inactive systemd-journald.service'],
    mend: { operation: 'logging.restart', params: {} },
  },
  {
    id: 'C-10',
    name: 'a canary that does not arrive, though the service runs',
    check: 'logging',
    spoil: (parts) => (parts.journalWorks = false),
    want: ['fail medium canary-lost canary'],
    mend: { operation: 'logging.restart', params: {} },
  },
  {
    id: 'C-10',
    name: 'a log that takes no lines has lost them',
    check: 'logging',
    spoil: (parts) =>
      parts.broken.set('journal.write', () =>
        Promise.reject(new HoldfastError('no socket', { code: 'ERR_HOST_JOURNAL_UNWRITABLE' })),
      ),
    want: ['fail medium canary-lost canary'],
  },
  {
    id: 'C-10',
    name: 'a sink that cannot be read is unknown',
    check: 'logging',
    spoil: (parts) => parts.broken.set('journal.contains', unreadable),
    want: ['unknown medium canary-unreadable canary'],
  },
  {
    id: 'C-13',
    name: 'a changed file that the baseline holds',
    check: 'files',
    spoil: (parts) =>
      parts.files.set('/etc/motd', { bytes: Buffer.from('hello\nevil\n'), mode: '0644', uid: 0, gid: 0 }),
    want: ['fail high file-content-differs /etc/motd'],
    mend: { operation: 'files.restore', params: { path: '/etc/motd' } },
  },
  {
    id: 'C-13',
    name: 'a changed file without a copy needs a person',
    check: 'files',
    spoil: (parts) => parts.files.set('/etc/secret', { bytes: Buffer.from('x'), mode: '0600', uid: 0, gid: 0 }),
    want: ['fail high file-content-lost /etc/secret'],
    mend: null,
  },
  {
    id: 'C-13',
    name: 'a mode that lets others read',
    check: 'files',
    spoil: (parts) =>
      parts.files.set('/etc/secret', { bytes: Buffer.from('do not show\n'), mode: '0644', uid: 0, gid: 0 }),
    want: ['fail medium file-attributes-differ /etc/secret'],
    mend: { operation: 'files.restore', params: { path: '/etc/secret' } },
  },
  {
    id: 'C-13',
    name: 'a file that is gone',
    check: 'files',
    spoil: (parts) => parts.files.delete('/etc/motd'),
    want: ['fail high file-missing /etc/motd'],
    mend: { operation: 'files.restore', params: { path: '/etc/motd' } },
  },
  {
    id: 'C-13',
    name: 'a symlink where a file should be needs a person',
    check: 'files',
    spoil: (parts) => parts.odd.set('/etc/motd', 'symlink'),
    want: ['fail high file-not-regular /etc/motd'],
    mend: null,
  },
  {
    id: 'C-06',
    name: 'files that cannot be read are unknown',
    check: 'files',
    spoil: (parts) => parts.broken.set('files.stat', unreadable),
    want: ['unknown high file-unreadable /etc/motd', 'unknown high file-unreadable /etc/secret'],
  },
  {
    id: 'C-13',
    name: 'an extra and a missing socket are both found',
    check: 'ports',
    spoil: (parts) => (parts.sockets = [{ protocol: 'tcp', address: '::', port: 4444 }]),
    want: ['fail medium port-missing tcp 0.0.0.0:22', 'fail high port-unexpected tcp [::]:4444'],
    mend: null,
  },
  {
    id: 'C-06',
    name: 'sockets that cannot be read are unknown',
    check: 'ports',
    spoil: (parts) => parts.broken.set('sockets.list', unreadable),
    want: ['unknown high ports-unreadable sockets'],
  },
  {
    id: 'C-13',
    name: 'a second superuser',
    check: 'accounts',
    spoil: (parts) => parts.accounts.push(account('toor', 0)),
    want: ['fail critical account-uid0-unexpected toor'],
    mend: { operation: 'accounts.lock', params: { user: 'toor' } },
  },
  {
    id: 'C-13',
    name: 'an allowed account that became a superuser needs a person',
    check: 'accounts',
    spoil: (parts) => (parts.accounts[1] = account('alice', 0)),
    want: ['fail critical account-uid0-escalated alice'],
    mend: null,
  },
  {
    id: 'C-13',
    name: 'a second superuser that is locked is none',
    check: 'accounts',
    spoil: (parts) => parts.accounts.push(account('toor', 0, { password: 'locked', expired: true })),
    want: [],
  },
  {
    id: 'C-13',
    name: 'a locked password alone does not keep keys out',
    check: 'accounts',
    spoil: (parts) => parts.accounts.push(account('toor', 0, { password: 'locked' })),
    want: ['fail critical account-uid0-unexpected toor'],
  },
  {
    id: 'C-13',
    name: 'an account nobody knows, without a password',
    check: 'accounts',
    spoil: (parts) => parts.accounts.push(account('mallory', 1001, { password: 'empty' })),
    want: ['fail high account-unexpected mallory', 'fail critical account-password-empty mallory'],
    mend: { operation: 'accounts.lock', params: { user: 'mallory' } },
  },
  {
    id: 'C-13',
    name: 'an allowed account without a password needs a person',
    check: 'accounts',
    spoil: (parts) => (parts.accounts[1] = account('alice', 1000, { password: 'empty' })),
    want: ['fail critical account-password-empty-allowed alice'],
    mend: null,
  },
  {
    id: 'C-13',
    name: 'keys that cannot be read are unknown for their account, and the others are judged',
    check: 'accounts',
    spoil: (parts) => {
      parts.accounts[0] = account('root', 0, { authorizedKeys: [ROOT_KEY, `SHA256:${'B'.repeat(43)}`] });
      parts.accounts[1] = account('alice', 1000, { authorizedKeys: null });
    },
    want: [
      'unknown high authorized-keys-unreadable alice',
      `fail high authorized-key-unexpected root SHA256:${'B'.repeat(43)}`,
    ],
    mend: null,
  },
  {
    id: 'C-13',
    name: 'an extra and a missing key are both found',
    check: 'accounts',
    spoil: (parts) => (parts.accounts[0] = account('root', 0, { authorizedKeys: [`SHA256:${'B'.repeat(43)}`] })),
    want: [
      `fail high authorized-key-unexpected root SHA256:${'B'.repeat(43)}`,
      `fail low authorized-key-missing root ${ROOT_KEY}`,
    ],
    mend: null,
  },
  {
    id: 'C-13',
    name: 'an account that is gone',
    check: 'accounts',
    spoil: (parts) => parts.accounts.pop(),
    want: ['fail medium account-missing alice'],
    mend: null,
  },
  {
    id: 'C-06',
    name: 'no account at all is no answer',
    check: 'accounts',
    spoil: (parts) => (parts.accounts = []),
    want: ['unknown critical accounts-unreadable accounts'],
  },
  {
    id: 'C-06',
    name: 'a password nobody can read is unknown',
    check: 'accounts',
    spoil: (parts) => (parts.accounts[1] = account('alice', 1000, { password: 'unknown' })),
    want: ['unknown high account-password-unknown alice'],
  },
  {
    id: 'P-10',
    name: 'a clock that is off',
    check: 'time_sync',
    spoil: (parts) => (parts.samples = parts.samples.map((sample) => ({ ...sample, offsetMs: 5_001 }))),
    want: ['fail high clock-not-sane clock'],
    mend: null,
  },
  {
    id: 'P-10',
    name: 'too few answers are unknown',
    check: 'time_sync',
    spoil: (parts) => parts.samples.pop(),
    want: ['unknown medium clock-unknown clock'],
  },
  {
    id: 'C-13',
    name: 'exactly 30 days left are too few',
    check: 'certificates',
    spoil: (parts) => parts.certificates.set('/etc/tls.pem', certificate(30)),
    want: ['fail medium certificate-expiring /etc/tls.pem'],
    mend: null,
  },
  {
    id: 'C-13',
    name: 'a little more than 30 days are enough',
    check: 'certificates',
    spoil: (parts) =>
      parts.certificates.set('/etc/tls.pem', { ...certificate(30), notAfterMs: certificate(30).notAfterMs + 1 }),
    want: [],
  },
  {
    id: 'C-13',
    name: 'an expired certificate is critical',
    check: 'certificates',
    spoil: (parts) => parts.certificates.set('/etc/tls.pem', certificate(0)),
    want: ['fail critical certificate-expired /etc/tls.pem'],
    mend: null,
  },
  {
    id: 'C-13',
    name: 'a certificate of the future',
    check: 'certificates',
    spoil: (parts) => parts.certificates.set('/etc/tls.pem', { ...certificate(90), notBeforeMs: NOW_MS + 1 }),
    want: ['fail high certificate-not-yet-valid /etc/tls.pem'],
  },
  {
    id: 'C-06',
    name: 'a certificate that cannot be read is unknown',
    check: 'certificates',
    spoil: (parts) => parts.certificates.clear(),
    want: ['unknown medium certificate-unreadable /etc/tls.pem'],
  },
];

describe('checks', () => {
  for (const { id, name, check, spoil, want, mend, others: elsewhere = [] } of cases) {
    it(`${id}: ${check}: ${name}`, async () => {
      const results = await after(spoil);
      assert.deepEqual(bad(results.get(check)), want);
      const others = [...results.values()].filter((result) => result.check !== check);
      assert.deepEqual(others.flatMap(bad), elsewhere, 'what other checks say');
      if (mend === undefined) return;
      const failing = results.get(check)?.findings.filter(({ status }) => status === 'fail') ?? [];
      assert.ok(failing.length > 0);
      for (const finding of failing) assert.deepEqual(finding.remediation, mend); // C-18
    });
  }

  it('C-04: a host just captured passes everything, and every finding has a control or none is mapped', async () => {
    const results = await after(() => undefined);
    assert.equal(results.size, 8);
    for (const result of results.values()) {
      assert.equal(result.status, 'pass', result.check);
      assert.equal(result.severity, 'info');
      for (const finding of result.findings) assert.ok(Object.keys(finding.controls).length > 0); // C-17
    }
  });

  it('C-11: the difference of rulesets is shown', async () => {
    const results = await after((parts) => (parts.ruleset = parts.ruleset.replace('22', '23')));
    const diff = results.get('firewall')?.findings[0]?.diff ?? '';
    assert.match(diff, /^-\t\ttcp dport 22 accept$/m);
    assert.match(diff, /^\+\t\ttcp dport 23 accept$/m);
  });

  it('P-08: the text of a file is shown only when the baseline shows it', async () => {
    const results = await after((parts) => {
      parts.files.set('/etc/motd', { bytes: Buffer.from('hello\nevil\n'), mode: '0644', uid: 0, gid: 0 });
      parts.files.set('/etc/secret', { bytes: Buffer.from('new password\n'), mode: '0600', uid: 0, gid: 0 });
    });
    const findings = results.get('files')?.findings ?? [];
    assert.match(findings[0]?.diff ?? '', /^-world\n\+evil$/m);
    assert.equal(findings[1]?.diff, null);
    assert.ok(!JSON.stringify(findings).includes('password\\n'));
  });

  it('C-06: control characters in names from the host do not reach a finding', async () => {
    const results = await after((parts) => parts.accounts.push(account('evil\u001b[2J\n', 0)));
    const [finding] = results.get('accounts')?.findings ?? [];
    assert.equal(finding?.subject, 'evil\uFFFD[2J\uFFFD');
  });
});
