/** Reads which tests a command executed from the report of its test runner. */
import type { ReportFormat } from '../gate-file/gate-schema.ts';
import { readGoTestJson } from './go-test-json.ts';
import { readJunit } from './junit.ts';
import { readLibtest } from './libtest.ts';
import { readNodeTest, readTap } from './tap.ts';
import type { TestReport } from './test-results.ts';
import { readVitestJson } from './vitest-json.ts';

export type TestReportFormat = Exclude<ReportFormat, 'sarif' | 'scan'>;

const READERS: Readonly<Record<TestReportFormat, (bytes: Uint8Array, root: string) => TestReport>> = {
  tap: readTap,
  junit: (bytes, root) => readJunit('junit', bytes, root),
  'pytest-junit': (bytes, root) => readJunit('pytest-junit', bytes, root),
  'go-test-json': readGoTestJson,
  'node-test': readNodeTest,
  'vitest-json': readVitestJson,
  libtest: (bytes) => ({ results: readLibtest(bytes), cached: false }),
};

/**
 * @param root absolute; paths in the report are made relative to it
 * @throws `ERR_REPORT_MALFORMED` for what is not whole: it counts as missing
 */
export function readTestReport(format: TestReportFormat, bytes: Uint8Array, root: string): TestReport {
  return READERS[format](bytes, root);
}
