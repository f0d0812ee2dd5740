import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { array, assert as check, constantFrom, oneof, property, string } from 'fast-check';
import { parseDuration } from './duration.ts';
import { parseRunbook, parseSwitches } from './parse-runbook.ts';

const EXAMPLE = readFileSync(join(import.meta.dirname, '../../../../examples/runbooks/checkout.md'), 'utf8');
const problemsOf = (text: string) => parseRunbook(text, 'a.md').problems.map(({ message }) => message);
/** The example with one thing changed. */
function changed(from: string, to: string): string {
  assert.ok(EXAMPLE.includes(from), `the example has ${from}`);
  return EXAMPLE.replace(from, to);
}

it('R-28: everything a runbook says is read', () => {
  const { runbook, problems } = parseRunbook(EXAMPLE, 'a.md');
  assert.deepEqual(problems, []);
  assert.equal(runbook!.title, 'Checkout shows wrong prices');
  assert.equal(runbook!.lastDrill, '2026-11-20');
  assert.deepEqual(runbook!.playbooks, ['Prices are wrong']);
  assert.deepEqual(
    runbook!.severities.map(({ severity, withinMs }) => `${severity} ${withinMs / 60_000}`),
    ['SEV1 15', 'SEV2 60', 'SEV3 480', 'SEV4 5760'],
  );
  assert.deepEqual(
    runbook!.escalation.map(({ afterMs, to }) => `${afterMs} ${to}`),
    ['900000 jon@shop.example', '3600000 board@shop.example'],
  );
  assert.deepEqual(
    runbook!.steps.filter(({ phase }) => phase === null).map(({ type, heading }) => `${type} in ${heading}`),
    [
      'metric-query in Playbooks / Prices are wrong / Detection',
      'symbol in Playbooks / Prices are wrong / Investigation',
      'owner in Playbooks / Prices are wrong / Resolution',
    ],
  );
  const lines = EXAMPLE.split('\n');
  for (const step of runbook!.steps) assert.equal(lines[step.line - 1], '```yaml step');
});

