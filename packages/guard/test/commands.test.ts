/** Declared commands over the real socket with real log, journal and store; the sandbox is pretended (G-29, G-31, X-04, X-07). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { verifyAuditLog } from '@holdfast/audit';
import { canonicalJson, HoldfastError } from '@holdfast/core';
import { sha256Hex } from '@holdfast/crypto';
import { CommandStateSchema } from '@holdfast/evidence';
import { SANDBOX_LAYERS } from '@holdfast/policy';
import { needs } from '@holdfast/testing';
import { type GuardClient, type GuardStartDeps, systemClock } from '../src/index.ts';
import {
  eventually,
  failingLogFiles,
  listEvidence,
  makeOrder,
  makeSite,
  RawClient,
  signOrder,
  start,
  TEST_POLICY,
  type TestSite,
} from './harness.ts';
import { connectPretendSandbox, type Pretence } from './pretend-sandbox.ts';

/** @param lines of TOML that belong to the command itself, before its parameters */
function declare(name: string, path: string, argv: readonly string[], lines = ''): string {
  return `[[commands]]\nname = "exec.${name}"\npath = "${path}"\nargv = ${JSON.stringify(argv)}\n${lines}\n`;
}

const COMMANDS = [
  declare('say', '/usr/bin/printf', ['%s', '{word}']),
  '[commands.params.word]\ntype = "string"\npattern = "[ -~]*"\n',
  declare('fail', '/usr/bin/false', []),
  declare('gone', '/usr/bin/no-such-program', []),
  declare('sleep', '/usr/bin/sleep', ['3600']),
  declare('brief', '/usr/bin/sleep', ['3600'], 'timeoutMs = 200'),
  declare('flood', '/usr/bin/head', ['-c', '5000000', '/dev/zero'], 'maxOutputBytes = 100000'),
  declare('tight', '/usr/bin/true', [], 'profile = "tight"'),
  declare('env', '/usr/bin/env', [], 'env = ["PASSED_ON"]'),
  declare('cwd', '/usr/bin/pwd', [], 'cwd = "/usr"'),
  declare('ordered', '/usr/bin/true', [], 'profile = "loose"'),
  declare('lengthy', '/usr/bin/sleep', ['0.4']),
  declare('broken', '/usr/bin/false', [], 'profile = "loose"'),
  declare('loose', '/usr/bin/true', [], 'profile = "loose"'),
  '[[profiles]]\nname = "tight"\nrequire = ["landlock-scope", "seccomp"]\n',
  '[[profiles]]\nname = "loose"\nrequire = ["seccomp"]\n',
  '[[rules]]\nname = "ordered"\nprincipals = ["control-plane"]\noperations = ["exec.ordered", "exec.broken", "exec.lengthy", "exec.tight"]\neffect = "allow"\n',
].join('\n');
const NAMES = ['say', 'fail', 'gone', 'sleep', 'brief', 'flood', 'tight', 'loose', 'env', 'cwd'];
const OPERATIONS = NAMES.map((name) => `"exec.${name}"`).join(', ');
const POLICY = `${TEST_POLICY.replace('"exec.backup"', `"exec.backup", ${OPERATIONS}`)}\n${COMMANDS}`;

/** The same guard on a host that says it is real. */
function depsOf(site: TestSite, pretence: Pretence = {}): Partial<GuardStartDeps> {
  const host = Object.create(site.deps.host, {
    platform: { value: { ...site.deps.host.platform, simulated: false } },
  }) as GuardStartDeps['host'];
  return { host, connectSandbox: async () => connectPretendSandbox(pretence) };
}

async function open(
  t: Parameters<typeof makeSite>[0],
  pretence: Pretence = {},
  deps: Partial<GuardStartDeps> = {},
): Promise<{ site: TestSite; client: GuardClient; stop: () => Promise<void> }> {
  const site = await makeSite(t, POLICY);
  return { site, ...(await start(t, site, { deps: { ...depsOf(site, pretence), ...deps } })) };
}

const connectNobody = async (): Promise<never> => {
  throw new HoldfastError('nobody listens', { code: 'ERR_SANDBOX_SPAWNER_GONE' });
};

