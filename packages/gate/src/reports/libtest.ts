/**
 * What `cargo test` prints: the human output of Rust's libtest, the only one that stable toolchains have.
 * One block for each test binary: `running N tests`, a line for each test, `test result: …`. Anything may
 * stand between these lines (a test may print under `--nocapture`), so a block whose lines do not add up to
 * its own counts is refused: a printed line cannot pass for a test.
 */
import { HoldfastError } from '@holdfast/core';
import type { TestResult } from '../records/run-record.ts';

const RUNNING = /^running (\d+) tests?$/;
const TEST = /^test (.+?)(?: - should panic)? \.\.\. (ok|FAILED|ignored(?:, .*)?|bench: .*)$/;
const RESULT = /^test result: (?:ok|FAILED)\. (\d+) passed; (\d+) failed; (\d+) ignored; (\d+) measured;/;

/** @throws `ERR_REPORT_MALFORMED` for a block without its end, or whose lines and counts differ */
export function readLibtest(bytes: Uint8Array): readonly TestResult[] {
  const results: TestResult[] = [];
  let block: TestResult[] | undefined;
  let announced = 0;
  let failures = false;
  let line = 0;
  for (const text of Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString().split(/\r?\n/)) {
    line++;
    const running = RUNNING.exec(text);
    if (block === undefined) {
      if (running !== null) [block, announced, failures] = [[], Number(running[1]), false];
      else if (RESULT.test(text)) throw malformed(line, 'a result of nothing');
      continue;
    }
    if (running !== null && !failures) throw malformed(line, 'a block without its result');
    const result = RESULT.exec(text);
    if (result !== null) {
      const [passed = 0, failed = 0, ignored = 0, measured = 0] = result.slice(1).map(Number);
      const count = (status: TestResult['status']): number =>
        block?.filter((test) => test.status === status).length ?? 0;
      if (
        block.length !== announced ||
        count('passed') !== passed + measured ||
        count('failed') !== failed ||
        count('skipped') !== ignored
      )
        throw malformed(line, 'tests and counts differ');
      results.push(...block);
      block = undefined;
    } else if (text === 'failures:') {
      failures = true; // what follows is the tests' own output
    } else if (!failures) {
      const test = TEST.exec(text);
      if (test !== null) block.push({ id: (test[1] ?? '').slice(0, MAX_ID_CHARS), status: statusOf(test[2] ?? '') });
    }
  }
  if (block !== undefined) throw malformed(line, 'a block without its result');
  return results;
}

/** What a record takes. */
const MAX_ID_CHARS = 2_000;

function statusOf(word: string): TestResult['status'] {
  if (word === 'FAILED') return 'failed';
  return word.startsWith('ignored') ? 'skipped' : 'passed';
}

function malformed(line: number, reason: string): HoldfastError {
  return new HoldfastError(`the libtest report does not add up in line ${line}: ${reason}`, {
    code: 'ERR_REPORT_MALFORMED',
    fields: { format: 'libtest', line, reason },
  });
}
