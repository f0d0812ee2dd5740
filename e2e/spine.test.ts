/**
 * The whole path over real hosts: they drift, are healed, and prove it (C-44, C-46). One demo, as a
 * stranger starts it, told in order.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  AttentionSchema,
  type EvidenceRow,
  type HostView,
  page,
  type Remediation,
  TrustViewSchema,
} from '@holdfast/api';
import { type BreakableCheck, countVariants, isNothing, listRemains } from '@holdfast/lab';
import { needs, temporaryDirectory } from '@holdfast/testing';
import { eventually } from './eventually.ts';
import { holdfast, REPOSITORY, run } from './holdfast.ts';
import { listDescendants } from './processes.ts';
import { Site } from './site.ts';

const HOSTS = ['web-1', 'web-2', 'web-3'] as const;
/** C-44: shown within 30 s, repaired within 90 s. */
const MAX_SEEN_MS = 30_000;
const MAX_HEALED_MS = 90_000;
/** C-16 asks for 1,000; fewer show as much about a change, sooner. */
const QUIET_ROUNDS = Number(process.env['HOLDFAST_QUIET_ROUNDS'] ?? 200);

/** Every way to break these is mended without a person; of accounts only one is: who may log in is not for us to lock out. */
const HEALS: readonly { readonly check: BreakableCheck; readonly variants: number }[] = [
  ...(['firewall', 'services', 'logging', 'files'] as const).map((check) => ({
    check,
    variants: countVariants(check),
  })),
  { check: 'accounts', variants: 1 },
];
const ASKS: readonly {
  readonly host: (typeof HOSTS)[number];
  readonly check: BreakableCheck;
  readonly seed: number;
}[] = [
  { host: 'web-1', check: 'ports', seed: 1 },
  { host: 'web-1', check: 'accounts', seed: 1 },
  { host: 'web-2', check: 'time_sync', seed: 1 },
  { host: 'web-3', check: 'certificates', seed: 1 },
];

/** Agents of a lab look around every ten seconds. */
const TWO_CYCLES_MS = 22_000;
const never = new AbortController().signal;

