import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Candidate } from '../candidate/candidate.ts';
import { isRoute } from './reference.ts';
import { verifyRunbooks, type VerifyOptions } from './verify-runbooks.ts';

const EXAMPLES = join(import.meta.dirname, '../../../../examples/runbooks');
const PATH = 'examples/runbooks/checkout.md';
const RUNBOOK = readFileSync(join(EXAMPLES, 'checkout.md'), 'utf8');
const SERVER = readFileSync(join(EXAMPLES, 'service/server.mjs'), 'utf8');
const COMMIT = 'a'.repeat(40);
const TREE: Readonly<Record<string, string>> = {
  [PATH]: RUNBOOK,
  'examples/runbooks/service/server.mjs': SERVER,
  'examples/runbooks/service/check-health.mjs': '',
};
const options: VerifyOptions = {
  runbooks: [PATH],
  documents: [],
  people: null,
  tools: ['node'],
  drilled: null,
  maxDrillAgeDays: 90,
  nowMs: Date.parse('2026-11-21T12:00:00Z'),
};
const { signal } = new AbortController();

/** A tree in memory. */
const candidate = (files: Readonly<Record<string, string>>): Candidate => ({
  paths: Object.keys(files).toSorted(),
  read: async (path, maxBytes) => {
    const text = Object.hasOwn(files, path) ? files[path]! : null;
    return text === null || text.length > maxBytes ? null : Buffer.from(text);
  },
  hasCommit: async (id) => id === COMMIT,
});
const verify = (files: Readonly<Record<string, string>>, over: Partial<VerifyOptions> = {}) =>
  verifyRunbooks({ candidate: candidate({ ...TREE, ...files }) }, { ...options, ...over }, signal);
const rulesOf = async (files: Readonly<Record<string, string>>, over: Partial<VerifyOptions> = {}) =>
  (await verify(files, over)).findings.map(({ rule, message }) => `${rule}: ${message}`);
const changed = (from: string, to: string): Record<string, string> => {
  assert.ok(RUNBOOK.includes(from));
  return { [PATH]: RUNBOOK.replace(from, to) };
};
/** The example with a step of ours in a playbook. */
const withStep = (...lines: string[]) =>
  changed('symbol: metrics\nin: examples/runbooks/service/server.mjs', lines.join('\n'));

it('R-29: a good runbook has no findings', async () => assert.deepEqual(await rulesOf({}), []));

/** The example's service with something else in it. */
const server = (from: string, to: string) => ({
  'examples/runbooks/service/server.mjs': SERVER.replaceAll(from, to),
});