const run = (client: GuardClient, name: string, params = {}) => client.exec({ operation: `exec.${name}`, params });
const textOf = (base64: string): string => Buffer.from(base64, 'base64').toString();

async function assertLogVerifies(site: TestSite): Promise<void> {
  const verdict = await verifyAuditLog(site.paths.auditLog, { publicKeys: [site.hostKey] });
  assert.equal(verdict.ok, true, JSON.stringify(verdict));
}

describe('a declared command', needs('linux'), () => {
  it('G-29, G-31, X-07: runs, is shown, and is proven by one statement with digests, usage and layers', async (t) => {
    const { site, client, stop } = await open(t);
    const report = await run(client, 'say', { word: 'hello; $(id)' });
    assert.equal(textOf(report.shown.stdout), 'hello; $(id)');
    assert.deepEqual([report.exitCode, report.signal, report.endedBy, report.code], [0, null, 'itself', null]);
    assert.equal(report.runId, report.bundleId);
    await stop();
    const [bundle, ...others] = await listEvidence(site);
    assert.ok(bundle);
    assert.equal(others.length, 0);
    assert.deepEqual([bundle.bundleId, bundle.kind, bundle.outcome], [report.runId, 'command', 'done']);
    const { predicate } = bundle.statement;
    const [action] = predicate.actions;
    assert.equal(action?.argvDigest, sha256Hex(canonicalJson(['/usr/bin/printf', '%s', 'hello; $(id)'])));
    assert.equal(action?.stdoutDigest, sha256Hex('hello; $(id)'));
    assert.equal(action?.exitCode, 0);
    assert.equal(action?.excerpt, 'hello; $(id)');
    assert.equal(predicate.paramsDigest, sha256Hex(canonicalJson({ word: 'hello; $(id)' })));
    // The host's files are simulated here, and have no such program.
    assert.deepEqual(predicate.preState, {
      program: { path: '/usr/bin/printf', sha256: { unknown: 'not a regular file of the host: missing' } },
    });
    assert.equal(predicate.decision?.rule, 'test');
    const state = CommandStateSchema.parse(predicate.postState);
    assert.deepEqual(state.layers, [...SANDBOX_LAYERS]);
    assert.equal(state.stdout.bytes, 12);
    assert.ok(state.usage.wallMs > 0);
    await assertLogVerifies(site);
  });

  it('P-19: the decision is on disk before the sandbox is asked', async (t) => {
    let actions: unknown[] = [];
    const site = await makeSite(t, POLICY);
    const onStage = async (stage: string): Promise<void> => {
      if (stage === 'connect') actions = (await client.auditTail(1)).map(({ action }) => action);
    };
    const { client } = await start(t, site, { deps: depsOf(site, { onStage }) });
    await run(client, 'say', { word: 'x' });
    assert.deepEqual(actions, ['request.allowed']);
  });

  it('P-31: what it wrote is in evidence without its secrets, and in the answer as it was', async (t) => {
    const { site, client, stop } = await open(t);
    const secret = `ghp_${'a1B2'.repeat(9)}`;
    assert.match(textOf((await run(client, 'say', { word: secret })).shown.stdout), /^ghp_/);
    await stop();
    const [bundle] = await listEvidence(site);
    assert.doesNotMatch(JSON.stringify(bundle?.statement), /ghp_a1/);
    assert.ok(Object.keys(bundle?.statement.predicate.redactions ?? {}).length > 0);
  });

  it('gets its profile’s environment, the names it lists, and nothing else of the guard’s; and its directory', async (t) => {
    const { client } = await open(t, {}, { environment: { PASSED_ON: 'yes', HIDDEN: 'hunter2' } });
    const lines = textOf((await run(client, 'env')).shown.stdout)
      .trim()
      .split('\n')
      .toSorted();
    assert.deepEqual(lines, ['LANG=C.UTF-8', 'PASSED_ON=yes', 'PATH=/usr/bin:/bin']);
    assert.equal(textOf((await run(client, 'cwd')).shown.stdout), '/usr\n');
  });

  it('G-31: one that fails is no refusal: exit code to its caller, `failed` in evidence', async (t) => {
    const { site, client, stop } = await open(t);
    const report = await run(client, 'fail');
    assert.deepEqual([report.exitCode, report.code], [1, 'ERR_COMMAND_FAILED']);
    await stop();
    const [bundle] = await listEvidence(site);
    assert.deepEqual([bundle?.outcome, bundle?.statement.predicate.error?.code], ['failed', 'ERR_COMMAND_FAILED']);
  });

  it('X-07: ends at its time-out, and says what ended it', async (t) => {
    const { site, client, stop } = await open(t);
    const report = await run(client, 'brief');
    assert.deepEqual([report.endedBy, report.exitCode, report.code], ['timeout', null, 'ERR_COMMAND_STOPPED']);
    await stop();
    const [bundle] = await listEvidence(site);
    assert.match(bundle?.statement.predicate.error?.message ?? '', /^timeout/);
  });

  it('X-07: a flood of output is cut at the command’s cap, counted, and does not stop the command', async (t) => {
    const { client } = await open(t);
    const report = await run(client, 'flood');
    assert.equal(report.exitCode, 0);
    assert.deepEqual([report.stdout.bytes, report.stdout.truncated], [5_000_000, true]);
    assert.equal(report.stdout.digest, sha256Hex(new Uint8Array(100_000)));
    assert.equal(textOf(report.shown.stdout).length, 100_000);
  });

  it('one at a time, in the order of arrival, and no more wait than can', async (t) => {
    let running = 0;
    let most = 0;
    const onStage = (stage: string): void => {
      if (stage === 'start') most = Math.max(most, (running += 1));
      if (stage === 'ended') running -= 1;
    };
    const { client, site, stop } = await open(t, { onStage });
    const words = Array.from({ length: 24 }, (_, index) => String(index));
    const settled = await Promise.allSettled(words.map(async (word) => run(client, 'say', { word })));
    const done = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    const busy = settled.filter(({ status }) => status === 'rejected').length;
    assert.equal(most, 1);
    assert.ok(done.length >= 8 && done.length + busy === words.length);
    await stop();
    assert.equal((await listEvidence(site)).filter(({ kind }) => kind === 'command').length, done.length);
  });

  it('G-05: the same request twice runs once', async (t) => {
    const jobs: unknown[] = [];
    const { site } = await open(t, { jobs: jobs as never });
    const line = `${JSON.stringify({
      v: 1,
      id: 'r',
      kind: 'exec',
      operation: 'exec.say',
      params: { word: 'x' },
      nonce: 'n'.repeat(22),
      issuedAtMs: Math.floor(systemClock.monotonicMs()),
    })}\n`;
    const raw = new RawClient(site.paths.socket);
    t.after(() => raw.socket.destroy());
    raw.write(line);
    assert.equal((await raw.next())?.ok, true);
    raw.write(line);
    assert.equal((await raw.next())?.error?.code, 'ERR_GUARD_REPLAYED');
    assert.equal(jobs.length, 1);
  });
});

