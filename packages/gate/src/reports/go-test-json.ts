/**
 * Reads the events of `go test -json` (`go doc test2json`). Lines that are no JSON are what the build
 * printed. A package or test that began and has no end fails the report or counts as failed.
 */
import { z } from 'zod';
import type { TestResult } from '../records/run-record.ts';
import { decodeText, linesOf } from './decode-text.ts';
import { malformed } from './malformed.ts';
import { type TestReport, TestResults } from './test-results.ts';

const FORMAT = 'go-test-json';
/** Open: later versions of Go add fields. */
const EventSchema = z.object({
  Action: z.string().max(50),
  Package: z.string().max(1_000).optional(),
  Test: z.string().max(2_000).optional(),
  Output: z.string().optional(),
});

const ENDS: Readonly<Record<string, TestResult['status'] | undefined>> = {
  pass: 'passed',
  bench: 'passed',
  fail: 'failed',
  skip: 'skipped',
};

interface GoPackage {
  status: TestResult['status'] | null;
  /** `null` while it runs. In order; each run of `-count=2` counts. */
  readonly tests: Map<string, (TestResult['status'] | null)[]>;
}

export function readGoTestJson(bytes: Uint8Array): TestReport {
  const packages = new Map<string, GoPackage>();
  let cached = false;
  let events = 0;
  for (const [line, number] of linesOf(decodeText(FORMAT, bytes))) {
    if (!line.startsWith('{')) {
      const failed = /^FAIL\t(\S+)/.exec(line)?.[1];
      if (failed !== undefined) packageOf(packages, failed).status = 'failed';
      continue;
    }
    const event = parseEvent(line, number);
    events++;
    if (event.Test === undefined && /^ok[ \t]+\S+[ \t]+\(cached\)/.test(event.Output ?? '')) cached = true;
    if (event.Package !== undefined) record(packageOf(packages, event.Package), event, number);
  }
  if (events === 0 && packages.size === 0) throw malformed(FORMAT, 'no event');
  return { results: resultsOf(packages), cached };
}

function parseEvent(line: string, number: number): z.infer<typeof EventSchema> {
  try {
    return EventSchema.parse(JSON.parse(line));
  } catch {
    throw malformed(FORMAT, 'a line is no event', number);
  }
}

function packageOf(packages: Map<string, GoPackage>, name: string): GoPackage {
  const found = packages.get(name) ?? { status: null, tests: new Map() };
  packages.set(name, found);
  return found;
}

function record(into: GoPackage, { Action, Test }: z.infer<typeof EventSchema>, line: number): void {
  const end = ENDS[Action];
  if (Test === undefined) {
    if (end !== undefined) into.status = end;
    return;
  }
  const runs = into.tests.get(Test) ?? [];
  into.tests.set(Test, runs);
  if (Action === 'run') runs.push(null);
  if (end === undefined) return;
  if (runs.at(-1) !== null) throw malformed(FORMAT, 'a test ends that did not begin', line);
  runs[runs.length - 1] = end;
}

function resultsOf(packages: ReadonlyMap<string, GoPackage>): readonly TestResult[] {
  const results = new TestResults(FORMAT);
  for (const [name, { status, tests }] of packages) {
    if (status === null) throw malformed(FORMAT, 'a package has no end');
    let failures = 0;
    for (const [test, runs] of tests) {
      for (const run of runs) {
        // A test that began and never ended took its package down with it.
        if (run === null && status !== 'failed') throw malformed(FORMAT, 'a test has no end');
        if (run === null || run === 'failed') failures++;
        results.add([name, test], run ?? 'failed');
      }
    }
    if (status !== 'failed' && failures > 0) throw malformed(FORMAT, 'a package passed whose tests failed');
    // It did not build, or failed outside of a test.
    if (status === 'failed' && failures === 0) results.add([name], 'failed');
  }
  return results.results;
}
