import assert from 'node:assert/strict';
import { it } from 'node:test';
import { hasCode } from '@holdfast/core';
import { ScanSummarySchema } from '../scan-report.ts';
import { readGovulncheck } from './read-govulncheck.ts';
import { readNpmAudit } from './read-npm-audit.ts';

const bytes = (...messages: unknown[]): Uint8Array =>
  Buffer.from(messages.map((one) => JSON.stringify(one, null, 2)).join('\n'));
const AUDIT = {
  auditReportVersion: 2,
  vulnerabilities: {
    lodash: {
      via: [
        {
          source: 1,
          name: 'lodash',
          title: 'pollution',
          url: 'https://github.com/advisories/GHSA-jf85-cpcp-j695',
          severity: 'critical',
          range: '<4.17.12',
        },
      ],
    },
    parent: { via: ['lodash'] },
  },
  metadata: { dependencies: { total: 2 } },
};

it('R-25: npm audit is read by its JSON', () => {
  const summary = ScanSummarySchema.parse(readNpmAudit(bytes(AUDIT)));
  assert.deepEqual(
    [summary.state, summary.coverage.packages, summary.findings.map(({ rule, severity }) => `${rule} ${severity}`)],
    ['complete', 2, ['GHSA-jf85-cpcp-j695 P0']],
  );
});
it('R-25: npm audit without its registry is inconclusive, never clean', () => {
  for (const report of [
    '',
    '{"error":{"code":"ENOTFOUND","summary":"x"}}',
    '{"message":"no audits here"}',
    JSON.stringify({ ...AUDIT, metadata: {} }),
  ]) {
    assert.equal(readNpmAudit(Buffer.from(report)).state, 'inconclusive', report);
  }
  for (const report of ['{', '[]', '{}', '{"auditReportVersion":1}']) {
    assert.throws(
      () => readNpmAudit(Buffer.from(report)),
      (error) => hasCode(error, 'ERR_REPORT_MALFORMED'),
      report,
    );
  }
});

const CONFIG = {
  config: {
    scanner_version: 'v1.1.0',
    scan_level: 'symbol',
    db: 'https://vuln.go.dev',
    db_last_modified: '2026-01-01T00:00:00Z',
  },
};
const osv = (id: string) => ({ osv: { id, modified: '2026-01-01T00:00:00Z', aliases: ['CVE-1-1'] } });
const finding = (id: string, frame: object) => ({
  finding: { osv: id, fixed_version: 'v0.3.8', trace: [{ module: 'm.org/x', version: 'v0.3.7', ...frame }] },
});

it('R-25: govulncheck says what is called, imported and not reached', () => {
  const summary = ScanSummarySchema.parse(
    readGovulncheck(
      bytes(
        CONFIG,
        osv('GO-1'),
        finding('GO-1', {}),
        finding('GO-1', { package: 'p', function: 'F' }),
        finding('GO-2', { package: 'p' }),
        finding('GO-3', {}),
      ),
    ),
  );
  assert.deepEqual(
    summary.findings.map(({ rule, reachability, location }) => [rule, reachability, location]),
    [
      ['GO-1', 'reachable', 'pkg:golang/m.org/x@v0.3.7'],
      ['GO-2', 'imported', 'pkg:golang/m.org/x@v0.3.7'],
      ['GO-3', 'not-reached', 'pkg:golang/m.org/x@v0.3.7'],
    ],
  );
  assert.equal(summary.state, 'complete');
});
it('R-25: a govulncheck that did not start is inconclusive, one that was cut off is refused', () => {
  assert.equal(readGovulncheck(bytes()).state, 'inconclusive');
  assert.equal(readGovulncheck(bytes({ config: {} })).state, 'inconclusive');
  const whole = bytes(CONFIG, osv('GO-1'));
  assert.throws(
    () => readGovulncheck(whole.subarray(0, -2)),
    (error) => hasCode(error, 'ERR_REPORT_MALFORMED'),
  );
  assert.throws(
    () => readGovulncheck(Buffer.from('go: no such tool')),
    (error) => hasCode(error, 'ERR_REPORT_MALFORMED'),
  );
});
