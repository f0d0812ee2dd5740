import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deriveBoard } from '../src/board/derive-board.ts';
import { judgeEvidence } from '../src/evidence/judge-evidence.ts';
import { indexRuns } from '../src/evidence/run-index.ts';
import { mutationDigest } from '../src/gate-file/mutation-digest.ts';
import { INVALIDITIES, type Invalidity } from '../src/verdict/assessment.ts';
import { CLEAN_SCAN, FIXED, goStory, type RunOptions, SHOP, SOURCE, START_MS, Story, TESTS } from './story.ts';
import { now } from './told.ts';

const HOUR_MS = 3_600_000;
const GAP = {
  test: 'web > shows a cart',
  mutation: { file: 'src/web/cart.ts', replace: 'if (isOwner)', with: 'if (true)' },
};

/** The shop's commands, each changed as said, and one of every other sort. */
const commandsOf = (change: Readonly<Record<string, object>>) => [
  ...SHOP.commands.map((command) => ({ ...command, ...change[command.id] })),
  {
    id: 'search',
    kind: 'search',
    argv: ['git', 'grep', 'eval'],
    exit: [0, 1],
    expect: { 'src/a.ts': 2, 'src/b.ts': 0 },
  },
];

interface Case extends Partial<RunOptions> {
  readonly name: string;
  /** Of the gate's commands, by id. */
  readonly change?: Readonly<Record<string, object>>;
  /** Time between the end of the run and the judgement. */
  readonly laterMs?: number;
  readonly want: readonly Invalidity[];
}

/** What comes of one run of `unit` (or another command) by the implementer of packet `a`. */
function judge({ change = {}, laterMs = 0, ...options }: Omit<Case, 'name' | 'want'>): readonly Invalidity[] {
  const story = new Story({ gate: { ...SHOP, commands: commandsOf(change) } }).freeze().carry('00');
  const command = options.command ?? 'unit';
  const packet = command === 'unit' ? 'a' : 'b';
  story.run({ ...options, command, packet });
  const index = indexRuns(deriveBoard(story.records), story.records);
  const nowMs = story.nowMs + laterMs;
  const state = judgeEvidence(index, { command, role: 'implementer', packet, source: SOURCE, nowMs });
  assert.equal(state.valid, state.invalid.length === 0);
  return state.invalid;
}

const dirty = { ...SOURCE, dirtyFiles: 1 };
const report = { format: 'tap', status: 'read', bytes: 10, digest: 'a'.repeat(64), at: 0, kept: 10 } as const;
const stream = { bytes: 10, digest: 'a'.repeat(64), at: 0, kept: 10 } as const;
const silent = { ...stream, bytes: 0, kept: 0 };
const skipped = { id: 'db > slow', status: 'skipped' } as const;
const failed = { id: 'db > totals', status: 'failed' } as const;
/** Runs begin one second before their result is recorded, and that is the story's last moment but one. */
const RECORDED_AFTER_MS = 2_000;
const DATABASE = { digest: 'a'.repeat(64), entries: 10, exportedAt: new Date(START_MS - 24 * HOUR_MS).toISOString() };
const database = { ...CLEAN_SCAN, scanner: 'vulnerabilities', database: DATABASE } as const;

