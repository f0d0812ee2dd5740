import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { hasCode } from '@holdfast/core';

import { ScanSummarySchema } from '../scan-report.ts';
import { readGitleaksReport } from './gitleaks-report.ts';

const bytes = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
const SECRET = 'p4ssw0rd-of-nobody';
const finding = {
  RuleID: 'generic-api-key',
  Description: 'Detected a Generic API Key',
  StartLine: 12,
  EndLine: 12,
  Match: `key = ${SECRET}`,
  Secret: SECRET,
  File: `conf/${SECRET}.env`,
  SymlinkFile: '',
  Commit: 'c0ffee00'.repeat(5),
  Entropy: 3.9,
  Author: 'ada',
  Email: 'ada@example.org',
  Message: `add ${SECRET}`,
  Tags: [],
  Fingerprint: `c0ffee:conf/${SECRET}.env:generic-api-key:12`,
};

describe('R-24: reports of gitleaks', () => {
  it('a finding is taken over with its place and without its secret', () => {
    const summary = ScanSummarySchema.parse(readGitleaksReport(bytes([finding, finding])));
    assert.equal(summary.scanner, 'imported');
    assert.deepEqual(
      summary.findings.map(({ rule, location, line }) => [rule, location, line]),
      [['gitleaks-generic-api-key', `${finding.Commit}:conf/***.env`, 12]],
    );
    assert.ok(!JSON.stringify(summary).includes(SECRET));
  });

  it('no finding is a report; that coverage is unknown is said', () => {
    for (const empty of [[], null]) {
      const { findings, reasons, coverage } = readGitleaksReport(bytes(empty));
      assert.deepEqual([findings.length, reasons.length, coverage.bytes], [0, 1, 0]);
    }
  });

  const malformed: Record<string, Uint8Array> = {
    'empty file': new Uint8Array(),
    'an object': bytes({ findings: [] }),
    'cut off': bytes([finding]).subarray(0, 100),
    'no rule': bytes([{ ...finding, RuleID: undefined }]),
    'not UTF-8': Uint8Array.of(0x22, 0xff, 0x22),
  };
  for (const [name, content] of Object.entries(malformed)) {
    it(`refuses: ${name}, and quotes nothing of it`, () => {
      assert.throws(
        () => readGitleaksReport(content),
        (error) =>
          hasCode(error, 'ERR_REPORT_MALFORMED') &&
          error.cause === undefined &&
          !JSON.stringify(error.fields).includes(SECRET),
      );
    });
  }
});
