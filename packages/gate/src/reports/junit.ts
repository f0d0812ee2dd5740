/**
 * Reads JUnit XML, also pytest's. There is no standard; this follows what Ant, Maven Surefire and pytest
 * write: `testsuites`/`testsuite`/`testcase` with `failure`, `error` and `skipped` inside. No document
 * type, no entities but XML's own.
 */
import { isAbsolute, relative } from 'node:path';
import { SaxesParser } from 'saxes';
import type { TestResult } from '../records/run-record.ts';
import { decodeText } from './decode-text.ts';
import { malformed } from './malformed.ts';
import { type TestReport, TestResults } from './test-results.ts';

const MAX_DEPTH = 100;

interface Counts {
  tests: number;
  failed: number;
  skipped: number;
}
const noCounts = (): Counts => ({ tests: 0, failed: 0, skipped: 0 });

interface Suite {
  readonly attributes: Readonly<Record<string, string>>;
  /** Directly in it, and with the suites below. */
  readonly own: Counts;
  readonly all: Counts;
  /** What is directly in it, a suite as one: how Node counts. */
  readonly items: Counts;
}

/** a runner that tried again until a test passed says so, and a pass at the second attempt is none. */
const FAILURES: ReadonlySet<string> = new Set([
  'failure',
  'error',
  'flakyFailure',
  'flakyError',
  'rerunFailure',
  'rerunError',
]);

interface Case {
  readonly attributes: Readonly<Record<string, string>>;
  status: TestResult['status'];
}

/** @param root files are named relative to it, so that the ids are the same on every machine */
export function readJunit(format: 'junit' | 'pytest-junit', bytes: Uint8Array, root: string): TestReport {
  const reader = new JunitReader(format, root);
  reader.parse(decodeText(format, bytes));
  return { results: reader.tests.results, cached: false };
}

class JunitReader {
  readonly tests: TestResults;
  readonly #format: string;
  readonly #root: string;
  readonly #suites: Suite[] = [];
  #case: Case | null = null;
  #depth = 0;
  #sawRoot = false;

  constructor(format: string, root: string) {
    this.#format = format;
    this.#root = root;
    this.tests = new TestResults(format);
  }

  parse(text: string): void {
    const parser = new SaxesParser();
    parser.on('error', () => this.#refuse('not well-formed XML'));
    parser.on('doctype', () => this.#refuse('it has a document type'));
    parser.on('opentag', ({ name, attributes }) => this.#open(name, attributes));
    parser.on('closetag', ({ name }) => this.#close(name));
    parser.write(text).close();
    if (!this.#sawRoot) this.#refuse('no test suite');
  }

  #open(name: string, attributes: Readonly<Record<string, string>>): void {
    if (++this.#depth > MAX_DEPTH) this.#refuse('nested too deeply');
    if (this.#depth === 1 && name !== 'testsuites' && name !== 'testsuite') this.#refuse('no test suite');
    this.#sawRoot = true;
    if (name === 'testsuites' || name === 'testsuite') {
      if (this.#case !== null) this.#refuse('a suite in a test');
      this.#suites.push({ attributes, own: noCounts(), all: noCounts(), items: noCounts() });
    } else if (name === 'testcase') {
      if (this.#case !== null || this.#suites.length === 0) this.#refuse('a test in a test');
      this.#case = { attributes, status: 'passed' };
    } else if (this.#case !== null) {
      if (FAILURES.has(name)) this.#case.status = 'failed';
      else if (name === 'skipped' && this.#case.status === 'passed') this.#case.status = 'skipped';
    } else if (FAILURES.has(name)) this.#refuse('a suite failed outside of its tests');
  }

  #close(name: string): void {
    this.#depth--;
    if (name === 'testcase') this.#closeCase();
    else if (name === 'testsuite' || name === 'testsuites') this.#closeSuite();
  }

  #closeCase(): void {
    const found = this.#case;
    this.#case = null;
    if (found === null) return;
    const { name = '', classname = '', file } = found.attributes;
    const suites = this.#suites.map(({ attributes }) => attributes);
    const path = file ?? suites.findLast((suite) => suite['file'] !== undefined)?.['file'] ?? '';
    const where = isAbsolute(path) ? relative(this.#root, path) : path;
    // Most producers repeat the suite in the class name; without one the suite's name tells tests apart.
    this.tests.add([where, classname === '' ? (suites.at(-1)?.['name'] ?? '') : classname, name], found.status);
    for (const [at, { own, all, items }] of this.#suites.entries()) {
      for (const counts of at === this.#suites.length - 1 ? [own, all, items] : [all]) {
        counts.tests++;
        if (found.status === 'failed') counts.failed++;
        if (found.status === 'skipped') counts.skipped++;
      }
    }
  }

  /** totals are typed by the producer. Some count the tests directly in a suite, some all below, some its suites too. */
  #closeSuite(): void {
    const suite = this.#suites.pop();
    if (suite === undefined) return;
    const { attributes, own, all, items } = suite;
    const around = this.#suites.at(-1);
    if (around !== undefined) {
      around.items.tests++;
      // Node counts a suite in which something failed among the failures, and among the skipped as well.
      if (all.failed > 0) around.items.failed++;
      if (all.failed > 0) around.items.skipped++;
    }
    const said = (name: string): number | null => {
      const text = attributes[name];
      if (text === undefined || text === '') return null;
      return /^\d{1,9}$/.test(text) ? Number(text) : this.#refuse('a total is no number');
    };
    const [total, skipped, failures, errors] = [said('tests'), said('skipped'), said('failures'), said('errors')];
    const fits = (counts: Counts): boolean =>
      (total ?? counts.tests) === counts.tests &&
      (skipped ?? counts.skipped) === counts.skipped &&
      (failures === null && errors === null ? counts.failed : (failures ?? 0) + (errors ?? 0)) === counts.failed;
    if (![own, all, items].some(fits)) this.#refuse('the totals do not add up to the listed tests');
  }

  #refuse(reason: string): never {
    throw malformed(this.#format, reason);
  }
}
