/**
 * every attempt works without the sandbox and is refused in it, under the default profile and
 * through the production path. The attempts themselves run in a disposable lab host.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { CHECKOUT_IN_HOST, createLab, type Lab } from '@holdfast/lab';
import { SANDBOX_LAYERS } from '@holdfast/policy';
import { needs } from '@holdfast/testing';
import { ATTEMPTS, X64_ATTEMPTS } from './attempts.ts';
import type { AttemptOutcome } from './run-attacks.ts';

const REPOSITORY = join(import.meta.dirname, '..', '..', '..', '..');
const NODE = `${CHECKOUT_IN_HOST}/node_modules/.bin/node`;
const RUNNER = `${CHECKOUT_IN_HOST}/packages/sandbox/test/attacks/run-attacks.ts`;
/** */
const MIN_ATTEMPTS = 58;
const SUITE_TIMEOUT_MS = 300_000;

const suite = needs('lab-hosts', 'clang', 'bubblewrap');
const expected = [...ATTEMPTS, ...(process.arch === 'x64' ? X64_ATTEMPTS : [])];

describe('the attack suite', { ...suite, concurrency: false, timeout: SUITE_TIMEOUT_MS }, () => {
  let base = '';
  let lab: Lab;
  let outcomes: readonly AttemptOutcome[] = [];

  before(async () => {
    const { signal } = new AbortController();
    base = mkdtempSync(join(realpathSync(tmpdir()), 'holdfast-attacks-'));
    lab = createLab({ directory: join(base, 'lab'), hosts: 1, repositoryRoot: REPOSITORY });
    await lab.up(signal);
    const host = lab.hosts[0] ?? '';
    const argv = ['/usr/bin/env', 'HOLDFAST_ATTACKS=lab-host', NODE, '--no-warnings', RUNNER] as const;
    const { exitCode, stdout, stderr } = await lab.exec(host, argv, signal, { timeoutMs: SUITE_TIMEOUT_MS });
    assert.equal(exitCode, 0, Buffer.from(stderr).toString('utf8'));
    const lines = Buffer.from(stdout).toString('utf8').trim().split('\n');
    outcomes = lines.map((line) => JSON.parse(line) as AttemptOutcome);
  });

  after(async () => {
    await lab.down();
    rmSync(base, { recursive: true, force: true });
  });

  it('X-05: makes at least 58 attempts, and every one that is listed', (t) => {
    t.diagnostic(`${'attempt'.padEnd(28)}${'without'.padEnd(12)}${'sandboxed'.padEnd(16)}refused by each of`);
    for (const [index, { name, control, sandboxed }] of outcomes.entries()) {
      const layers = expected[index]?.refusedBy.join(', ') ?? '';
      t.diagnostic(`${name.padEnd(28)}${control.padEnd(12)}${sandboxed.padEnd(16)}${layers}`);
    }
    assert.ok(outcomes.length >= MIN_ATTEMPTS);
    assert.deepEqual(
      outcomes.map(({ name }) => name),
      expected.map(({ name }) => name),
    );
  });

  it('X-05: every attempt works without the sandbox', () => {
    assert.deepEqual(
      outcomes.filter(({ control }) => control !== 'allowed'),
      [],
    );
  });

  it('X-05: every attempt is refused in it', () => {
    assert.deepEqual(
      outcomes.filter(({ sandboxed }) => sandboxed === 'allowed'),
      [],
    );
  });

  it('X-05: each is refused in the way that is expected', () => {
    const unexpected = outcomes.filter(({ name, sandboxed }) => {
      const refusals = expected.find((attempt) => attempt.name === name)?.refusals ?? [];
      return !refusals.includes(sandboxed);
    });
    assert.deepEqual(unexpected, []);
  });
});

describe('the list of attempts', () => {
  const names = [...ATTEMPTS, ...X64_ATTEMPTS].map(({ name }) => name);

  it('X-05: is that of the attack program', () => {
    const sources = ['files', 'network', 'processes', 'kernel', 'code', 'bombs', 'machinery'];
    const text = sources.map((name) => readFileSync(join(import.meta.dirname, `${name}.c`), 'utf8')).join('');
    const offered = [...text.matchAll(/^ {4}\{"([a-z0-9-]+)", \w+\},$/gm)].map(([, name = '']) => name);
    assert.deepEqual(names.toSorted(), offered.toSorted());
    assert.equal(new Set(names).size, names.length);
  });

  it('X-05: calls on every layer but those that only hide or count', () => {
    const needed = new Set([...ATTEMPTS, ...X64_ATTEMPTS].flatMap(({ refusedBy }) => refusedBy));
    const unneeded = SANDBOX_LAYERS.filter((layer) => !needed.has(layer));
    assert.deepEqual(unneeded, ['ipc-namespace', 'uts-namespace', 'cgroup-namespace']);
  });

  it('X-05: cannot be run on the machine itself', () => {
    const env = { HOLDFAST_ATTACKS: 'lab-host' };
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(import.meta.dirname, 'run-attacks.ts')], {
      env,
      encoding: 'utf8',
    });
    assert.notEqual(status, 0);
    assert.equal(stdout, '');
    assert.match(stderr, /attacks are run in a lab host only/);
  });
});