describe('a command that is denied', needs('linux'), () => {
  const cases: { name: string; operation: string; params?: Record<string, string>; code: string }[] = [
    { name: 'without a rule', operation: 'exec.ordered', code: 'ERR_GUARD_DENIED' },
    { name: 'nobody declared', operation: 'exec.ghost', code: 'ERR_GUARD_DENIED' },
    { name: 'with a parameter missing', operation: 'exec.say', code: 'ERR_COMMAND_PARAMS' },
    {
      name: 'with a parameter that looks like an option',
      operation: 'exec.say',
      params: { word: '-v' },
      code: 'ERR_COMMAND_PARAMS',
    },
    {
      name: 'with a path that climbs',
      operation: 'exec.backup',
      params: { what: '/srv/../etc' },
      code: 'ERR_COMMAND_PARAMS',
    },
  ];
  for (const { name, operation, params = {}, code } of cases) {
    it(`G-29: ${name}: ${code}, nothing started, one statement`, async (t) => {
      const jobs: never[] = [];
      const { site, client, stop } = await open(t, { jobs });
      await assert.rejects(client.exec({ operation, params }), { code });
      await stop();
      assert.equal(jobs.length, 0);
      const evidence = await listEvidence(site);
      assert.deepEqual(
        evidence.map(({ outcome, statement }) => [outcome, statement.predicate.error?.code]),
        [['deny', code]],
      );
    });
  }

  it('X-04: by a missing layer that its profile requires; others run with what is there, and the evidence says so', async (t) => {
    const { site, client, stop } = await open(t, { missing: ['landlock-scope'] });
    await assert.rejects(run(client, 'tight'), { code: 'ERR_SANDBOX_MISSING' });
    const record = (await client.auditTail(10)).findLast(({ action }) => action === 'command.ended');
    assert.match(JSON.stringify(record), /landlock-scope/);
    assert.equal((await run(client, 'loose')).layers.includes('landlock-scope'), false);
    const { layers } = await client.status();
    assert.deepEqual(
      layers.find(({ name }) => name === 'sandbox: landlock-scope'),
      { name: 'sandbox: landlock-scope', state: 'missing', required: true, reason: 'the test says so', fix: null },
    );
    await stop();
    const [bundle, ...others] = await listEvidence(site);
    assert.deepEqual(
      others.map(({ outcome }) => outcome),
      ['done'],
    );
    const { predicate } = bundle!.statement;
    assert.deepEqual([predicate.outcome, predicate.decision?.effect], ['deny', 'deny']);
    assert.match(predicate.decision?.reasons.join() ?? '', /layer landlock-scope/);
    assert.equal(predicate.actions[0]?.result, 'skipped');
    assert.equal(predicate.postState, null);
  });

  it('G-29: while no spawner answers, and there is no other way to run it', async (t) => {
    const { site, client, stop } = await open(t, {}, { connectSandbox: connectNobody });
    await assert.rejects(run(client, 'say', { word: 'x' }), { code: 'ERR_SANDBOX_SPAWNER_GONE' });
    const layer = (await client.status()).layers.find(({ name }) => name === 'command-sandbox');
    assert.deepEqual([layer?.state, layer?.required], ['missing', true]);
    await stop();
    const [bundle] = await listEvidence(site);
    assert.deepEqual([bundle?.outcome, bundle?.statement.predicate.error?.code], ['deny', 'ERR_SANDBOX_SPAWNER_GONE']);
  });

  it('G-29: on a simulated host, whatever sandbox it is given', async (t) => {
    const { site, client, stop } = await open(t);
    await stop();
    const { host: _host, ...deps } = depsOf(site);
    const simulated = await start(t, site, { deps });
    await assert.rejects(run(simulated.client, 'say', { word: 'x' }), { code: 'ERR_COMMAND_SIMULATED' });
    assert.ok(client);
  });

  it('G-19: on a frozen host', async (t) => {
    const { client } = await open(t);
    assert.equal((await client.request({ operation: 'test.stuck', params: { path: '/etc/s' } })).outcome, 'frozen');
    await assert.rejects(run(client, 'say', { word: 'x' }), { code: 'ERR_GUARD_FROZEN' });
  });
});

