/**
 * Guard, agent and checks together, each the real one, over the real socket and real TLS, on a
 * simulated host: every kind of drift is detected, mended, proven and delivered.
 */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { type HostPaths, hostPaths, type Trust } from '@holdfast/api';
import {
  captureBaseline,
  complianceOperations,
  listBaselineFiles,
  loadBaseline,
  signBaseline,
} from '@holdfast/compliance';
import { generateSigner, type Signer } from '@holdfast/crypto';
import { type Statement, verifyBundle } from '@holdfast/evidence';
import { connectGuard, readBootId, startGuard, systemClock } from '@holdfast/guard';
import type { Host } from '@holdfast/host';
import {
  type BreakableCheck,
  breakSimulatedHost,
  CERTIFICATE_FILE,
  LOGGING_UNIT,
  mendSimulatedHost,
  openSimulatedHost,
} from '@holdfast/host-sim';
import { temporaryDirectory } from '@holdfast/testing';
import { openBaselineChecks } from '../src/baseline-checks.ts';
import { generateTlsKey } from '../src/certificate-request.ts';
import { parseAgentConfig } from '../src/config.ts';
import { openGuardReaders } from '../src/guard-readers.ts';
import { makeHostDirectories, writeHostConfig } from '../src/host-files.ts';
import { type RunningAgent, startAgent } from '../src/start.ts';
import { logSigner, testTrust } from './agent-fixture.ts';
import { ControlPlane } from './control-plane.ts';

const uid = process.getuid?.() ?? 0;
const gid = process.getgid?.() ?? 0;
const POLICY = `version = 1
[[principals]]
name = "agent"
uid = ${uid}
[[rules]]
name = "remediations"
principals = ["agent"]
operations = ["firewall.restore", "services.restart", "logging.restart", "files.restore", "accounts.lock"]
effect = "allow"
[[reads]]
name = "agent-reads"
principals = ["agent"]
allow = ["observe.packet-filter", "observe.accounts", "observe.files", "plan", "seal", "outbox", "changes"]
[[rateLimits]]
name = "agent"
principals = ["agent"]
mutations = { burst = 100000, perMinute = 100000 }
seal = { burst = 100000, perMinute = 100000 }
`;
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

interface Spine {
  readonly directory: string;
  readonly paths: HostPaths;
  readonly host: Host;
  readonly hostKey: Signer;
  readonly agent: RunningAgent;
  readonly plane: ControlPlane;
  /** Ends the guard and starts another on the same state. */
  restartGuard(): Promise<void>;
  statements(): Statement[];
}

async function writeBaseline(host: Host, paths: HostPaths, signal: AbortSignal): Promise<void> {
  const yaml = await captureBaseline(
    host,
    {
      name: 'spine',
      nowMs: Date.now(),
      remediation: 'auto',
      firewall: true,
      units: ['cron.service', 'ssh.service', 'unattended-upgrades.service'],
      loggingUnits: [LOGGING_UNIT],
      canaryWithinMs: 500,
      files: ['/etc/ssh/sshd_config', '/etc/sudoers', '/etc/sysctl.d/50-hardening.conf'],
      inlineAnyway: ['/etc/sudoers'],
      ports: true,
      accounts: true,
      timeSources: ['ntp-1', 'ntp-2', 'ntp-3'],
      certificateFiles: [CERTIFICATE_FILE],
    },
    signal,
  );
  writeFileSync(paths.baseline, signBaseline(Buffer.from(yaml), logSigner));
}

async function start(t: TestContext, directory: string): Promise<Spine> {
  const controller = new AbortController();
  const { signal } = controller;
  await using stack = new AsyncDisposableStack();
  stack.defer(() => controller.abort(new Error('the test is over')));
  const plane = stack.use(await ControlPlane.start());
  const root = join(directory, 'root');
  const paths = hostPaths(root);
  makeHostDirectories(paths, { agentUid: uid, agentGid: gid }, uid, gid);
  writeHostConfig(paths);
  const hostKey = generateSigner(paths.hostKey);
  writeFileSync(paths.policy, POLICY);
  const keyPem = generateTlsKey();
  writeFileSync(paths.tlsKey, keyPem);
  writeFileSync(paths.tlsCertificate, plane.ca.issueForKey(keyPem));
  const trust: Trust = { ...testTrust(plane.ca.certificatePem), serverUrl: plane.url };
  const host = await openSimulatedHost(join(directory, 'host'));
  await writeBaseline(host, paths, signal);

  const loadGuardBaseline = async () => {
    const loaded = await loadBaseline(paths.baseline, trust.keys, Date.now(), trust.hostId);
    const baseline = loaded.ok ? loaded.baseline : null;
    return {
      hash: loaded.ok ? { value: loaded.hash } : { unknown: loaded.reason },
      operations: complianceOperations(baseline),
      observedFiles: listBaselineFiles(baseline),
    };
  };
  const openGuard = (): Promise<AsyncDisposable> =>
    startGuard({ paths, trust, version: '0.1.0', socketGid: gid }, { host, loadBaseline: loadGuardBaseline }, signal);
  let running = await openGuard();
  stack.defer(() => running[Symbol.asyncDispose]());
  const guard = stack.use(connectGuard(paths.socket, signal));
  // The agent's eyes: what needs root comes from the guard, as on a real host.
  const checks = openBaselineChecks(
    {
      host: { ...host, ...openGuardReaders(guard), files: host.files },
      baselinePath: paths.baseline,
      modulesDirectory: paths.checkModules,
      trust,
      customCheckRunner: null,
    },
    { ntpMaxSkewMs: 5_000 },
  );
  const agent = stack.use(
    await startAgent(
      {
        config: parseAgentConfig('coolDownS = 0\nflapLimit = 10000\nhealthCheckTimeoutS = 10\n', {}),
        paths,
        version: '0.1.0',
      },
      { guard, checks, trust, clock: systemClock, bootId: readBootId(), log: silent },
      signal,
    ),
  );
  const resources = stack.move();
  t.after(() => resources.disposeAsync());
  return {
    directory,
    paths,
    host,
    hostKey,
    agent,
    plane,
    restartGuard: async () => {
      await running[Symbol.asyncDispose]();
      running = await openGuard();
    },
    statements: () =>
      [...plane.bundles.values()].map(
        (envelope) => verifyBundle(Buffer.from(envelope, 'base64'), [hostKey.publicKey]).statement,
      ),
  };
}

