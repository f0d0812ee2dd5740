/** Checks and operations together, on simulated hosts as the agent and the guard use them. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Host } from '@holdfast/host';
import {
  BREAKABLE_CHECKS,
  breakSimulatedHost,
  CERTIFICATE_FILE,
  CERTIFICATE_PORT,
  LOGGING_UNIT,
  mendSimulatedHost,
  openSimulatedHost,
} from '@holdfast/host-sim';
import { temporaryDirectory } from '@holdfast/testing';
import {
  captureBaseline,
  type CheckResult,
  complianceOperations,
  type LoadedBaseline,
  loadBaseline,
  runChecks,
  signBaseline,
} from '../src/index.ts';
import { checksIn, neverAborted, PINNED, SIGNER } from './baselines.ts';
import { NOW_MS } from './in-memory-host.ts';

const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8];
const UNITS = ['cron.service', 'nftables.service', 'ssh.service', 'unattended-upgrades.service'];
const FILES = ['/etc/hosts', '/etc/ssh/sshd_config', '/etc/sudoers', '/etc/sysctl.d/50-hardening.conf'];

/** Nothing on the host itself mends these. */
const NEED_A_PERSON: ReadonlySet<string> = new Set(['ports', 'time_sync', 'certificates']);

interface Subject {
  readonly directory: string;
  readonly host: Host;
  readonly loaded: LoadedBaseline & { ok: true };
  readonly check: () => Promise<CheckResult[]>;
  /** Everything about the host but its log lines. */
  readonly state: () => unknown;
}

/** A simulated host in good order with a signed baseline captured from it. */
async function open(t: { after(fn: () => void): void }): Promise<Subject> {
  const directory = temporaryDirectory(t);
  const host = await openSimulatedHost(directory);
  const yaml = await captureBaseline(
    host,
    {
      name: 'simulated',
      nowMs: NOW_MS,
      remediation: 'auto',
      firewall: true,
      units: UNITS,
      loggingUnits: [LOGGING_UNIT],
      canaryWithinMs: 100,
      files: FILES,
      inlineAnyway: ['/etc/sudoers'],
      ports: true,
      accounts: true,
      timeSources: ['ntp-1', 'ntp-2', 'ntp-3'],
      certificateFiles: [CERTIFICATE_FILE],
      certificatePorts: [{ address: '127.0.0.1', port: CERTIFICATE_PORT }],
    },
    neverAborted,
  );
  const path = join(directory, 'baseline.dsse.json');
  writeFileSync(path, signBaseline(Buffer.from(yaml), SIGNER));
  const loaded = await loadBaseline(path, [PINNED], NOW_MS);
  assert.ok(loaded.ok);
  return {
    directory,
    host,
    loaded,
    check: () => runChecks(loaded, { host, nowMs: host.clock.wallMs() }, neverAborted, { checks: checksIn(loaded) }),
    state: () => {
      const { journal: _journal, ...state } = JSON.parse(readFileSync(join(directory, 'state.json'), 'utf8')) as Record<
        string,
        unknown
      >;
      return state;
    },
  };
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Infinity;

const notGood = (results: readonly CheckResult[]): string[] =>
  results.filter(({ status }) => status !== 'pass').map(({ check, status }) => `${check} ${status}`);

describe('on a simulated host', () => {
  it('C-04: a signed baseline captured from it is passed by it', async (t) => {
    const { check } = await open(t);
    const results = await check();
    assert.equal(results.length, 8);
    assert.deepEqual(notGood(results), []);
  });

  it('C-16: 1,000 runs on an unchanged host find 0 drift, and the same each time', async (t) => {
    const { check } = await open(t);
    const first = JSON.stringify((await check()).map(({ findings }) => findings));
    for (let run = 1; run < 1_000; run += 1) {
      const results = await check();
      assert.deepEqual(notGood(results), [], `run ${run}`);
      assert.equal(JSON.stringify(results.map(({ findings }) => findings)), first, `run ${run}`);
    }
  });

  it('C-15: a run of all checks takes less than a second and 300 ms of CPU at the median', async (t) => {
    const { check } = await open(t);
    const tookMs: number[] = [];
    const cpuMs: number[] = [];
    for (let run = 0; run < 9; run += 1) {
      const startedMs = performance.now();
      const cpu = process.cpuUsage();
      await check();
      tookMs.push(performance.now() - startedMs);
      const { user, system } = process.cpuUsage(cpu);
      cpuMs.push((user + system) / 1_000);
    }
    assert.ok(median(tookMs) < 1_000, `${tookMs.join()} ms`);
    assert.ok(median(cpuMs) < 300, `${cpuMs.join()} ms`);
  });

  for (const name of BREAKABLE_CHECKS) {
    it(`C-19: what breaks ${name} is found, mended where there is a remedy, and reverted exactly`, async (t) => {
      const subject = await open(t);
      const { directory, host, loaded } = subject;
      const operations = complianceOperations(loaded.baseline);
      const good = subject.state();
      let mended = 0;
      for (const seed of SEEDS) {
        await breakSimulatedHost(directory, name, seed);
        const broken = subject.state();
        const results = await subject.check();
        const result = results.find(({ check }) => check === name);
        assert.equal(result?.status, 'fail', `seed ${seed}: ${notGood(results).join()}`);

        for (const finding of result.findings.filter(({ status }) => status === 'fail')) {
          if (finding.remediation === null) continue;
          mended += 1;
          const { operation: operationName, params } = finding.remediation;
          const operation = operations.get(operationName);
          assert.ok(operation);
          const captured = await operation.capture(params, host, neverAborted);
          assert.ok((await operation.plan(params, host, neverAborted)).length > 0, `seed ${seed}`);
          await operation.apply(params, host, neverAborted);
          assert.ok((await operation.verify(params, host, neverAborted)).ok, `seed ${seed}`);
          assert.deepEqual(await operation.plan(params, host, neverAborted), [], 'P-16');
          assert.deepEqual(notGood(await subject.check()), [], `C-19, seed ${seed}: the check passes after it`);

          await operation.revert(captured, host, neverAborted);
          if (operationName.endsWith('.restart')) {
            // A unit that had failed is stopped now: what it did not do before, it does not do again.
            assert.equal((await operation.verify(params, host, neverAborted)).ok, false);
          } else {
            assert.deepEqual(subject.state(), broken, `seed ${seed}`);
          }
        }
        await mendSimulatedHost(directory, name);
        assert.deepEqual(subject.state(), good);
      }
      assert.equal(mended > 0, !NEED_A_PERSON.has(name));
    });
  }
});