describe('a command that is interrupted', needs('linux'), () => {
  it('G-31: by the end of its program’s start: named, failed, one statement', async (t) => {
    const { site, client, stop } = await open(t);
    await assert.rejects(run(client, 'gone'), { code: 'ERR_SANDBOX_START' });
    await stop();
    const [bundle, ...others] = await listEvidence(site);
    assert.deepEqual([bundle?.outcome, others.length], ['failed', 0]);
  });

  it('G-31: by the end of its spawner: the outcome is not guessed', async (t) => {
    const { site, client, stop } = await open(t, { dies: true });
    await assert.rejects(run(client, 'sleep'), { code: 'ERR_COMMAND_INTERRUPTED' });
    await stop();
    const [bundle, ...others] = await listEvidence(site);
    assert.deepEqual([bundle?.outcome, bundle?.statement.predicate.postState, others.length], ['failed', null, 0]);
    assert.match(bundle?.statement.predicate.error?.message ?? '', /ERR_SANDBOX_SPAWNER_GONE/);
  });

  it('G-31: by a guard that stops: killed, proven, and not run again', async (t) => {
    const jobs: never[] = [];
    const started = Promise.withResolvers<void>();
    const onStage = (stage: string): void => {
      if (stage === 'running') started.resolve();
    };
    const { site, client, stop } = await open(t, { jobs, onStage });
    const lost = assert.rejects(run(client, 'sleep'));
    await started.promise;
    await stop();
    await lost;
    const again = await start(t, site, { deps: depsOf(site, { jobs }) });
    await again.stop();
    assert.equal(jobs.length, 1);
    const evidence = await listEvidence(site);
    assert.deepEqual(
      evidence.map(({ outcome, statement }) => [outcome, statement.predicate.error?.code]),
      [['failed', 'ERR_COMMAND_INTERRUPTED']],
    );
    await assertLogVerifies(site);
  });

  it('P-22: a full disk of the audit log denies it before it starts', async (t) => {
    const jobs: never[] = [];
    const disk = { isFull: false };
    const { site, client, stop } = await open(t, { jobs }, { logFiles: failingLogFiles(disk) });
    disk.isFull = true;
    await assert.rejects(run(client, 'say', { word: 'x' }), { code: 'ERR_GUARD_AUDIT_UNWRITABLE' });
    assert.equal(jobs.length, 0);
    disk.isFull = false;
    await eventually(async () => (await run(client, 'say', { word: 'y' }).catch(() => null))?.exitCode === 0);
    await stop();
    assert.equal((await listEvidence(site)).length, 1);
    await assertLogVerifies(site);
  });

  it('G-31: a disk that fills while it runs delays its statement, and a restart makes it', async (t) => {
    const disk = { isFull: false };
    const onStage = (stage: string): void => {
      if (stage === 'running') disk.isFull = true;
    };
    const { site, client, stop } = await open(t, { onStage }, { logFiles: failingLogFiles(disk) });
    const report = await run(client, 'say', { word: 'x' });
    assert.deepEqual([report.exitCode, report.bundleId], [0, null]);
    await stop();
    disk.isFull = false;
    await (await start(t, site, { deps: depsOf(site) })).stop();
    const evidence = await listEvidence(site);
    assert.deepEqual(
      evidence.map(({ bundleId, outcome }) => [bundleId, outcome]),
      [[report.runId, 'done']],
    );
  });
});

