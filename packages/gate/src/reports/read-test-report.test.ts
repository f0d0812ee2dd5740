import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { hasCode } from '@holdfast/core';
import * as fc from 'fast-check';
import { readTestReport, type TestReportFormat } from './read-test-report.ts';

/** Recorded from the tools themselves; the version is part of the name. */
const VECTORS = new URL('../../vectors/reports/', import.meta.url);
const recorded = (name: string): Buffer => readFileSync(new URL(name, VECTORS));
const ROOT = '/tmp/run-samples';

/** `+` passed, `-` failed, `~` skipped. */
function read(format: TestReportFormat, report: string | Uint8Array): readonly string[] {
  const { results } = readTestReport(format, typeof report === 'string' ? Buffer.from(report) : report, ROOT);
  return results.map(({ id, status }) => `${{ passed: '+', failed: '-', skipped: '~' }[status]} ${id}`);
}

const NODE = [
  '+ auth > refuses a stranger',
  '+ auth > refuses: a # hash, a \\ backslash',
  '- auth > tenants > leak',
  '~ auth > left out',
  '~ auth > later',
  '+ outer > inner',
  '+ outer',
  '~ skips itself',
  '+ other',
];
const CARGO = ['~ tests::left_out', '+ tests::panics', '- tests::fails', '+ tests::refuses_stranger'];

const samples: { file: string; format: TestReportFormat; want: readonly string[] }[] = [
  { file: 'node-20.20.tap', format: 'node-test', want: NODE },
  { file: 'node-26.10.tap', format: 'node-test', want: NODE },
  { file: 'node-26.10.tap', format: 'tap', want: NODE.filter((test) => test !== '+ outer') },
  {
    file: 'perl-test-more-1.302190.tap',
    format: 'tap',
    want: ['+ refuses a stranger', '+ tenants > isolated', '- tenants > no leak', '~ test 3', '~ planned', '+ test 5'],
  },
  {
    file: 'go-1.19.8.jsonl',
    format: 'go-test-json',
    want: [
      '+ example.com/auth > TestRefuses',
      '+ example.com/auth > TestRefuses/stranger',
      '+ example.com/auth > TestRefuses/nobody',
      '- example.com/auth > TestFails',
      '~ example.com/auth > TestSkips',
      '- example.com/auth/broken',
      '- example.com/auth/panics > TestP',
      '+ example.com/auth/sub > TestSub',
    ],
  },
  {
    file: 'pytest-7.2.1.xml',
    format: 'pytest-junit',
    want: [
      '+ test_auth.TestTenants > test_isolated',
      '+ test_auth > test_refuses[mallory]',
      '+ test_auth > test_refuses[<x>]',
      '- test_auth > test_fails',
      '~ test_auth > test_skipped',
      '~ test_auth > test_known',
      '- test_auth > test_error',
    ],
  },
  {
    // Its totals count a suite as one, and a suite in which something failed as skipped, too.
    file: 'node-26.10.junit.xml',
    format: 'junit',
    want: [
      '+ a.test.js > outer > one',
      '~ a.test.js > outer > two',
      '- a.test.js > outer.inner > bad',
      '~ a.test.js > outer.inner > todo',
      '+ a.test.js > test > top',
    ],
  },
  {
    file: 'vitest-5.1.1.json',
    format: 'vitest-json',
    want: [
      '+ vitest/auth.test.ts > auth > refuses a stranger',
      '- vitest/auth.test.ts > auth > fails',
      '~ vitest/auth.test.ts > auth > left out',
      '~ vitest/auth.test.ts > auth > later',
      '- vitest/broken.test.ts',
    ],
  },
];

const suite = (attributes: string, body: string): string => `<testsuite ${attributes}>${body}</testsuite>`;
const deep = (open: string, close: string): string => open.repeat(5_000) + close.repeat(5_000);