describe('R-29: what is named exists at the candidate', () => {
  const cases: { name: string; files: Record<string, string>; want: RegExp }[] = [
    {
      name: 'a flag nobody reads',
      files: server('process.env.CHECKOUT_KILL', 'false /* process.env.CHECKOUT_KILL */'),
      want: /the flag "CHECKOUT_KILL"/,
    },
    { name: 'a route nobody serves', files: server("'/checkout'", "'/cart'"), want: /the route "\/checkout"/ },
    {
      name: 'a route that only a test names',
      files: { ...server("'/checkout'", "'/cart'"), 'a.test.ts': 'get("/checkout")' },
      want: /the route/,
    },
    {
      name: 'a metric nobody counts',
      files: server('checkout_requests_total', 'requests'),
      want: /the metric "checkout_requests_total"/,
    },
    {
      name: 'a symbol that is not exported',
      files: server('export function metrics', 'function metrics'),
      want: /the symbol "metrics"/,
    },
    {
      name: 'a source that does not parse',
      files: server('export function metrics', 'export export metrics'),
      want: /the symbol "metrics"/,
    },
    { name: 'a file that is gone', files: withStep('file: docs/gone.md'), want: /the file "docs\/gone.md"/ },
    {
      name: 'a link that leads nowhere',
      files: changed('](service/server.mjs)', '](service/other.mjs)'),
      want: /link to service\/other.mjs/,
    },
    {
      name: 'a link out of the tree',
      files: changed('](service/server.mjs)', '](../../../../etc/passwd)'),
      want: /link to/,
    },
    {
      name: 'a command that is not in the tree',
      files: changed('check-health.mjs', 'missing.mjs'),
      want: /the file "examples\/runbooks\/service\/missing.mjs"/,
    },
    {
      name: 'a command of the system',
      files: changed('[node, check-health.mjs]', '[/bin/rm, -rf, x]'),
      want: /the file "\/bin\/rm"/,
    },
    {
      name: 'code in an argument',
      files: changed('[node, check-health.mjs]', '[node, -e, x]'),
      want: /the file "node"/,
    },
    {
      name: 'a test nobody wrote',
      files: withStep('owner: mia@shop.example', 'tests: [closes the checkout]'),
      want: /the test "closes/,
    },
    {
      name: 'a commit that is not there',
      files: withStep('owner: mia@shop.example', `commits: [${'b'.repeat(40)}]`),
      want: /the commit "bbbb/,
    },
  ];
  for (const { name, files, want } of cases) {
    it(name, async () => {
      const found = await rulesOf(files);
      assert.match(found.join('\n'), want);
      assert.ok(found.every((rule) => rule.startsWith('runbook-reference')));
    });
  }

  const good: { name: string; files: Record<string, string> }[] = [
    {
      name: 'a test by its suite and name',
      files: { ...withStep('owner: mia@shop.example', 'tests: ["checkout > closes"]'), 'a.test.ts': 'it("closes", f)' },
    },
    {
      name: 'a test of Go',
      files: {
        ...withStep('owner: mia@shop.example', 'tests: [TestClose]'),
        'a_test.go': 'func TestClose(t *testing.T) {}',
      },
    },
    {
      name: 'a test of Rust',
      files: { ...withStep('owner: mia@shop.example', 'tests: ["shop::closes"]'), 'src/shop.rs': 'fn closes() {}' },
    },
    {
      name: 'a test of Python',
      files: {
        ...withStep('owner: mia@shop.example', 'tests: ["tests/test_a.py::test_closes"]'),
        'tests/test_a.py': 'def test_closes():\n  pass',
      },
    },
    { name: 'a commit', files: withStep('owner: mia@shop.example', `commits: [${COMMIT}]`) },
    {
      name: 'a symbol of Go',
      files: { ...withStep('symbol: Close', 'in: a.go'), 'a.go': 'func (s *Shop) Close() error { return nil }' },
    },
    { name: 'a symbol of Python', files: { ...withStep('symbol: Shop', 'in: a.py'), 'a.py': 'class Shop:\n  pass' } },
    {
      name: 'a symbol of CommonJS',
      files: { ...withStep('symbol: close', 'in: a.cjs'), 'a.cjs': 'module.exports = { close };' },
    },
    {
      name: 'a route with a parameter',
      files: {
        ...withStep('http-probe: GET /orders/42?full=1', 'status: 200', 'within: 1 s'),
        'a.go': 'mux.HandleFunc("GET /orders/{id}", show)',
      },
    },
    {
      name: 'a route of an OpenAPI file',
      files: {
        ...withStep('http-probe: GET /orders/42', 'status: 200', 'within: 1 s'),
        'openapi.yaml': 'paths:\n  /orders/{id}: {}',
      },
    },
    {
      name: 'a histogram by one of its samples',
      files: {
        ...withStep('metric-query: paid_seconds_bucket', 'atLeast: 0', 'within: 1 s'),
        'a.py': 'h = Histogram("paid_seconds", "…")',
      },
    },
  ];
  for (const { name, files } of good) it(`${name} is found`, async () => assert.deepEqual(await rulesOf(files), []));

  for (const [path, text] of [
    ['a.go', '// os.Getenv("CHECKOUT_KILL")'],
    ['a.py', '# os.environ["CHECKOUT_KILL"]'],
    ['a.rs', '/* env::var("CHECKOUT_KILL") */'],
    ['a.ts', 'const text = "process.env.CHECKOUT_KILL";'],
  ] as const) {
    it(`a comment or a text in ${path} reads no flag`, async () => {
      const files = { ...server('process.env.CHECKOUT_KILL', 'false'), [path]: text };
      assert.match((await rulesOf(files)).join('\n'), /the flag "CHECKOUT_KILL"/);
    });
  }
  for (const [path, text] of [
    ['a.go', 'x := os.Getenv("CHECKOUT_KILL")'],
    ['a.py', 'x = os.environ.get("CHECKOUT_KILL")'],
    ['a.rs', 'let x = std::env::var("CHECKOUT_KILL");'],
    ['a.ts', 'const { CHECKOUT_KILL } = process.env;'],
    ['a.tsx', 'const x = env["CHECKOUT_KILL"];'],
    ['a.sh', 'if [ "$CHECKOUT_KILL" = 1 ]; then :; fi'],
  ] as const) {
    it(`${path} reads a flag`, async () =>
      assert.deepEqual(await rulesOf({ ...server('process.env.CHECKOUT_KILL', 'false'), [path]: text }), []));
  }
});

describe('R-29, R-31: people', () => {
  const people = ['mia', 'jon', 'board'].map((id) => ({ id, contact: `${id}@shop.example` }));
  it('are found by contact or id', async () => {
    assert.deepEqual(
      await rulesOf(changed('owner: mia@shop.example\nlastDrill', 'owner: mia\nlastDrill'), { people }),
      [],
    );
  });
  const cases: { name: string; files: Record<string, string>; people?: VerifyOptions['people']; want: RegExp }[] = [
    {
      name: 'an owner without a contact',
      files: changed('owner: mia@shop.example\nlastDrill', 'owner: mia\nlastDrill'),
      want: /runbook-owner: The owner "mia"/,
    },
    {
      name: 'somebody who is not in the list',
      files: {},
      people: people.slice(0, 2),
      want: /runbook-owner: The escalation "board@/,
    },
    {
      name: 'somebody of the list with no contact',
      files: {},
      people: [...people.slice(0, 2), { id: 'board', contact: 'ask around' }],
      want: /runbook-owner/,
    },
    {
      name: 'a severity whose escalation is its primary',
      files: changed('15 min | mia@shop.example | jon@', '15 min | mia@shop.example | Mia@'),
      want: /runbook-severity-route: SEV1/,
    },
    {
      name: 'a severity nobody answers',
      files: changed('15 min | mia@shop.example |', '15 min | tbd |'),
      want: /runbook-owner: SEV1: the primary "tbd"/,
    },
    {
      name: 'a step nobody does',
      files: changed('who: jon@shop.example', 'who: someone'),
      want: /runbook-owner: manual/,
    },
  ];
  for (const { name, files, people = null, want } of cases) {
    it(name, async () => assert.match((await rulesOf(files, { people })).join('\n'), want));
  }
});