describe('a command that is ordered', needs('linux'), () => {
  const cases = [
    { operation: 'exec.ordered', outcome: 'done', code: null },
    { operation: 'exec.broken', outcome: 'failed', code: 'ERR_COMMAND_FAILED' },
    { operation: 'exec.tight', outcome: 'rejected', code: 'ERR_SANDBOX_MISSING' },
    { operation: 'exec.say', outcome: 'rejected', code: 'ERR_ORDER_NOT_ALLOWED' },
  ];
  it('C-35: is run once, whatever becomes of it, and its report is the same however often it is brought', async (t) => {
    const jobs: never[] = [];
    const pretence: Pretence = { jobs, missing: ['landlock-scope'] };
    const site = await makeSite(t, POLICY);
    const deps = depsOf(site, pretence);
    const first = await start(t, site, { deps });
    const reports = [];
    const envelopes = cases.map(({ operation }) => signOrder(makeOrder(site, { operation, params: {} })));
    for (const envelope of envelopes) reports.push(await first.client.order(envelope));
    assert.deepEqual(
      reports.map(({ outcome, code }) => ({ outcome, code })),
      cases.map(({ outcome, code }) => ({ outcome, code })),
    );
    await first.stop();
    const second = await start(t, site, { deps });
    for (const [index, envelope] of envelopes.entries()) {
      assert.deepEqual(await second.client.order(envelope), reports[index]);
    }
    await second.stop();
    const evidence = await listEvidence(site);
    assert.deepEqual(
      evidence.map(({ bundleId }) => bundleId),
      reports.map(({ bundleId }) => bundleId),
    );
    assert.equal(jobs.length, 2);
  });

  it('C-35: one that takes long keeps nobody waiting, runs once, and is reported when it is done', async (t) => {
    const jobs: never[] = [];
    const site = await makeSite(t, POLICY);
    const { client } = await start(t, site, { deps: depsOf(site, { jobs }), config: { orderPatienceMs: 50 } });
    const envelope = signOrder(makeOrder(site, { operation: 'exec.lengthy', params: {} }));
    assert.equal((await client.order(envelope)).outcome, 'running');
    await eventually(async () => (await client.order(envelope)).outcome === 'done');
    assert.equal(jobs.length, 1);
  });
});