/** Looks again each 50 ms, for at most 30 s: real daemons take real time. */
async function eventually(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`not within 30 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const statesOf = (plane: ControlPlane, check: string): string[] =>
  plane.checkins
    .flatMap(({ progress }) => progress)
    .filter((entry) => entry.check === check)
    .map(({ state }) => state);

describe('guard, agent and checks together', () => {
  it('C-19, C-22, C-23: each kind of drift that can be mended is mended, and its evidence verifies', async (t) => {
    const directory = temporaryDirectory(t);
    mkdirSync(join(directory, 'host'));
    const spine = await start(t, directory);
    const { plane, agent } = spine;
    await eventually(() => plane.accepted.length >= 8, 'the first cycle is delivered');
    assert.ok(
      spine.statements().every(({ predicate }) => predicate.outcome === 'pass'),
      'all is well at first',
    );

    const mendable: BreakableCheck[] = ['firewall', 'services', 'logging', 'files', 'accounts'];
    for (const check of mendable) {
      breakSimulatedHost(join(directory, 'host'), check, 3);
      agent.wake();
      await eventually(
        () => statesOf(plane, check).includes('fixed'),
        `${check} is fixed: ${statesOf(plane, check).join(' ')}`,
      );
    }
    for (const check of ['ports', 'certificates'] as const) {
      breakSimulatedHost(join(directory, 'host'), check, 3);
      agent.wake();
      await eventually(() => statesOf(plane, check).includes('alert'), `${check} is an alert`);
      mendSimulatedHost(join(directory, 'host'), check);
      agent.wake();
      await eventually(() => statesOf(plane, check).includes('fixed'), `${check} was mended by a person`);
    }
    assert.deepEqual(statesOf(plane, 'firewall'), ['detected', 'applying', 'verifying', 'confirming', 'fixed']);

    const { length } = plane.accepted;
    agent.wake();
    await eventually(() => plane.accepted.length > length, 'the last cycle is delivered');
    const statements = spine.statements();
    for (const check of mendable) {
      const ofDrift = statements.find(({ predicate }) => predicate.check === check && predicate.outcome === 'fail');
      const id = ofDrift?.predicate.remediationId;
      assert.ok(id, `${check} has failing evidence`);
      const tied = statements
        .filter(({ predicate }) => predicate.remediationId === id)
        .map(({ predicate }) => predicate.outcome);
      for (const outcome of ['fail', 'committed', 'pass'])
        assert.ok((tied as string[]).includes(outcome), `${check}: ${outcome} in ${tied.join(' ')}`);
    }
    assert.ok(
      statements.every(({ predicate }) => predicate.simulated),
      'all of it says simulated',
    );
    assert.equal(new Set(plane.accepted).size, plane.accepted.length);
  });

  it('C-33, P-15: guard restarts and a server that is away in the middle of drift lose nothing and double nothing', async (t) => {
    const directory = temporaryDirectory(t);
    mkdirSync(join(directory, 'host'));
    const spine = await start(t, directory);
    const { plane, agent } = spine;
    await eventually(() => plane.accepted.length >= 8, 'the first cycle is delivered');
    const fixed = (): number => statesOf(plane, 'services').filter((state) => state === 'fixed').length;
    for (let round = 1; round <= 4; round++) {
      const isAway = round % 2 === 0;
      plane.intercept = () => (isAway ? 'reset' : undefined);
      breakSimulatedHost(join(directory, 'host'), 'services', round);
      agent.wake();
      await spine.restartGuard();
      plane.intercept = () => undefined;
      agent.wake();
      await eventually(() => fixed() >= round, `drift ${round} is fixed: ${statesOf(plane, 'services').join(' ')}`);
    }
    using reader = connectGuard(spine.paths.socket, AbortSignal.timeout(10_000));
    const { items } = await reader.outbox(0, 1_000);
    agent.wake();
    await eventually(
      () => items.every(({ bundleId }) => plane.bundles.has(bundleId)),
      'everything sealed is delivered',
    );
    assert.equal(new Set(plane.accepted).size, plane.accepted.length, 'each once');
    const known = items.map(({ bundleId }) => bundleId);
    assert.deepEqual(plane.accepted.slice(0, known.length), known, 'in the order of sealing');
    assert.ok(spine.statements().length >= known.length, 'and every one verifies');
  });
});
