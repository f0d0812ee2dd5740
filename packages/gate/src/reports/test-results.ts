/** The executed tests of one report, collected with the caps that every format shares. */
import type { TestResult } from '../records/run-record.ts';
import { malformed } from './malformed.ts';

/** Of the record's schema. */
const MAX_TESTS = 200_000;
const MAX_ID_CHARS = 2_000;
/** Joins file, suites and test. */
export const SEPARATOR = ' > ';

export interface TestReport {
  /** In the order of the report. The same id may stand there more than once: then all of them count. */
  readonly results: readonly TestResult[];
  /** Whether the report says that a result came from a cache. */
  readonly cached: boolean;
}

export class TestResults {
  readonly results: TestResult[] = [];
  readonly #format: string;

  constructor(format: string) {
    this.#format = format;
  }

  /** @throws `ERR_REPORT_MALFORMED` for more tests than a record holds */
  add(names: readonly string[], status: TestResult['status']): void {
    if (this.results.length >= MAX_TESTS) throw malformed(this.#format, 'more than 200000 tests');
    const id = names
      .filter((name) => name !== '')
      .join(SEPARATOR)
      .slice(0, MAX_ID_CHARS)
      .toWellFormed();
    this.results.push({ id: id === '' ? '(no name)' : id, status });
  }

  count(status: TestResult['status']): number {
    return this.results.filter((result) => result.status === status).length;
  }
}
