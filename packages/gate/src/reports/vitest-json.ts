/** Reads the report of vitest's `json` reporter (https://vitest.dev/guide/reporters#json-reporter). */
import { isAbsolute, relative } from 'node:path';
import { z } from 'zod';
import type { TestResult } from '../records/run-record.ts';
import { decodeText } from './decode-text.ts';
import { malformed } from './malformed.ts';
import { type TestReport, TestResults } from './test-results.ts';

const FORMAT = 'vitest-json';
const Count = z.int().min(0);
const Name = z.string().max(5_000);
/** Open: it has more than we read. */
const ReportSchema = z.object({
  numTotalTests: Count,
  numPassedTests: Count,
  numFailedTests: Count,
  numPendingTests: Count,
  numTodoTests: Count,
  testResults: z.array(
    z.object({
      name: Name,
      status: Name,
      assertionResults: z.array(z.object({ ancestorTitles: z.array(Name).max(100), title: Name, status: Name })),
    }),
  ),
});

/** What is in none of these was not executed to its end, and counts as failed. */
const STATUSES: Readonly<Record<string, TestResult['status'] | undefined>> = {
  passed: 'passed',
  skipped: 'skipped',
  pending: 'skipped',
  todo: 'skipped',
  disabled: 'skipped',
};

/** @param root files are named relative to it, so that the ids are the same on every machine */
export function readVitestJson(bytes: Uint8Array, root: string): TestReport {
  const report = parse(decodeText(FORMAT, bytes));
  const tests = new TestResults(FORMAT);
  for (const { name, assertionResults } of report.testResults) {
    const file = isAbsolute(name) ? relative(root, name) : name;
    for (const { ancestorTitles, title, status } of assertionResults) {
      tests.add([file, ...ancestorTitles, title], STATUSES[status] ?? 'failed');
    }
  }
  // the totals are typed by the producer.
  const { numTotalTests, numPassedTests, numFailedTests, numPendingTests, numTodoTests } = report;
  const fits =
    numTotalTests === tests.results.length &&
    numPassedTests === tests.count('passed') &&
    numFailedTests === tests.count('failed') &&
    numPendingTests + numTodoTests === tests.count('skipped');
  if (!fits) throw malformed(FORMAT, 'the totals do not add up to the listed tests');
  for (const { name, status, assertionResults } of report.testResults) {
    // A file that could not be loaded lists no tests.
    if (status === 'failed' && !assertionResults.some((test) => STATUSES[test.status] === undefined)) {
      tests.add([isAbsolute(name) ? relative(root, name) : name], 'failed');
    }
  }
  return { results: tests.results, cached: false };
}

function parse(text: string): z.infer<typeof ReportSchema> {
  try {
    return ReportSchema.parse(JSON.parse(text));
  } catch {
    throw malformed(FORMAT, 'not a report of the json reporter');
  }
}