const CASES: readonly Case[] = [
  { name: 'R-08: a run that passed and shows it is valid', want: [] },
  { name: 'R-09: an attempt that never came back is interrupted', without: ['command-run'], want: ['interrupted'] },
  {
    name: 'R-09: an aborted run is interrupted',
    run: { ending: 'interrupted', exitCode: null },
    want: ['interrupted'],
  },
  {
    name: 'R-09: a result that nobody announced does not count',
    without: ['attempt'],
    want: ['unannounced', 'before-freeze'],
  },
  {
    name: 'R-08: a run that timed out does not count',
    run: { ending: 'timeout', exitCode: null },
    want: ['timed-out'],
  },
  {
    name: 'R-09: a run that a signal ended has no exit code to expect',
    run: { ending: 'signal', exitCode: null, signal: 'SIGSEGV' },
    want: ['unexpected-exit'],
  },
  {
    name: 'R-09: a command that never started has none either',
    run: { ending: 'not-started', exitCode: null },
    want: ['unexpected-exit'],
  },
  {
    name: 'R-08: a missing report is missing evidence',
    run: { report: { ...report, status: 'missing' } },
    want: ['missing'],
  },
  { name: 'R-08: no report where one is declared is missing evidence', run: { report: null }, want: ['missing'] },
  { name: 'R-08: an empty report is empty evidence', run: { report: { ...report, status: 'empty' } }, want: ['empty'] },
  {
    name: 'R-08: a malformed report is unreadable',
    run: { report: { ...report, status: 'malformed' } },
    want: ['report-unreadable'],
  },
  {
    name: 'R-08: a report in another format is unreadable',
    run: { report: { ...report, format: 'junit' } },
    want: ['report-unreadable'],
  },
  { name: 'R-08: a build may be silent', command: 'build', run: { stdout: silent, stderr: silent }, want: [] },
  {
    name: 'R-08: a scan that says nothing shows nothing',
    command: 'secrets',
    run: { stdout: silent, stderr: silent, report: { ...report, format: 'scan', bytes: 0, kept: 0 } },
    want: ['empty'],
  },
  {
    name: 'R-08: an output that was cut stands with its exit code and digest',
    run: { stdout: { ...stream, bytes: 11 } },
    want: [],
  },
  {
    name: 'R-08: an output that was cut, without an exit code, does not',
    run: { stdout: { ...stream, bytes: 11 }, exitCode: null },
    want: ['truncated', 'unexpected-exit'],
  },
  { name: 'R-08: a report is proof only whole', run: { report: { ...report, bytes: 11 } }, want: ['truncated'] },
  {
    name: 'R-08: a summary without the tests it counts is missing evidence',
    without: ['test-result'],
    want: ['missing'],
  },
  {
    name: 'R-34: typed counts that do not add up are missing evidence',
    run: { tests: { passed: 3, failed: 0, skipped: 0, digest: 'a'.repeat(64) } },
    want: ['missing'],
  },
  { name: 'R-08: a dirty tree before', source: dirty, want: ['dirty-tree'] },
  { name: 'R-08: a tree that was dirty afterwards', run: { after: dirty }, want: ['dirty-tree'] },
  { name: 'R-08: a tree that changed meanwhile', run: { after: FIXED }, want: ['dirty-tree'] },
  { name: 'R-08: sources other than those submitted', source: FIXED, want: ['other-commit'] },
  {
    name: 'R-10: another commit with the same sources stands, as after a squash',
    source: { ...SOURCE, commit: FIXED.commit },
    want: [],
  },
  {
    name: 'R-34: a toolchain other than the release’s',
    session: { toolchain: [{ name: 'node', version: 'v20.1.0', executable: null }] },
    want: ['other-toolchain'],
  },
  { name: 'R-08: an unknown toolchain', session: { toolchain: [] }, want: ['other-toolchain'] },
  {
    name: 'R-08: two toolchains of one name, one of them another',
    session: { toolchain: ['v26.10.0', 'v20.1.0'].map((version) => ({ name: 'node', version, executable: null })) },
    want: ['other-toolchain'],
  },
  {
    name: 'R-34: an expectation that is not the frozen one',
    run: { commandDigest: 'a'.repeat(64) },
    want: ['other-expectation'],
  },
  { name: 'R-07: an argv that is not the frozen one', run: { argv: ['true'] }, want: ['other-expectation'] },
  { name: 'R-08: results out of a cache', run: { cached: true }, want: ['cached'] },
  { name: 'R-08: caches that were not turned off', session: { cachesOff: false }, want: ['caches-on'] },
  { name: 'R-08: the last millisecond of its age', laterMs: 168 * HOUR_MS - RECORDED_AFTER_MS, want: [] },
  { name: 'R-08: one millisecond older', laterMs: 168 * HOUR_MS - RECORDED_AFTER_MS + 1, want: ['expired'] },
  {
    name: 'R-08: the command’s own age goes before the policy’s',
    change: { unit: { maxAgeHours: 1 } },
    laterMs: HOUR_MS - RECORDED_AFTER_MS + 1,
    want: ['expired'],
  },
  { name: 'R-08: a clock five minutes ahead is tolerated', laterMs: -5 * 60_000 - 1_000, want: [] },
  { name: 'R-08: one millisecond more is the future', laterMs: -5 * 60_000 - 1_001, want: ['from-the-future'] },
  { name: 'R-08: a run whose end lies in the future', run: { durationMs: HOUR_MS }, want: ['from-the-future'] },
  { name: 'R-13: evidence of the implementer by somebody else', author: 'bob', want: ['wrong-author'] },
  { name: 'R-13: evidence by nobody of the gate', author: 'mallory', want: ['wrong-author'] },
  {
    name: 'R-07: a sandbox that was asked for and not there',
    change: { unit: { sandbox: 'offline' } },
    want: ['wrong-sandbox'],
  },
  {
    name: 'R-07: another sandbox than asked for',
    change: { unit: { sandbox: 'offline' } },
    run: { sandbox: { profile: 'open', profileHash: 'a'.repeat(64) } },
    want: ['wrong-sandbox'],
  },
  {
    name: 'R-07: the sandbox that was asked for',
    change: { unit: { sandbox: 'offline' } },
    run: { sandbox: { profile: 'offline', profileHash: 'a'.repeat(64) } },
    want: [],
  },
  { name: 'R-06: a report without a test that ran', tests: [skipped], want: ['no-test-ran', 'below-floor'] },
  { name: 'R-06: exactly the floor', tests: TESTS, want: [] },
  {
    name: 'R-06: one below the floor; skipped tests do not count',
    tests: [...TESTS.slice(1), skipped],
    want: ['below-floor'],
  },
  { name: 'R-34: failed tests fail whatever the exit code', tests: [...TESTS, failed], want: ['tests-failed'] },
  { name: 'R-09: an exit code that was not declared', run: { exitCode: 1 }, want: ['unexpected-exit'] },
  { name: 'R-09: an exit code that was declared', change: { unit: { exit: [0, 3] } }, run: { exitCode: 3 }, want: [] },
  {
    name: 'R-09: an exit code that was declared inconclusive',
    change: { unit: { triage: [{ exit: 4, outcome: 'inconclusive', means: 'no network' }] } },
    run: { exitCode: 4 },
    want: ['triaged-inconclusive'],
  },
  {
    name: 'R-09: an exit code that was declared to fail',
    change: { unit: { triage: [{ exit: 4, outcome: 'fail', means: 'broken' }] } },
    run: { exitCode: 4 },
    want: ['unexpected-exit'],
  },
  { name: 'R-09: matches as expected', command: 'search', run: { matches: { 'src/a.ts': 2 } }, want: [] },
  {
    name: 'R-09: a match too many',
    command: 'search',
    run: { matches: { 'src/a.ts': 3 } },
    want: ['unexpected-matches'],
  },
  {
    name: 'R-09: a match where none may be',
    command: 'search',
    run: { matches: { 'src/a.ts': 2, 'src/b.ts': 1 } },
    want: ['unexpected-matches'],
  },
  {
    name: 'R-09: a match in a file nobody named',
    command: 'search',
    run: { matches: { 'src/a.ts': 2, 'src/c.ts': 1 } },
    want: ['unexpected-matches'],
  },
  { name: 'R-09: matches that are not known', command: 'search', want: ['unexpected-matches'] },
  { name: 'R-24: a clean scan', command: 'secrets', want: [] },
  { name: 'R-24: a scan whose result is missing', command: 'secrets', without: ['scan-result'], want: ['missing'] },
  {
    name: 'R-25: a scan that could not look',
    command: 'secrets',
    scan: { state: 'inconclusive', reasons: ['no registry'] },
    want: ['scan-inconclusive'],
  },
  {
    name: 'R-34: a rule set with no steps',
    command: 'secrets',
    scan: { rules: { ...CLEAN_SCAN.rules, count: 0 } },
    want: ['empty'],
  },
  {
    name: 'R-34: a scan that covered nothing',
    command: 'secrets',
    scan: { coverage: { ...CLEAN_SCAN.coverage, files: 0 } },
    want: ['empty'],
  },
  { name: 'R-25: data of this week', command: 'secrets', scan: database, laterMs: 0, want: [] },
  {
    name: 'R-25: a scan for vulnerabilities without data',
    command: 'secrets',
    scan: { ...database, database: null },
    want: ['database-stale'],
  },
  {
    name: 'R-25: data from the future',
    command: 'secrets',
    scan: { ...database, database: { ...DATABASE, exportedAt: '2026-03-03T08:00:00.000Z' } },
    want: ['from-the-future'],
  },
  {
    name: 'R-06: a gap-closing test that did not run',
    change: { unit: { gapTests: [{ ...GAP, test: 'web > refuses strangers' }] } },
    want: ['gap-test-missing', 'gap-test-survives-mutation'],
  },
  {
    name: 'R-06: a gap-closing test that was never run without its protection',
    change: { unit: { gapTests: [GAP] } },
    want: ['gap-test-survives-mutation'],
  },
];

