import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hasCode } from '@holdfast/core';
import { ScanSummarySchema } from '@holdfast/scan';
import * as fc from 'fast-check';
import { readSarif } from './read-sarif.ts';

const bytes = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
const isRefusal = (error: unknown): boolean => hasCode(error, 'ERR_REPORT_MALFORMED');
const sarif = (run: object): Uint8Array =>
  bytes({ version: '2.1.0', runs: [{ tool: { driver: { name: 'scan', version: '1' } }, results: [], ...run }] });
const result = (value: object): Uint8Array => sarif({ results: [{ ruleId: 'r', message: { text: 'm' }, ...value }] });
const suppressed = (value: object) => readSarif(result({ suppressions: [value] })).findings[0]?.suppressed;

describe('readSarif', () => {
  const severities: { name: string; value: object; severity: string | undefined }[] = [
    { name: 'an error is P0', value: { level: 'error' }, severity: 'P0' },
    { name: 'no level is a warning, and that is P1', value: {}, severity: 'P1' },
    { name: 'a note is P2', value: { level: 'note' }, severity: 'P2' },
    {
      name: 'a score of 7.0 is P0, whatever the level',
      value: { level: 'note', properties: { 'security-severity': '7.0' } },
      severity: 'P0',
    },
    { name: 'a score of 6.9 is P1', value: { properties: { 'security-severity': '6.9' } }, severity: 'P1' },
    { name: 'a score of 3.9 is P2', value: { properties: { 'security-severity': '3.9' } }, severity: 'P2' },
    { name: 'what passed is no finding', value: { kind: 'pass' }, severity: undefined },
    { name: 'what needs a review is one', value: { kind: 'review' }, severity: 'P1' },
  ];
  for (const { name, value, severity } of severities) {
    it(`R-32: ${name}`, () => assert.equal(readSarif(result(value)).findings[0]?.severity, severity));
  }

  it('R-32: a suppression counts with a reason, and when nobody rejected it', () => {
    assert.equal(suppressed({ kind: 'external', justification: 'fixed elsewhere' })?.reason, 'fixed elsewhere');
    assert.equal(suppressed({ kind: 'external' }), null);
    assert.equal(suppressed({ kind: 'external', status: 'rejected', justification: 'no' }), null);
    assert.equal(suppressed({ kind: 'external', status: 'underReview', justification: 'no' }), null);
  });

  it('R-25: a failed run, a run without results and a file without a run are inconclusive, never clean', () => {
    for (const input of [
      sarif({ invocations: [{ executionSuccessful: false }] }),
      sarif({ results: null }),
      bytes({ version: '2.1.0', runs: [] }),
    ])
      assert.equal(readSarif(input).state, 'inconclusive');
    assert.equal(readSarif(sarif({})).state, 'complete');
  });

  it('R-32: whatever it takes fits a record', () => {
    const value = fc.record({
      ruleId: fc.string(),
      message: fc.record({ text: fc.string({ unit: 'binary' }) }),
      level: fc.constantFrom('none', 'note', 'warning', 'error'),
    });
    fc.assert(
      fc.property(
        fc.array(value, { maxLength: 5 }),
        (results) => ScanSummarySchema.safeParse(readSarif(sarif({ results }))).success,
      ),
    );
  });

  it('R-32: refuses another version, and 20,001 results', () => {
    assert.throws(() => readSarif(bytes({ version: '2.0.0', runs: [] })), isRefusal);
    const results = Array.from({ length: 20_001 }, () => ({ message: { text: 'm' } }));
    assert.throws(() => readSarif(sarif({ results })), isRefusal);
    assert.equal(readSarif(sarif({ results: results.slice(1) })).findings.length, 20_000);
  });
});