describe('R-29: statements about one switch agree across documents', () => {
  const block = /```yaml switch\nswitch: CHECKOUT_KILL[^]*?```/.exec(RUNBOOK)![0];
  const cases: { name: string; text: string; want: RegExp | null }[] = [
    { name: 'the same statement', text: block, want: null },
    {
      name: 'another default',
      text: block.replace('default: off', 'default: on'),
      want: /another "default" than in examples/,
    },
    { name: 'another meaning', text: block.replace('sells nothing', 'sells less'), want: /another "on"/ },
    { name: 'another owner', text: block.replace('jon@', 'mia@'), want: /another "owner"/ },
    { name: 'a statement that does not parse', text: block.replace('owner', 'keeper'), want: /runbook-malformed/ },
  ];
  for (const { name, text, want } of cases) {
    it(name, async () => {
      const found = await rulesOf(
        { 'docs/switches.md': `# Switches\n\n${text}\n` },
        { documents: ['docs/switches.md'] },
      );
      if (want === null) assert.deepEqual(found, []);
      else assert.match(found.join('\n'), want);
    });
  }
});

it('R-29: a long document without switches is no finding, and one that cannot be read is told', async () => {
  const long = { 'docs/long.md': '[a](b) '.repeat(60_000) };
  const { findings, skipped } = await verify(long, { documents: ['docs/long.md', 'docs/gone.md'] });
  assert.deepEqual(findings, []);
  assert.deepEqual(
    skipped.map(({ path }) => path),
    ['docs/gone.md'],
  );
});

describe('R-30: drills age', () => {
  const cases: { name: string; files: Record<string, string>; over?: Partial<VerifyOptions>; want: RegExp | null }[] = [
    { name: 'the last day', files: changed('2026-11-20', '2026-08-23'), want: null },
    { name: 'a day too old', files: changed('2026-11-20', '2026-08-21'), want: /older than 90 days/ },
    { name: 'never', files: changed('2026-11-20', 'null'), want: /never drilled/ },
    { name: 'tomorrow', files: changed('2026-11-20', '2026-11-22'), want: /in the future/ },
    {
      name: 'evidence of another state',
      files: {},
      over: { drilled: new Map([[PATH, { digest: '0'.repeat(64), atMs: options.nowMs, failedSince: false }]]) },
      want: /runbook-stale/,
    },
    {
      name: 'evidence of a drill that failed afterwards',
      files: {},
      over: { drilled: new Map([[PATH, { digest: '0'.repeat(64), atMs: options.nowMs, failedSince: true }]]) },
      want: /runbook-drill-failed/,
    },
    {
      name: 'a day that somebody wrote down, where records are kept',
      files: {},
      over: { drilled: new Map() },
      want: /No passed drill of the runbook is on record/,
    },
  ];
  for (const { name, files, over, want } of cases) {
    it(name, async () => {
      const found = await rulesOf(files, over);
      if (want === null) assert.deepEqual(found, []);
      else assert.match(found.join('\n'), want);
    });
  }
});

it('R-29: no runbook is a finding', async () => {
  assert.match((await rulesOf({}, { runbooks: [] })).join(), /runbook-missing/);
  assert.match((await rulesOf({}, { runbooks: ['gone.md'] })).join(), /no such file/);
  assert.match(
    (await rulesOf(changed('status: active', 'status: draft'))).join(),
    /no valid runbook with status active/,
  );
});

it('R-29: a reference that was removed changes the digest even where nothing is left to hash', async () => {
  const before = await verify({});
  const after = await verify({ 'examples/runbooks/service/server.mjs': '' });
  assert.notEqual(before.runbooks[0]!.digest, after.runbooks[0]!.digest);
});

it('R-29: routes are matched part by part', () => {
  const cases: [literal: string, path: string, want: boolean][] = [
    ['/a', '/a', true],
    ['/a', '/a/b', false],
    ['/:id', '/a', false],
    ['/a/:id', '/a/1', true],
    ['/a/<int:id>', '/a/1', true],
    ['/a/[id]', '/a/1', true],
    ['POST /a/{id}', '/a/1', true],
    ['/a/*', '/a/1', true],
    ['a', '/a', false],
    ['/a/:id', '/b/1', false],
  ];
  for (const [literal, path, want] of cases) assert.equal(isRoute(literal, path), want, `${literal} for ${path}`);
});