describe('judgeEvidence', () => {
  for (const each of CASES) it(each.name, () => assert.deepEqual(judge(each), each.want));

  it('R-08: every way of being invalid is shown by one of these', () => {
    const shown = new Set<string>([...CASES.flatMap(({ want }) => want), 'tier-too-low', 'run-id-reused']);
    assert.deepEqual(
      INVALIDITIES.filter((invalidity) => !shown.has(invalidity)),
      [],
    );
  });

  it('R-08: two runs under one id are no evidence, not even the first', () => {
    const story = goStory();
    const { run } = now(story).milestone[0] ?? {};
    story.run({ command: 'build', author: 'ann', packet: 'b', run: { id: run ?? '' } });
    assert.deepEqual(now(story).milestone[0]?.invalid, ['run-id-reused']);
  });

  it('R-11: a tier above what the command’s kind can show does not count, if it ever were frozen', () => {
    const story = new Story().freeze().carry('00');
    story.run({ command: 'unit', packet: 'a' });
    const board = deriveBoard(story.records);
    const { freeze } = board;
    assert.ok(freeze !== null);
    const commands = freeze.gate.commands.map((each) => ({ ...each, tier: 'local-rehearsal' as const }));
    const claimed = { ...board, freeze: { ...freeze, gate: { ...freeze.gate, commands } } };
    const question = { command: 'unit', role: 'implementer', packet: 'a', source: SOURCE, nowMs: story.nowMs } as const;
    assert.deepEqual(judgeEvidence(indexRuns(claimed, story.records), question).invalid, ['tier-too-low']);
  });

  it('R-25: a database at the age of the policy counts, and a millisecond later does not', () => {
    const story = new Story().freeze().carry('00');
    story.run({ command: 'secrets', packet: 'b', scan: database });
    const index = indexRuns(deriveBoard(story.records), story.records);
    const question = { command: 'secrets', role: 'implementer', packet: 'b', source: SOURCE } as const;
    const weekOldMs = Date.parse(DATABASE.exportedAt) + 7 * 24 * HOUR_MS;
    assert.deepEqual(judgeEvidence(index, { ...question, nowMs: weekOldMs }).invalid, []);
    assert.deepEqual(judgeEvidence(index, { ...question, nowMs: weekOldMs + 1 }).invalid, ['database-stale']);
  });

  it('R-08: evidence from before the freeze of what it is about does not count', () => {
    const story = new Story().freeze().carry('00');
    story.run({ command: 'unit', packet: 'a' });
    story.freeze({ ...SHOP, rubric: { ...SHOP.rubric, P2: [{ id: 'ugly', text: 'no harm at all' }] } });
    const index = indexRuns(deriveBoard(story.records), story.records);
    const question = { command: 'unit', packet: 'a', source: SOURCE, nowMs: story.nowMs };
    assert.deepEqual(judgeEvidence(index, { ...question, role: 'implementer' }).invalid, ['before-freeze']);
  });

  it('R-03: a freeze that does not touch a packet leaves its evidence, and that of the milestone does not stay', () => {
    const story = new Story().freeze().carry('00');
    story.run({ command: 'unit', packet: 'a' });
    story.run({ command: 'unit', role: 'milestone' });
    story.freeze({ ...SHOP, operatorList: ['turn it on'] });
    const index = indexRuns(deriveBoard(story.records), story.records);
    const question = { command: 'unit', source: SOURCE, nowMs: story.nowMs };
    assert.deepEqual(judgeEvidence(index, { ...question, role: 'implementer', packet: 'a' }).invalid, []);
    assert.deepEqual(judgeEvidence(index, { ...question, role: 'milestone', packet: null }).invalid, ['before-freeze']);
  });

  it('R-08: an attempt that was announced before the freeze and ended after it does not count', () => {
    const story = new Story().freeze().carry('00');
    story.run({ command: 'unit', packet: 'a' });
    const late = story.records.splice(-2);
    story.freeze({ ...SHOP, toolchain: [{ name: 'node', argv: ['node'], release: 'v26.10.0' }] });
    const records = [...story.records, ...late];
    const index = indexRuns(deriveBoard(story.records), records);
    const question = { command: 'unit', role: 'implementer', packet: 'a', source: SOURCE, nowMs: story.nowMs } as const;
    assert.deepEqual(judgeEvidence(index, question).invalid, ['before-freeze']);
  });

  it('R-09: the newest run on the sources decides, and all attempts are counted', () => {
    const story = new Story().freeze().carry('00');
    const ask = () => {
      const index = indexRuns(deriveBoard(story.records), story.records);
      const question = { command: 'unit', packet: 'a', source: SOURCE, nowMs: story.nowMs };
      const { valid, attempts, failedAttempts } = judgeEvidence(index, { ...question, role: 'implementer' });
      return { valid, attempts, failedAttempts };
    };
    assert.deepEqual(ask(), { valid: false, attempts: 0, failedAttempts: 0 });
    story.run({ command: 'unit', packet: 'a', run: { exitCode: 1 } });
    assert.deepEqual(ask(), { valid: false, attempts: 1, failedAttempts: 1 });
    story.run({ command: 'unit', packet: 'a' });
    assert.deepEqual(ask(), { valid: true, attempts: 2, failedAttempts: 1 });
    story.run({ command: 'unit', packet: 'a', source: FIXED, run: { exitCode: 1 } });
    assert.deepEqual(ask(), { valid: true, attempts: 3, failedAttempts: 2 });
    story.run({ command: 'unit', packet: 'a', without: ['command-run'] });
    assert.deepEqual(ask(), { valid: false, attempts: 4, failedAttempts: 3 });
  });

  it('R-08: two runs that claim one id name neither', () => {
    const story = new Story().freeze().carry('00');
    const id = story.run({ command: 'unit', packet: 'a' });
    story.run({ command: 'unit', packet: 'a', run: { id } });
    assert.equal(indexRuns(deriveBoard(story.records), story.records).byRun(id), undefined);
  });

  it('R-24: a scan that is told twice is not known', () => {
    const story = new Story().freeze().carry('00');
    const run = story.run({ command: 'secrets', packet: 'b' });
    const told = story.records.at(-1);
    assert.ok(told?.kind === 'scan-result');
    story.add('scan-result', 'ann', { session: told.predicate.session, run, scan: CLEAN_SCAN });
    const index = indexRuns(deriveBoard(story.records), story.records);
    const question = { command: 'secrets', role: 'implementer', packet: 'b', source: SOURCE } as const;
    assert.deepEqual(judgeEvidence(index, { ...question, nowMs: story.nowMs }).invalid, ['missing']);
  });
});