describe('the spine', needs('lab-hosts', 'openssl'), () => {
  let site: Site;
  let views: readonly HostView[];
  const cleanups: (() => Promise<void> | void)[] = [];
  const scope = { after: (fn: () => Promise<void> | void) => void cleanups.push(fn) };
  before(async () => {
    site = await Site.start(scope, { hosts: HOSTS.length });
    views = await site.hosts();
  });
  after(async () => {
    for (const cleanup of cleanups.toReversed()) await cleanup();
  });

  const idOf = (name: string): string => views.find((view) => view.name === name)?.hostId ?? assert.fail(name);

  it('C-42, C-44: prints the address of the console, and three real hosts are good', async () => {
    assert.match(site.daemon.stderr, /open\s+http:\/\/127\.0\.0\.1:\d+\/login#code=[\w-]{20,}/);
    assert.deepEqual(views.map(({ name }) => name).toSorted(), [...HOSTS]);
    assert.ok(views.every(({ simulated, checks }) => !simulated && checks.length === 8));
    assert.equal((await site.summary()).score, 100);
  });

  it('C-16: an untouched host never drifts, and one cycle of all checks takes less than a second', async (t) => {
    const { exitCode, stdout, stderr } = await site.exec(
      'web-3',
      '/opt/holdfast/node_modules/.bin/node',
      '--disable-warning=ExperimentalWarning',
      '/opt/holdfast/e2e/repeat-checks.ts',
      String(QUIET_ROUNDS),
    );
    assert.equal(exitCode, 0, stderr);
    const told = JSON.parse(stdout) as { counts: object; bad: unknown[]; medianMs: number };
    t.diagnostic(stdout.trim());
    assert.deepEqual(told.bad, []);
    assert.deepEqual(told.counts, { pass: 8 * QUIET_ROUNDS });
    assert.ok(told.medianMs < 1_000, stdout);
    const drifts = await site.evidence({ outcome: 'fail' });
    assert.deepEqual(drifts, [], 'nor did any agent see any');
  });

  it('C-18…C-24, C-43, C-44: every way to break what can be mended is seen, healed and proven', async (t) => {
    const waiting = HEALS.flatMap(({ check, variants }) =>
      Array.from({ length: variants }, (_, seed) => ({ check, seed })),
    );
    const lane = async (host: string): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const told = await breakAndWatch(host, next.check, next.seed);
        t.diagnostic(`${host} ${told}`);
      }
    };
    await Promise.all(HOSTS.map(lane));
    await site.allGood(HOSTS.length);
  });

  /** Breaks one thing and follows it to its end. */
  async function breakAndWatch(host: string, check: BreakableCheck, seed: number): Promise<string> {
    const brokenMs = Date.now();
    const { variant } = await site.lab.break(host, check, seed, never);
    const healed = await eventually(`${host} ${check} ${variant} is healed`, async () => {
      const found = (await site.remediations(idOf(host))).find(
        (one) => one.check === check && Date.parse(one.history[0]?.at ?? '') >= brokenMs,
      );
      if (found?.state === 'fixed') return found;
      throw new Error(JSON.stringify(found?.history));
    });
    await site.lab.mend(host, check, never); // an account that was locked is still there
    const { drift, recovered } = await proofOf(healed);
    const seenMs = Date.parse(drift.receivedAt) - brokenMs;
    const healedMs = Date.parse(recovered.receivedAt) - brokenMs;
    assert.ok(seenMs <= MAX_SEEN_MS, `${check} ${variant} was shown after ${seenMs} ms`);
    assert.ok(healedMs <= MAX_HEALED_MS, `${check} ${variant} was healed after ${healedMs} ms`);
    return `${check} ${variant}: shown after ${(seenMs / 1_000).toFixed(1)} s, healed after ${(healedMs / 1_000).toFixed(1)} s`;
  }

  /** The drift, the change and the recovery of one remediation, each with evidence of its own. */
  async function proofOf({
    remediationId,
    hostId,
  }: Remediation): Promise<{ drift: EvidenceRow; recovered: EvidenceRow }> {
    return eventually(`${remediationId} is proven`, async () => {
      const rows = (await site.evidence({ hostId })).filter((row) => row.remediationId === remediationId);
      // `unknown` where the look fell into the middle of the breaking: half an account can be neither good nor bad.
      const drift = rows.find(({ kind, outcome }) => kind === 'check' && (outcome === 'fail' || outcome === 'unknown'));
      const change = rows.find(({ kind, outcome }) => kind === 'change' && outcome === 'committed');
      const recovered = rows.find(({ kind, outcome }) => kind === 'check' && outcome === 'pass');
      if (drift !== undefined && change !== undefined && recovered !== undefined) return { drift, recovered };
      throw new Error(JSON.stringify(rows.map(({ kind, outcome }) => `${kind} ${outcome}`)));
    });
  }

  it('C-18, C-39: what nobody may mend alone asks for a person, and no score says that all is well', async (t) => {
    const brokenMs = Date.now();
    for (const { host, check, seed } of ASKS) await site.lab.break(host, check, seed, never);
    const isFailing = async (): Promise<true | undefined> => {
      const now = await site.hosts();
      const fails = (host: string, check: string): boolean =>
        now.some(
          ({ name, checks }) => name === host && checks.some((one) => one.check === check && one.status === 'fail'),
        );
      return ASKS.every(({ host, check }) => fails(host, check)) || undefined;
    };
    await eventually('all of them are shown', isFailing);
    t.diagnostic(`four drifts shown after ${((Date.now() - brokenMs) / 1_000).toFixed(1)} s`);
    const asked = await eventually('a person is asked about each', async () => {
      const { items: attention } = await site.get('/attention', page(AttentionSchema));
      const about = (check: string): boolean => attention.some((one) => one.check === check && one.kind !== 'unknown');
      return ASKS.every(({ check }) => about(check)) ? attention : undefined;
    });
    assert.ok(asked.every(({ nextStep }) => nextStep !== ''));
    const until = performance.now() + TWO_CYCLES_MS;
    while (performance.now() < until) {
      const { score, hosts } = await site.summary();
      assert.ok(score !== null && score < 100, `score ${score}`);
      assert.equal(hosts.good, 0);
      assert.ok(
        (await site.hosts()).every((view) => view.state !== 'good' && view.score !== 100 && view.score !== null),
      );
      assert.ok(await isFailing());
    }
    for (const { host, check } of ASKS) {
      const open = await site.remediations(idOf(host));
      assert.ok(
        open.some((one) => one.check === check && one.state === 'alert'),
        `${host} ${check}`,
      );
      await site.lab.mend(host, check, never);
    }
    await site.allGood(HOSTS.length);
    assert.equal((await site.summary()).score, 100);
  });

  it('P-07, P-25, P-31, P-35: what was sealed verifies on the host, with openssl alone, and on the server', async (t) => {
    for (const host of HOSTS) {
      for (const command of ['evidence', 'audit']) {
        const { exitCode, stdout } = await site.inHost(host, command, 'verify');
        assert.equal(exitCode, 0, stdout);
        assert.match(stdout, /^verified: [1-9]/m);
      }
    }
    const change = (await site.evidence({ kind: 'change' })).find(({ hostName }) => hostName === 'web-1');
    assert.ok(change !== undefined);
    const exported = await site.inHost(
      'web-1',
      'evidence',
      'export',
      change.bundleId,
      '--out',
      '/run/kit',
      '--detached',
    );
    assert.equal(exported.exitCode, 0, exported.stderr);
    const pem = await site.lab.readFile('web-1', '/run/kit/host.pem', never);
    const trust = await site.get('/trust', TrustViewSchema);
    const pinned = trust.hosts.find(({ hostId }) => hostId === change.hostId)?.publicKey ?? '';
    const der = Buffer.from(pem.toString().replaceAll(/-----.*-----|\s/g, ''), 'base64');
    assert.equal(der.subarray(-32).toString('base64'), pinned, 'the key that the server pinned');
    const directory = temporaryDirectory(t);
    const [bundle, key] = [join(directory, 'bundle.dsse.json'), join(directory, 'host.pem')];
    writeFileSync(bundle, await site.bytes(`/evidence/${change.bundleId}/bundle`));
    writeFileSync(key, pem);
    const script = await run('/bin/sh', [join(REPOSITORY, 'docs/guides/verify-with-openssl.sh'), bundle, key]);
    assert.equal(script.exitCode, 0, script.stderr);
    assert.match(script.stdout, new RegExp(change.bundleId));
    const server = await holdfast('server', 'verify', '--state', site.state);
    assert.equal(server.exitCode, 0, server.stdout);
  });

  it('C-42: Ctrl-C leaves no process, mount, namespace, interface or control group', async () => {
    const { id, directory } = site.lab;
    const started = listDescendants(site.daemon.pid);
    assert.ok(started.length > 10, 'guards, agents and the database are seen');
    assert.ok(!isNothing(listRemains(id, directory)));
    assert.equal(await site.daemon.interrupt(), 0, site.daemon.stderr);
    const isAlive = ({ pid, startedAt }: (typeof started)[number]): boolean =>
      listDescendants(1).some((one) => one.pid === pid && one.startedAt === startedAt);
    assert.deepEqual(started.filter(isAlive), []);
    assert.ok(isNothing(listRemains(id, directory)));
    const mentions = (path: string): boolean => readFileSync(path, 'utf8').includes(site.state);
    assert.ok(!mentions('/proc/self/mountinfo'));
    assert.ok(!listDescendants(1).some(({ command }) => command.includes(site.state)));
  });
});
