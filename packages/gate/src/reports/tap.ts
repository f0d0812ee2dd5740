/**
 * Reads TAP 13 and 14 (https://testanything.org/tap-version-14-specification.html) with subtests, and
 * what node:test adds to it: `type: 'suite'` and the summary at the end. Stricter than the specification
 * where leniency would let a truncated or mixed-up report pass: every level has a plan, plans and numbers
 * fit, and nothing is left open. YAML blocks are skipped, not parsed.
 */
import type { TestResult } from '../records/run-record.ts';
import { decodeText, linesOf } from './decode-text.ts';
import { malformed } from './malformed.ts';
import { type TestReport, TestResults } from './test-results.ts';

const MAX_DEPTH = 100;
const INDENT = 4;
const YAML_INDENT = 2;

const POINT = /^(not )?ok\b(?: +(\d{1,9}))?(?:(?: +-)?(?: +|$)(.*))?$/;
const PLAN = /^1\.\.(\d{1,9})(?: *#.*)?$/;
/** The first `#` after a space that is not escaped ends the description. */
const DIRECTIVE = /\s#\s*(?:(skip)\S*|(todo)\b)?/i;

interface Point {
  readonly name: string;
  readonly status: TestResult['status'];
  readonly children: readonly Point[];
  /** node:test: a group, which is no test itself. */
  isSuite: boolean;
}

interface Level {
  readonly points: Point[];
  plan: number | null;
}

export function readTap(bytes: Uint8Array): TestReport {
  const { points } = parse('tap', decodeText('tap', bytes));
  const tests = new TestResults('tap');
  // A point that closes a subtest is the group, unless it fails with nothing in it to blame.
  collect(points, [], tests, ({ children }) => children.length === 0);
  return { results: tests.results, cached: false };
}

export function readNodeTest(bytes: Uint8Array): TestReport {
  const text = decodeText('node-test', bytes);
  const { points, summary } = parse('node-test', text);
  const tests = new TestResults('node-test');
  collect(points, [], tests, ({ isSuite }) => !isSuite);
  checkSummary(points, summary);
  return { results: tests.results, cached: false };
}

function collect(
  points: readonly Point[],
  path: readonly string[],
  tests: TestResults,
  isTest: (point: Point) => boolean,
): void {
  for (const point of points) {
    const names = [...path, point.name];
    collect(point.children, names, tests, isTest);
    const isBlameless = point.children.every(({ status }) => status !== 'failed');
    if (isTest(point) || (point.status === 'failed' && isBlameless)) tests.add(names, point.status);
  }
}

/** `# tests 9` and its parts are typed by the producer, and have to add up against the listing. */
function checkSummary(points: readonly Point[], summary: ReadonlyMap<string, number>): void {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const count = (level: readonly Point[]): void => {
    for (const { status, isSuite, children } of level) {
      if (!isSuite) counts[status]++;
      count(children);
    }
  };
  count(points);
  const said = (name: string): number => summary.get(name) ?? 0;
  const { passed, failed, skipped } = counts;
  if (!summary.has('tests')) throw malformed('node-test', 'the summary is missing');
  const fits =
    said('tests') === passed + failed + skipped &&
    said('pass') === passed &&
    said('fail') + said('cancelled') === failed &&
    said('skipped') + said('todo') === skipped;
  if (!fits) throw malformed('node-test', 'the summary does not add up to the listed tests');
}

function parse(
  format: string,
  text: string,
): { readonly points: readonly Point[]; readonly summary: ReadonlyMap<string, number> } {
  const levels: Level[] = [{ points: [], plan: null }];
  const summary = new Map<string, number>();
  let last: Point | null = null;
  /** Indentation of the YAML block that we are in. */
  let yaml: number | null = null;
  for (const [line, number] of linesOf(text)) {
    const body = line.trimStart();
    const indent = line.length - body.length;
    if (yaml !== null) {
      if (indent === yaml && body === '...') yaml = null;
      else if (indent === yaml && body === "type: 'suite'" && last !== null) last.isSuite = true;
      continue;
    }
    const depth = indent / INDENT;
    if (body === '---' && last !== null && indent === (levels.length - 1) * INDENT + YAML_INDENT) {
      yaml = indent;
      continue;
    }
    if (depth === 0) readComment(body, summary);
    if (/^bail out!/i.test(body)) throw malformed(format, 'the run bailed out', number);
    const plan = PLAN.exec(body);
    const point = POINT.exec(body);
    if (plan === null && point === null) continue;
    if (depth >= MAX_DEPTH || depth > levels.length || !Number.isInteger(depth)) {
      throw malformed(format, 'a line is indented by no level', number);
    }
    if (depth === levels.length) levels.push({ points: [], plan: null });
    // A plan ends the level it stands in, a result one subtest below it at most.
    if (levels.length > depth + (plan === null ? 2 : 1)) throw malformed(format, 'a subtest has no result', number);
    if (plan !== null) {
      const level = levels[depth];
      if (level === undefined || level.plan !== null) throw malformed(format, 'two plans', number);
      level.plan = Number(plan[1]);
      continue;
    }
    const children = levels.length === depth + 2 ? closed(format, levels.pop(), number) : [];
    const level = levels[depth];
    if (level === undefined || point === null) continue; // neither can be: the level is open and it is no plan
    if (point[2] !== undefined && Number(point[2]) !== level.points.length + 1) {
      throw malformed(format, 'tests are not numbered one after the other', number);
    }
    last = pointOf(point, level.points.length + 1, children);
    level.points.push(last);
  }
  if (yaml !== null || levels.length !== 1) throw malformed(format, 'it ends in the middle');
  return { points: closed(format, levels[0], null), summary };
}

/** A level is whole when it has a plan and as many tests. */
function closed(format: string, level: Level | undefined, line: number | null): readonly Point[] {
  if (level?.plan === null || level === undefined) throw malformed(format, 'the plan is missing', line);
  if (level.plan !== level.points.length) throw malformed(format, 'not as many tests as planned', line);
  return level.points;
}

function pointOf([, not, , text = '']: RegExpExecArray, number: number, children: readonly Point[]): Point {
  const directive = DIRECTIVE.exec(` ${text}`); // `ok 1 # SKIP`: the space went with the number
  const description = directive === null ? text : text.slice(0, Math.max(0, directive.index - 1));
  const isLeftOut = directive?.[1] !== undefined || directive?.[2] !== undefined;
  const status = isLeftOut ? 'skipped' : not === undefined ? 'passed' : 'failed';
  const name = description.replaceAll(/\\([#\\])/g, '$1').trim();
  return { name: name === '' ? `test ${number}` : name, status, children, isSuite: false };
}

/** `# pass 5` at the end of a report of node:test. Later ones count, because tests can print such lines too. */
function readComment(body: string, summary: Map<string, number>): void {
  const found = /^# (tests|pass|fail|cancelled|skipped|todo) (\d{1,9})$/.exec(body);
  if (found !== null) summary.set(found[1] ?? '', Number(found[2]));
}