describe('judgeEvidence: gap-closing tests', () => {
  const commands = commandsOf({ unit: { gapTests: [GAP] } });
  const failing = [{ id: GAP.test, status: 'failed' }, ...TESTS.slice(1)] as const;

  function judgeMutation(mutation: Partial<RunOptions>): readonly Invalidity[] {
    const story = new Story({ gate: { ...SHOP, commands } }).freeze().carry('00');
    story.run({ command: 'unit', packet: 'a' });
    const named = { test: GAP.test, digest: mutationDigest({ ...GAP }) };
    const run = { exitCode: 1, mutation: named, after: FIXED, ...mutation.run };
    story.run({ command: 'unit', packet: 'a', role: 'mutation', author: 'ann', tests: failing, ...mutation, run });
    const index = indexRuns(deriveBoard(story.records), story.records);
    const question = { command: 'unit', role: 'implementer', packet: 'a', source: SOURCE } as const;
    return judgeEvidence(index, { ...question, nowMs: story.nowMs }).invalid;
  }

  const mutated = (over: object) => ({ mutation: { test: GAP.test, digest: mutationDigest({ ...GAP }), ...over } });
  const cases: readonly { name: string; mutation: Partial<RunOptions>; proves: boolean }[] = [
    { name: 'fails without its protection', mutation: {}, proves: true },
    { name: 'passes without its protection', mutation: { tests: TESTS }, proves: false },
    { name: 'does not run without its protection', mutation: { tests: TESTS.slice(1) }, proves: false },
    {
      name: 'fails for another mutation than the frozen one',
      mutation: { run: mutated({ digest: 'a'.repeat(64) }) },
      proves: false,
    },
    {
      name: 'fails in the run for another test',
      mutation: { run: mutated({ test: 'db > keeps an order' }) },
      proves: false,
    },
    { name: 'fails on other sources', mutation: { source: FIXED }, proves: false },
    { name: 'fails for somebody else', mutation: { author: 'bob' }, proves: false },
    { name: 'fails in a run that timed out', mutation: { run: { ending: 'timeout', exitCode: null } }, proves: false },
    { name: 'fails out of a cache', mutation: { run: { cached: true } }, proves: false },
    { name: 'fails, but the list of tests is missing', mutation: { without: ['test-result'] }, proves: false },
  ];
  for (const { name, mutation, proves } of cases)
    it(`R-06: a gap-closing test that ${name} ${proves ? 'counts' : 'does not count'}`, () => {
      assert.deepEqual(judgeMutation(mutation), proves ? [] : ['gap-test-survives-mutation']);
    });

  it('R-34: a pattern that does not select the very test that closes a gap', () => {
    const gap = { ...GAP, test: 'web > shows a*' };
    const change = { unit: { gapTests: [gap] } };
    assert.deepEqual(judge({ change }), ['gap-test-missing', 'gap-test-survives-mutation']);
  });
});
