/** The whole agent in virtual time: detect, heal, prove (C-18 to C-26). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HoldfastError } from '@holdfast/core';
import { AgentFixture } from './agent-fixture.ts';
import { eventually } from './virtual-time.ts';

describe('healing', () => {
  it('C-06, C-27: clean cycles leave evidence too, one bundle per check and cycle', async (t) => {
    const fixture = new AgentFixture(t);
    fixture.guard.add('services', 'nginx');
    fixture.guard.add('firewall', 'ruleset');
    await fixture.start();
    await fixture.pass(60 * 10);
    const cycles = fixture.health.counters.loopsCompleted;
    assert.ok(cycles >= 9 && cycles <= 12, `${cycles} cycles in ten minutes of 60 s ± 10 %`);
    assert.equal(fixture.guard.reports.length, 2 * fixture.checks.runs);
    assert.ok(
      fixture.guard.reports.every(({ outcome, remediationId }) => outcome === 'pass' && remediationId === null),
    );
    assert.equal(fixture.health.counters.driftDetected, 0);
    await eventually(() => fixture.server.uploaded.length === fixture.guard.sealedIds.length, 'everything is uploaded');
    assert.deepEqual(fixture.server.uploaded, fixture.guard.sealedIds, 'in the order of sealing');
  });

  it('C-19: drift is mended, and fixed only after the check passed again; all evidence has one remediation id', async (t) => {
    const fixture = new AgentFixture(t);
    fixture.guard.add('services', 'nginx').broken = true;
    await fixture.start();
    await fixture.pass(40); // less than an interval, so that all of this came at once
    assert.deepEqual(fixture.statesOf('services'), ['detected', 'applying', 'verifying', 'fixed']);
    const ids = new Set(fixture.server.progress.map(({ remediationId }) => remediationId));
    assert.equal(ids.size, 1);
    const [failing, passing] = fixture.guard.reports;
    assert.equal(failing?.outcome, 'fail');
    assert.equal(passing?.outcome, 'pass');
    assert.deepEqual(
      [failing?.remediationId, passing?.remediationId, fixture.guard.requests[0]?.remediationId].map((id) =>
        ids.has(id ?? ''),
      ),
      [true, true, true],
    );
    const { driftDetected, remediationsAttempted, remediationsSuccessful } = fixture.health.counters;
    assert.deepEqual(
      { driftDetected, remediationsAttempted, remediationsSuccessful },
      { driftDetected: 1, remediationsAttempted: 1, remediationsSuccessful: 1 },
    );
    assert.ok(fixture.checks.runs >= 3, 'after healing the next cycle comes at once');
  });

  it('C-19: a change that commits and mends nothing is no success', async (t) => {
    const fixture = new AgentFixture(t);
    fixture.guard.add('services', 'nginx').broken = true;
    fixture.guard.mend = () => 'in-vain';
    fixture.toml = 'healthCheckTimeoutS = 10\ncoolDownS = 3600\n';
    await fixture.start();
    await fixture.pass(70);
    assert.deepEqual(fixture.statesOf('services').slice(0, 4), ['detected', 'applying', 'verifying', 'failed']);
    assert.equal(fixture.health.counters.remediationsSuccessful, 0);
    assert.equal(fixture.guard.requests.length, 1, 'the cool-down holds');
    assert.equal(fixture.health.counters.driftDetected, 1, 'the same drift is not detected anew in each cycle');
  });

  it('C-18: one change per distinct action; what nothing mends is an alert', async (t) => {
    const fixture = new AgentFixture(t);
    for (const subject of ['a', 'b']) fixture.guard.add('services', subject).broken = true;
    fixture.guard.add('accounts', 'eve', null).broken = true;
    await fixture.start();
    await fixture.pass(130);
    assert.deepEqual(
      fixture.guard.requests.map(({ params }) => params['subject']),
      ['a', 'b'],
    );
    assert.equal(fixture.statesOf('services').at(-1), 'fixed');
    assert.deepEqual(fixture.statesOf('accounts'), ['detected', 'alert'], 'told once');
    assert.ok(fixture.conditions.includes('needs-person:accounts'));
  });

  for (const [policy, state] of [
    ['ask', 'waiting'],
    ['never', 'alert'],
  ] as const) {
    it(`C-26: with the policy ${policy} nothing is touched`, async (t) => {
      const fixture = new AgentFixture(t);
      fixture.guard.add('services', 'nginx').broken = true;
      fixture.checks.policy = policy;
      await fixture.start();
      await fixture.pass(200);
      assert.deepEqual(fixture.guard.requests, []);
      assert.deepEqual(fixture.statesOf('services'), ['detected', state]);
    });
  }

  it('C-06: what cannot be seen is neither drift nor fixed', async (t) => {
    const fixture = new AgentFixture(t);
    const part = fixture.guard.add('services', 'nginx');
    fixture.checks.policy = 'ask';
    part.broken = true;
    await fixture.start();
    await fixture.pass(5);
    const id = fixture.guard.reports[0]?.remediationId;
    fixture.checks.blind.add('services');
    await fixture.pass(200);
    assert.deepEqual(fixture.statesOf('services'), ['detected', 'waiting']);
    fixture.checks.blind.clear();
    part.broken = false;
    await fixture.pass(70);
    assert.deepEqual(fixture.statesOf('services'), ['detected', 'waiting', 'fixed'], 'a person mended it');
    assert.ok(id);
    assert.equal(fixture.guard.reports.findLast(({ remediationId }) => remediationId !== null)?.remediationId, id);
  });

  it('P-26: the remediation id survives a restart, and a new drift has a new one', async (t) => {
    const fixture = new AgentFixture(t);
    const part = fixture.guard.add('services', 'nginx');
    part.broken = true;
    fixture.checks.policy = 'ask';
    await fixture.start();
    await fixture.pass(5);
    const id = fixture.guard.reports.at(-1)?.remediationId;
    await fixture.stop();
    await fixture.start();
    await fixture.pass(5);
    assert.equal(fixture.guard.reports.at(-1)?.remediationId, id);
    part.broken = false;
    await fixture.pass(70);
    part.broken = true;
    await fixture.pass(70);
    const next = fixture.guard.reports.at(-1)?.remediationId;
    assert.ok(typeof next === 'string' && next !== id);
  });

  it('C-24: what is deferred is deferred once, remembered over a restart, and asked for again when the window opens', async (t) => {
    const fixture = new AgentFixture(t);
    fixture.toml += 'pollIntervalS = 300\nmaintenanceWindow = "14:00-15:00 UTC"\n'; // virtual time begins at 12:00
    fixture.guard.add('services', 'nginx').broken = true;
    fixture.guard.mend = () => (fixture.time.wallMs >= Date.UTC(2026, 0, 5, 14) ? 'committed' : 'deferred');
    await fixture.start();
    await fixture.pass(1_800);
    await fixture.stop();
    await fixture.start();
    await fixture.pass(1_800);
    assert.equal(fixture.guard.requests.length, 1);
    assert.deepEqual(fixture.statesOf('services'), ['detected', 'applying', 'deferred']);
    await fixture.pass(4_200);
    assert.equal(fixture.guard.requests.length, 2);
    assert.equal(fixture.statesOf('services').at(-1), 'fixed');
  });

  it('C-24, C-26, C-46: window-only work waits for its window, also across midnight, and leaves one piece of evidence', async (t) => {
    const fixture = new AgentFixture(t);
    fixture.toml += 'pollIntervalS = 300\nmaintenanceWindow = "22:00-02:00 UTC"\n'; // virtual time begins at 12:00
    const part = fixture.guard.add('services', 'nginx');
    part.broken = true;
    fixture.checks.policy = 'window-only';
    await fixture.start();
    const until = (day: number, hour: number, minute = 0): Promise<void> =>
      fixture.pass((Date.UTC(2026, 0, day, hour, minute) - fixture.time.wallMs) / 1_000);
    await until(5, 15);
    await fixture.stop();
    await fixture.start(); // it is remembered
    await until(5, 21, 58);
    assert.deepEqual(fixture.statesOf('services'), ['detected', 'deferred']);
    assert.deepEqual(
      fixture.guard.requests.map(({ notBeforeMs }) => notBeforeMs),
      [Date.UTC(2026, 0, 5, 22)],
      'asked for once, for when the window opens',
    );
    assert.equal(fixture.health.counters.remediationsAttempted, 0);
    assert.ok(part.broken);
    const [deferred, ...more] = fixture.guard.changesOf('services.restart');
    assert.equal(deferred?.outcome, 'deferred');
    assert.ok(fixture.guard.sealedIds.includes(deferred?.bundleId ?? ''));
    assert.equal(more.length, 0);

    await until(5, 22, 6);
    assert.ok(!part.broken);
    assert.deepEqual(fixture.statesOf('services').slice(2), ['applying', 'verifying', 'fixed']);
    await until(6, 0, 30);
    part.broken = true; // in the same window, on the next day
    await until(6, 0, 40);
    assert.ok(!part.broken, 'the window is open past midnight');
    assert.equal(fixture.guard.requests.length, 3);
    await until(6, 2, 0);
    part.broken = true; // the end is outside
    await until(6, 21, 58);
    assert.ok(part.broken);
    assert.equal(fixture.statesOf('services').at(-1), 'deferred');
    assert.equal(fixture.guard.requests.length, 4);
    await until(6, 22, 6);
    assert.ok(!part.broken);
  });

  it('C-24: a window that was slept through defers once more, without another report', async (t) => {
    const fixture = new AgentFixture(t);
    fixture.toml += 'pollIntervalS = 600\nmaintenanceWindow = "14:00-15:00 UTC"\n';
    fixture.guard.add('services', 'nginx').broken = true;
    fixture.checks.policy = 'window-only';
    await fixture.start();
    await fixture.pass(60);
    await fixture.stop();
    await fixture.pass(5 * 3_600);
    await fixture.start();
    await fixture.pass(600);
    assert.equal(fixture.guard.requests.length, 1);
    assert.deepEqual(fixture.statesOf('services'), ['detected', 'deferred']);
    await fixture.pass(21 * 3_600 + 900);
    assert.equal(fixture.statesOf('services').at(-1), 'fixed');
  });

  it('C-24, P-10: without a sane clock nobody knows the window: window-only work is left alone', async (t) => {
    const fixture = new AgentFixture(t);
    fixture.toml += 'maintenanceWindow = "00:00-24:00 UTC"\n';
    fixture.guard.add('services', 'nginx').broken = true;
    fixture.checks.policy = 'window-only';
    fixture.checks.clockJudgement = { status: 'unknown', offsetMs: null };
    await fixture.start();
    await fixture.pass(130);
    assert.deepEqual(fixture.guard.requests, []);
    assert.deepEqual(fixture.statesOf('services'), ['detected', 'alert']);
  });

  it('C-24: window-only work that the guard refuses is not asked for in each cycle', async (t) => {
    const fixture = new AgentFixture(t);
    fixture.toml = 'coolDownS = 300\nmaintenanceWindow = "22:00-02:00 UTC"\n';
    fixture.guard.add('services', 'nginx').broken = true;
    fixture.checks.policy = 'window-only';
    let asked = 0;
    fixture.guard.beforeRequest = () => {
      asked++;
      throw new HoldfastError('denied', { code: 'ERR_GUARD_DENIED' });
    };
    await fixture.start();
    await fixture.pass(250);
    assert.equal(asked, 1);
    assert.deepEqual(fixture.statesOf('services'), ['detected', 'alert']);
  });

  it('C-25: five remediations in ten minutes stop all healing for half an hour, and everyone sees it', async (t) => {
    const fixture = new AgentFixture(t);
    fixture.toml = 'coolDownS = 0\nflapLimit = 10000\n'; // the limit is the default
    const parts = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => fixture.guard.add(`check_${name}`, name));
    await fixture.start();
    await fixture.pass(5);
    for (const part of parts) part.broken = true;
    await fixture.pass(100);
    assert.equal(fixture.guard.requests.length, 5, 'of six at once, five are mended');
    assert.equal(parts.filter(({ broken }) => broken).length, 1);
    assert.ok(fixture.conditions.includes('healing-stopped'));
    assert.equal(fixture.health.status, 'failing');
    await fixture.stop();
    await fixture.start();
    await fixture.pass(27 * 60);
    assert.equal(fixture.guard.requests.length, 5, 'a restart does not let go of the brake');
    await fixture.pass(5 * 60);
    assert.equal(fixture.guard.requests.length, 6);
    assert.ok(parts.every(({ broken }) => !broken));
    assert.ok(!fixture.conditions.includes('healing-stopped'));
  });

  it('C-25: five failures open the circuit breaker for a minute; then one is tried, and two successes close it', async (t) => {
    const fixture = new AgentFixture(t);
    fixture.toml = 'coolDownS = 0\nflapLimit = 10000\nhealLimit = 10000\npollIntervalS = 10\n';
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    for (const name of names) fixture.guard.add(`check_${name}`, name).broken = true;
    let works = false;
    fixture.guard.mend = () => (works ? 'committed' : 'failed');
    await fixture.start();
    await fixture.pass(30);
    const first = fixture.guard.requests.length;
    assert.ok(first >= 5 && first <= 6, `${first} requests: six may begin at once, none follows`);
    assert.ok(fixture.conditions.includes('circuit-breaker'));
    assert.equal(fixture.health.conditions.find(({ code }) => code === 'circuit-breaker')?.severity, 'warning');
    await fixture.pass(50);
    assert.equal(fixture.guard.requests.length, first + 1, 'half open, one at a time is tried');
    works = true;
    await fixture.pass(40);
    assert.equal(fixture.guard.requests.length, first + 1, 'its failure opened it for another minute');
    await fixture.pass(40);
    assert.ok(fixture.guard.parts.every(({ broken }) => !broken));
    assert.ok(!fixture.conditions.includes('circuit-breaker'));
  });

  it('C-25: attempts in vain come at 5, 10 and 30 minutes, then every two hours', async (t) => {
    const fixture = new AgentFixture(t);
    fixture.toml = 'coolDownS = 300\npollIntervalS = 120\n';
    fixture.guard.add('services', 'nginx').broken = true;
    const times: number[] = [];
    fixture.guard.mend = () => {
      times.push(fixture.time.monotonicMs / 60_000);
      return 'failed';
    };
    await fixture.start();
    await fixture.pass(4.4 * 3_600);
    const gaps = times.slice(1).map((at, index) => at - (times[index] ?? 0));
    for (const [index, nominal] of [5, 5, 10, 10, 10, 30, 30, 30, 120].entries()) {
      const gap = gaps[index] ?? 0;
      assert.ok(gap >= nominal && gap < nominal + 2.3, `gap ${index} is ${gap} min, not ${nominal}`);
    }
  });

  it('C-25: a check that drifts again and again is left alone for an hour and alerted', async (t) => {
    const fixture = new AgentFixture(t);
    fixture.toml = 'coolDownS = 0\nflapLimit = 3\n';
    const part = fixture.guard.add('services', 'nginx');
    await fixture.start();
    for (let round = 0; round < 4; round++) {
      part.broken = true;
      await fixture.pass(70);
    }
    assert.equal(fixture.guard.requests.length, 3);
    assert.ok(fixture.conditions.includes('flapping:services'));
    assert.equal(fixture.statesOf('services').at(-1), 'alert');
    await fixture.pass(3_700);
    assert.equal(fixture.guard.requests.length, 4, 'after the hour it is mended again');
    assert.ok(!fixture.conditions.includes('flapping:services'));
  });

  it('P-10: with a clock that is not sane nothing disruptive is done, and the rest is', async (t) => {
    for (const [disruptive, requests] of [
      [true, 0],
      [false, 1],
    ] as const) {
      for (const status of ['not-sane', 'unknown'] as const) {
        const fixture = new AgentFixture(t);
        fixture.guard.add('services', 'nginx').broken = true;
        fixture.checks.clockJudgement = { status, offsetMs: status === 'unknown' ? null : 9_000 };
        fixture.checks.disruptive = disruptive;
        await fixture.start();
        await fixture.pass(130);
        assert.equal(fixture.guard.requests.length, requests);
        if (disruptive) assert.deepEqual(fixture.statesOf('services'), ['detected', 'alert']);
        assert.equal(fixture.guard.reports[0]?.clock.status, status);
        await fixture.stop();
      }
    }
  });

  it('C-22: a change that awaits confirmation is confirmed when the check passes and the server is reachable', async (t) => {
    const fixture = new AgentFixture(t);
    await fixture.start();
    await fixture.pass(5);
    fixture.guard.add('firewall', 'ruleset').broken = true;
    fixture.guard.mend = () => 'await';
    await fixture.pass(70);
    assert.equal(fixture.guard.confirmed.length, 1);
    assert.deepEqual(fixture.statesOf('firewall'), ['detected', 'applying', 'verifying', 'confirming', 'fixed']);
  });

  it('C-22: it is left to revert when the server that was reachable no longer is', async (t) => {
    const fixture = new AgentFixture(t);
    fixture.toml = 'coolDownS = 3600\n';
    await fixture.start();
    await fixture.pass(5);
    const part = fixture.guard.add('firewall', 'ruleset');
    part.broken = true;
    fixture.guard.mend = () => {
      fixture.server.canConnect = false; // what is established stays, nothing new comes about
      return 'await';
    };
    await fixture.pass(60 * 3);
    assert.deepEqual(fixture.guard.confirmed, []);
    fixture.guard.revertUnconfirmed();
    await fixture.pass(70);
    assert.equal(fixture.statesOf('firewall').at(-1), 'reverted');
    assert.ok(part.broken);
  });

  it('C-22: it is left to revert when the check does not pass', async (t) => {
    const fixture = new AgentFixture(t);
    fixture.toml = 'coolDownS = 3600\n';
    const part = fixture.guard.add('firewall', 'ruleset');
    part.broken = true;
    fixture.guard.mend = () => 'await';
    await fixture.start();
    const request = fixture.guard.request.bind(fixture.guard);
    fixture.guard.request = async (asked) => {
      const change = await request(asked);
      part.broken = true; // mended as far as the guard sees, and yet not good
      return change;
    };
    await fixture.pass(50);
    assert.deepEqual(fixture.guard.confirmed, []);
  });

  it('C-22, P-15: an agent that was killed while a change awaits confirmation confirms it after its restart', async (t) => {
    const fixture = new AgentFixture(t);
    fixture.guard.add('firewall', 'ruleset').broken = true;
    fixture.guard.mend = () => 'await';
    fixture.server.canConnect = false;
    await fixture.start();
    await fixture.pass(2);
    await fixture.stop();
    assert.deepEqual(fixture.guard.confirmed, []);
    fixture.server.canConnect = true;
    await fixture.start();
    await fixture.pass(10);
    assert.equal(fixture.guard.confirmed.length, 1);
    assert.equal(fixture.guard.requests.length, 1);
    assert.equal(fixture.statesOf('firewall').at(-1), 'fixed');
  });
});