describe('R-28: a runbook with a part missing is none', () => {
  const cases: { name: string; from: string; to: string; want: RegExp }[] = [
    { name: 'front matter', from: '---\nrunbook', to: 'runbook', want: /begins with front matter/ },
    { name: 'status', from: 'status: active', to: 'status: fine', want: /status/ },
    { name: 'owner', from: 'owner: mia@shop.example\nlastDrill', to: 'lastDrill', want: /owner/ },
    { name: 'a date that is none', from: '2026-11-20', to: '2026-02-30', want: /lastDrill/ },
    { name: 'a key nobody knows', from: 'status: active', to: 'status: active\nstate: x', want: /Unrecognized key/ },
    { name: 'the kill switch', from: '## Kill switch', to: '## Switches', want: /one section "## Kill switch"/ },
    { name: 'the rollback', from: '## Rollback', to: '## Going back', want: /one section "## Rollback"/ },
    { name: 'escalation', from: '## Escalation', to: '## Others', want: /one section "## Escalation"/ },
    { name: 'a playbook', from: '### Prices are wrong', to: '### ', want: /has no name/ },
    { name: 'investigation', from: '#### Investigation', to: '#### Looking', want: /no "#### Investigation"/ },
    {
      name: 'a severity in the response time',
      from: 'SEV1 when money is lost: 15 min. Otherwise SEV2.',
      to: 'Soon.',
      want: /names the severity/,
    },
    { name: 'the type of a step', from: 'owner: mia@shop.example\nfor', to: 'for', want: /exactly one of env-flag/ },
    { name: 'two types', from: 'symbol: metrics', to: 'symbol: metrics\nfile: a', want: /exactly one of env-flag/ },
    { name: 'the fence of a step', from: '```yaml step\nenv-flag', to: '```step\nenv-flag', want: /The fence says/ },
    { name: 'a time', from: 'contains: new prices\nwithin: 5 s', to: 'contains: new prices', want: /within/ },
    { name: 'a time above an hour', from: 'within: 10 min', to: 'within: 61 min', want: /at most 1 h/ },
    { name: 'what a metric should be', from: 'atLeast: 1\nwithin: 1 min', to: 'within: 1 min', want: /says equals/ },
    { name: 'a switch', from: 'switch: CHECKOUT_KILL', to: 'switch: OTHER', want: /described by 0/ },
    {
      name: 'a switch that does nothing',
      from: 'value: "1", means: Checkout',
      to: 'value: "0", means: Checkout',
      want: /same value/,
    },
    {
      name: 'an escalation in no order',
      from: '| 1 h | board',
      to: '| 15 min | board',
      want: /later than the one before/,
    },
    {
      name: 'an escalation without time',
      from: '| 15 min | jon@shop.example | call |',
      to: '| soon | jon | call |',
      want: /"After" is a duration/,
    },
  ];
  for (const { name, from, to, want } of cases) {
    it(name, () => {
      const text = changed(from, to);
      assert.equal(parseRunbook(text, 'a.md').runbook, null);
      assert.match(problemsOf(text).join('\n'), want);
    });
  }
  it('a kill switch of prose alone', () => {
    const text = EXAMPLE.replace(/## Kill switch\n[^]*?## Rollback/, '## Kill switch\n\nPull the plug.\n\n## Rollback');
    assert.match(problemsOf(text).join('\n'), /"## Kill switch" has no step/);
  });
});

describe('R-31: incident times', () => {
  const cases: { name: string; from: string; to: string; want: RegExp | null }[] = [
    { name: 'SEV1 in 15 min is allowed', from: 'contain | 15 min', to: 'contain | < 15 min', want: null },
    {
      name: 'SEV1 in 16 min is not',
      from: 'contain | 15 min',
      to: 'contain | 16 min',
      want: /SEV1 is to contain within 15 min/,
    },
    {
      name: 'SEV2 in 61 min is not',
      from: 'mitigate | 1 h',
      to: 'mitigate | 61 min',
      want: /SEV2 is to mitigate within 1 h/,
    },
    {
      name: 'SEV3 beyond its declared override is not',
      from: 'plan | 8 h',
      to: 'plan | 9 h',
      want: /SEV3 is to plan within 8 h/,
    },
    {
      name: 'an override without a reason is none',
      from: '    reason: Nobody',
      to: '    because: Nobody',
      want: /reason/,
    },
    { name: 'an override has to be declared', from: '  SEV3:\n', to: '  SEV2:\n', want: /SEV3 is to plan within 4 h/ },
    { name: 'a goal has its name', from: 'contain | 15', to: 'observe | 15', want: /SEV1: the goal is "contain"/ },
    { name: 'every severity has a row', from: '| SEV4 |', to: '| SEV5 |', want: /no valid row for SEV4/ },
    { name: 'no severity has two', from: '| SEV4 |', to: '| SEV3 |', want: /SEV3 stands twice/ },
    { name: 'no time is no promise', from: 'contain | 15 min', to: 'contain | fast', want: /"Within" is a duration/ },
    { name: 'columns have their names', from: '| Goal |', to: '| Aim |', want: /first columns are Severity \| Goal/ },
  ];
  for (const { name, from, to, want } of cases) {
    it(name, () => {
      const problems = problemsOf(changed(from, to)).join('\n');
      if (want === null) assert.equal(problems, '');
      else assert.match(problems, want);
    });
  }
});

describe('R-29: line numbers are refused', () => {
  for (const reference of ['`src/a.ts:12`', '[a](src/a.ts#L12)', 'src/a.go:7', '`manual: see b.py:3`']) {
    it(reference, () => assert.match(problemsOf(changed('Customers complain', reference)).join('\n'), /line number/));
  }
  it('a port is none', () =>
    assert.deepEqual(problemsOf(changed('Customers complain', 'http://shop.example:8080')), []));
});

describe('hostile runbooks', () => {
  const step = (yaml: string) => changed('symbol: metrics\nin: examples/runbooks/service/server.mjs', yaml);
  const cases: { name: string; text: string; want: RegExp }[] = [
    {
      name: 'R-30: a probe of another host',
      text: step('http-probe: GET http://evil.example/\nstatus: 200\nwithin: 1 s'),
      want: /without host/,
    },
    {
      name: 'R-30: a probe without a scheme',
      text: step('http-probe: GET //evil.example/\nstatus: 200\nwithin: 1 s'),
      want: /without host/,
    },
    {
      name: 'a header in a path',
      text: step('http-probe: "GET /a\\r\\nHost: b"\nstatus: 200\nwithin: 1 s'),
      want: /without host/,
    },
    {
      name: 'an instance that is ready elsewhere',
      text: changed('ready: /health', 'ready: http://evil.example/'),
      want: /without host/,
    },
    { name: 'a file out of the tree', text: step('file: ../../etc/passwd'), want: /stays inside/ },
    { name: 'an absolute file', text: step('file: /etc/passwd'), want: /stays inside/ },
    {
      name: 'an instance out of the tree',
      text: changed('directory: examples/runbooks/service', 'directory: ..'),
      want: /stays inside/,
    },
    { name: 'a bomb of aliases', text: step('a: &a [x,x]\nb: &b [*a,*a]\nfile: x'), want: /Aliases/ },
    { name: 'a key twice', text: step('file: a\nfile: b'), want: /DUPLICATE_KEY/ },
    { name: 'a prototype', text: step('file: a\n__proto__: { x: 1 }'), want: /Unrecognized key/ },
    { name: 'a block of brackets', text: step(`file: ${'['.repeat(190)}`), want: /Step/ },
    {
      name: 'a block of a megabyte',
      text: step(`file: |\n${'  aaaaaaaa\n'.repeat(2_000)}`),
      want: /longer than 16384/,
    },
    { name: 'no YAML', text: step('file: "'), want: /not valid YAML/ },
    { name: 'a list', text: step('- file'), want: /exactly one of/ },
    { name: 'nothing', text: '', want: /front matter/ },
    { name: 'a megabyte', text: 'a\n'.repeat(500_000), want: /larger than 262144/ },
    { name: 'a long line', text: 'a'.repeat(2_001), want: /longer than 2000/ },
    {
      name: 'brackets that the parser would look back over',
      text: `${'[a]['.repeat(400)}\n`.repeat(100),
      want: /more than 200 opening/,
    },
    { name: 'more lines than anybody reads', text: 'a\n'.repeat(20_001), want: /more than 20000 lines/ },
    { name: 'quotes in quotes', text: '>'.repeat(1_000), want: /nests more than 20/ },
    { name: 'lists in lists', text: `${'- '.repeat(900)}a`, want: /nests more than 20/ },
    {
      name: 'more steps than a drill records',
      text: `${EXAMPLE}${'\n```yaml step\nfile: a\n```\n'.repeat(501)}`,
      want: /at most 500 steps/,
    },
  ];
  for (const { name, text, want } of cases) {
    it(name, () => {
      const { runbook, problems } = parseRunbook(text, 'a.md');
      assert.equal(runbook, null);
      assert.match(problems.map(({ message }) => message).join('\n'), want);
      assert.ok(problems.length <= 200);
    });
  }
});

it('R-28: all problems are reported at once, with their lines', () => {
  const text = changed('status: active', 'status: no')
    .replace('set: on', 'set: maybe')
    .replace('status: 503', 'status: 999');
  const { problems } = parseRunbook(text, 'a.md');
  assert.equal(problems.length, 3);
  assert.deepEqual(
    problems.map(({ line }) => line),
    problems.map(({ line }) => line).toSorted((a, b) => a - b),
  );
});

it('R-28: whatever the text, parsing ends without throwing', () => {
  const piece = constantFrom(
    '```yaml step\n',
    '```\n',
    '---\n',
    'file: a\n',
    '## Rollback\n',
    '| a | b |\n',
    '|---|---|\n',
    '> ',
    '- ',
    '[',
    '](',
    '*',
    '\n',
    'a',
  );
  const text = array(oneof(piece, string())).map((pieces) => pieces.join(''));
  check(
    property(text, (text) => {
      const { runbook, problems } = parseRunbook(text, 'a.md');
      assert.equal(runbook === null, problems.length > 0);
      parseSwitches(text);
    }),
    { numRuns: 300 },
  );
});

describe('durations', () => {
  const cases: [string, number | null][] = [
    ['1 ms', 1],
    ['30s', 30_000],
    ['30 s', 30_000],
    ['15 min', 900_000],
    ['1 hour', 3_600_000],
    ['< 15 min', 900_000],
    ['after 2 h', 7_200_000],
    ['Next business day', 345_600_000],
    ['0 s', null],
    ['soon', null],
    ['', null],
    ['1 fortnight', null],
    ['-1 s', null],
    ['1.5 h', null],
    ['1 s 2 s', null],
  ];
  for (const [text, want] of cases) it(JSON.stringify(text), () => assert.equal(parseDuration(text), want));
});