const refused: { name: string; format: TestReportFormat; report: string | Uint8Array }[] = [
  { name: 'no bytes of TAP', format: 'tap', report: '' },
  { name: 'TAP without a plan', format: 'tap', report: 'ok 1 - a\n' },
  { name: 'fewer tests than planned', format: 'tap', report: '1..2\nok 1 - a\n' },
  { name: 'more tests than planned', format: 'tap', report: '1..1\nok 1\nok 2\n' },
  { name: 'two plans', format: 'tap', report: '1..1\nok 1\n1..1\n' },
  { name: 'numbers out of order', format: 'tap', report: 'ok 2\nok 1\n1..2\n' },
  { name: 'a bail-out', format: 'tap', report: 'ok 1\nBail out! no disk\n1..1\n' },
  { name: 'a subtest without a result', format: 'tap', report: '    ok 1\n    1..1\n1..0\n' },
  { name: 'a subtest without a plan', format: 'tap', report: '    ok 1 - in\nok 1 - out\n1..1\n' },
  { name: 'a YAML block without an end', format: 'tap', report: '1..1\nok 1\n  ---\n  a: 1\n' },
  { name: 'subtests in the void', format: 'tap', report: `${' '.repeat(8)}ok 1\n1..0\n` },
  { name: 'a report cut off before its summary', format: 'node-test', report: 'TAP version 13\nok 1 - a\n1..1\n' },
  {
    name: 'R-34: a summary that does not add up',
    format: 'node-test',
    report: 'ok 1 - a\n1..1\n# tests 2\n# pass 2\n# fail 0\n',
  },
  { name: 'bytes that are no UTF-8', format: 'tap', report: Buffer.from([0x31, 0x2e, 0x2e, 0x30, 0xff]) },
  { name: 'XML that is none', format: 'junit', report: '{}' },
  { name: 'XML cut off', format: 'junit', report: '<testsuite><testcase name="a">' },
  { name: 'another document', format: 'junit', report: '<html/>' },
  { name: 'R-34: totals too high', format: 'junit', report: suite('tests="2"', '<testcase name="a"/>') },
  {
    name: 'R-34: a failure that is not counted',
    format: 'junit',
    report: suite('tests="1" failures="0" errors="0"', '<testcase name="a"><failure/></testcase>'),
  },
  { name: 'a total in words', format: 'junit', report: suite('tests="many"', '') },
  {
    name: 'entities that grow (billion laughs)',
    format: 'junit',
    report: `<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>${suite('name="&b;"', '')}`,
  },
  { name: 'an entity that nobody defined', format: 'junit', report: suite('name="&x;"', '') },
  { name: 'suites 5000 deep', format: 'junit', report: deep('<testsuite>', '</testsuite>') },
  { name: 'no event', format: 'go-test-json', report: '' },
  { name: 'a line of JSON cut off', format: 'go-test-json', report: '{"Action":"run","Pack' },
  { name: 'a package without an end', format: 'go-test-json', report: '{"Action":"run","Package":"p","Test":"T"}\n' },
  {
    name: 'R-34: a package that passed with a test that failed',
    format: 'go-test-json',
    report:
      ['run', 'fail'].map((a) => `{"Action":"${a}","Package":"p","Test":"T"}\n`).join('') +
      '{"Action":"pass","Package":"p"}',
  },
  {
    name: 'a test that ends and never began',
    format: 'go-test-json',
    report: '{"Action":"pass","Package":"p","Test":"T"}\n{"Action":"pass","Package":"p"}',
  },
  { name: 'JSON of something else', format: 'vitest-json', report: '{"numTotalTests":1}' },
  { name: 'JSON 5000 deep', format: 'vitest-json', report: deep('[', ']') },
  {
    name: 'R-34: totals that do not add up',
    format: 'vitest-json',
    report: recorded('vitest-5.1.1.json').toString().replace('"numPassedTests":1', '"numPassedTests":2'),
  },
];

describe('readTestReport', () => {
  for (const { file, format, want } of samples) {
    it(`R-07: reads ${file} as ${format}`, () => assert.deepEqual(read(format, recorded(file)), want));
  }

  for (const file of ['cargo-1.65.txt', 'cargo-1.95.txt']) {
    it(`R-07: reads ${file} as libtest`, () =>
      assert.deepEqual(
        read('libtest', recorded(file))
          .filter((id) => !id.includes('src/lib.rs'))
          .toSorted(),
        CARGO.toSorted(),
      ));
  }

  it('R-08: sees that go took a result from its cache', () => {
    assert.equal(readTestReport('go-test-json', recorded('go-1.19.8-cached.jsonl'), ROOT).cached, true);
    assert.equal(readTestReport('go-test-json', recorded('go-1.19.8.jsonl'), ROOT).cached, false);
  });

  it('names the file first where JUnit has one, and the suite where it has no class', () => {
    const cases = '<testcase file="a.js" classname="A" name="x"/><testcase name="y"/>';
    assert.deepEqual(read('junit', suite('name="S" tests="2"', cases)), ['+ a.js > A > x', '+ S > y']);
  });

  it('accepts totals of JUnit for what is directly in a suite, or below it', () => {
    const inner = suite('tests="1"', '<testcase classname="A" name="x"/>');
    for (const total of ['tests="1"', 'tests="0"', '']) {
      assert.deepEqual(read('junit', `<testsuites ${total}>${inner}</testsuites>`), ['+ A > x']);
    }
  });

  it('keeps two results of one id, so that both have to pass', () => {
    assert.deepEqual(read('tap', 'ok 1 - a\nnot ok 2 - a\n1..2\n'), ['+ a', '- a']);
  });

  it('fails a group whose members all passed, when the group itself failed', () => {
    const report = '    ok 1 - in\n    1..1\nnot ok 1 - out\n1..1\n';
    assert.deepEqual(read('tap', report), ['+ out > in', '- out']);
  });

  for (const { name, format, report } of refused) {
    it(`R-08: refuses ${name} (${format})`, () =>
      assert.throws(
        () => read(format, report),
        (error) => hasCode(error, 'ERR_REPORT_MALFORMED'),
      ));
  }

  // Events of go have no end of all: whole packages may be missing, which floors and named tests see.
  for (const { file, format } of samples.filter((sample) => sample.format !== 'go-test-json')) {
    it(`R-08: ${file} as ${format}, cut anywhere, loses no test unseen`, () => {
      const bytes = recorded(file);
      const whole = read(format, bytes);
      fc.assert(
        fc.property(fc.nat(bytes.length - 1), (end) => {
          try {
            // Only what follows the last test may be missing.
            assert.deepEqual(read(format, bytes.subarray(0, end)), whole);
          } catch (error) {
            if (!hasCode(error, 'ERR_REPORT_MALFORMED')) throw error;
          }
        }),
      );
    });
  }

  it('R-08: any bytes in any report are read or refused', () => {
    fc.assert(
      fc.property(fc.constantFrom(...samples), fc.uint8Array({ maxLength: 50 }), fc.nat(), (sample, bytes, place) => {
        const text = recorded(sample.file);
        const at = place % text.length;
        try {
          read(sample.format, Buffer.concat([text.subarray(0, at), bytes, text.subarray(at)]));
        } catch (error) {
          if (!hasCode(error, 'ERR_REPORT_MALFORMED')) throw error;
        }
      }),
    );
  });
});
