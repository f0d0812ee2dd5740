/** The runbook in `examples/runbooks` verifies and drills green, from the files a reader sees. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import { SpawnCommandRunner } from '@holdfast/host-linux';
import { temporaryDirectory } from '@holdfast/testing';
import { drillRunbook, openCandidate, parseRunbook, verifyRunbooks, type VerifyOptions } from '../src/index.ts';

const EXAMPLES = join(import.meta.dirname, '../../../examples/runbooks');
const RUNBOOK = 'examples/runbooks/checkout.md';
const clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };
const { signal } = new AbortController();

/** A repository that holds the example and nothing else. */
function exampleRepository(t: TestContext): string {
  const root = temporaryDirectory(t);
  mkdirSync(join(root, 'examples'));
  cpSync(EXAMPLES, join(root, 'examples/runbooks'), { recursive: true });
  const git = (...args: string[]) =>
    execFileSync(
      'git',
      ['-C', root, '-c', 'user.name=t', '-c', 'user.email=t@t.example', '-c', 'commit.gpgsign=false', ...args],
      {
        stdio: 'pipe',
      },
    );
  git('init', '-q');
  git('add', '.');
  git('commit', '-qm', 'example');
  return root;
}

const options: VerifyOptions = {
  runbooks: [RUNBOOK],
  documents: [],
  people: null,
  tools: ['node'],
  drilled: null,
  maxDrillAgeDays: 90,
  nowMs: Date.parse('2026-11-21T12:00:00Z'),
};

async function verify(root: string, over: Partial<VerifyOptions> = {}) {
  const candidate = await openCandidate({ commands: new SpawnCommandRunner() }, { git: '/usr/bin/git', root }, signal);
  return verifyRunbooks({ candidate }, { ...options, ...over }, signal);
}

it('R-29: the example verifies at its commit, and a changed dependency makes it stale', async (t) => {
  const root = exampleRepository(t);
  const before = await verify(root);
  assert.deepEqual(before.findings, []);
  assert.deepEqual(
    before.runbooks[0]!.dependencies.map(({ path }) => path),
    ['examples/runbooks/service/check-health.mjs', 'examples/runbooks/service/server.mjs'],
  );
  const drilled = new Map([[RUNBOOK, { digest: before.runbooks[0]!.digest, atMs: options.nowMs, failedSince: false }]]);
  assert.deepEqual((await verify(root, { drilled })).findings, []);

  writeFileSync(join(root, 'examples/runbooks/service/check-health.mjs'), 'process.exitCode = 0;\n');
  const after = await verify(root, { drilled });
  assert.deepEqual(
    after.findings.map(({ rule }) => rule),
    ['runbook-stale'],
  );
  assert.equal(after.runbooks[0]!.stale, true);
});

it('R-29: writing down the day of a drill does not make the runbook stale', async (t) => {
  const root = exampleRepository(t);
  const before = await verify(root);
  const path = join(root, RUNBOOK);
  writeFileSync(path, readFileSync(path, 'utf8').replace('lastDrill: 2026-11-20', 'lastDrill: 2026-11-21'));
  assert.equal((await verify(root)).runbooks[0]!.digest, before.runbooks[0]!.digest);
});

it('R-29: a tree without git is refused, not found to be empty', async (t) => {
  await assert.rejects(verify(temporaryDirectory(t)), { code: 'ERR_GATE_SOURCE' });
});

it('R-30: the example drills green, and what a person does is not counted', async (t) => {
  const root = exampleRepository(t);
  const { runbook, problems } = parseRunbook(readFileSync(join(root, RUNBOOK), 'utf8'), RUNBOOK);
  assert.deepEqual(problems, []);
  const report = await drillRunbook(
    { clock, onOutput: () => {} },
    runbook!,
    { root, tools: new Map([['node', process.execPath]]), env: {}, timeoutMs: 300_000 },
    signal,
  );
  assert.deepEqual(
    report.steps.filter(({ passed }) => !passed),
    [],
  );
  assert.deepEqual(
    report.steps.map(({ phase, name }) => `${phase}: ${name}`),
    [
      'enable: env-flag CHECKOUT_NEW_PRICES=on',
      'enable: http-probe GET /checkout',
      'disable: env-flag CHECKOUT_NEW_PRICES=off',
      'disable: http-probe GET /checkout',
      'kill-switch: env-flag CHECKOUT_KILL=on',
      'kill-switch: http-probe GET /checkout',
      'kill-switch: metric-query checkout_requests_total',
      'rollback: env-flag CHECKOUT_NEW_PRICES=off',
      'rollback: http-probe GET /checkout',
      'probe: command node check-health.mjs',
    ],
  );
  assert.equal(report.notDrilled.length, 1);
  assert.equal(report.passed, true);
});
