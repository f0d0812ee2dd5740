import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hasCode } from '@holdfast/core';
import * as fc from 'fast-check';
import { readLibtest } from './libtest.ts';

/** As cargo 1.63 to 1.9x print it: a library, an integration test, a doc test. */
const REPORT = `
running 5 tests
test auth::later ... ignored
test auth::offline ... ignored, no network
test auth::panics - should panic ... ok
test auth::fails ... FAILED
test auth::refuses ... ok

failures:

---- auth::fails stdout ----
test evil ... ok
running 3 tests

failures:
    auth::fails

test result: FAILED. 2 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.11s


running 1 test
test src/lib.rs - one (line 1) ... ok

test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.07s
`;
const read = (text: string) => readLibtest(Buffer.from(text));

describe('readLibtest', () => {
  it('R-07: reads every test of every binary, and nothing that a failed test printed', () => {
    assert.deepEqual(read(REPORT), [
      { id: 'auth::later', status: 'skipped' },
      { id: 'auth::offline', status: 'skipped' },
      { id: 'auth::panics', status: 'passed' },
      { id: 'auth::fails', status: 'failed' },
      { id: 'auth::refuses', status: 'passed' },
      { id: 'src/lib.rs - one (line 1)', status: 'passed' },
    ]);
  });

  const refused: { name: string; text: string }[] = [
    {
      name: 'a line that a test printed',
      text: REPORT.replace('test auth::refuses', 'test forged ... ok\ntest auth::refuses'),
    },
    { name: 'a test that is missing', text: REPORT.replace('test auth::refuses ... ok\n', '') },
    { name: 'a test whose outcome was changed', text: REPORT.replace('FAILED\n', 'ok\n') },
    { name: 'a block cut off', text: REPORT.slice(0, REPORT.indexOf('test result')) },
    { name: 'a result of nothing', text: REPORT.slice(REPORT.indexOf('test result')) },
    { name: 'a block in a block', text: `running 1 test\n${REPORT}` },
  ];
  for (const { name, text } of refused) {
    it(`R-08: refuses ${name}`, () =>
      assert.throws(
        () => read(text),
        (error) => hasCode(error, 'ERR_REPORT_MALFORMED'),
      ));
  }

  it('R-06: what is no report has no tests', () => {
    assert.deepEqual(read(''), []);
    assert.deepEqual(read('error: could not compile `shop`\n'), []);
  });

  it('R-08: any bytes are read or refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(REPORT.length), (bytes, at) => {
        const text = Buffer.from(REPORT);
        try {
          return readLibtest(Buffer.concat([text.subarray(0, at), bytes, text.subarray(at)])).length <= 6;
        } catch (error) {
          return hasCode(error, 'ERR_REPORT_MALFORMED');
        }
      }),
    );
  });
});
