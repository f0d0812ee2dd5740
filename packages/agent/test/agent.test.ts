/** The whole agent in virtual time: detect, heal, prove, and go on without a server (C-18 to C-30). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hasCode, HoldfastError } from '@holdfast/core';
import { AgentFixture, hang } from './agent-fixture.ts';
import { eventually } from './virtual-time.ts';

describe('the agent', () => {
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
    await fixture.pass(5);
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

  it('C-33: a day without a server stops neither detection nor healing, and afterwards all arrives exactly once', async (t) => {
    const fixture = new AgentFixture(t);
    fixture.toml += 'pollIntervalS = 1500\n';
    const part = fixture.guard.add('services', 'nginx');
    fixture.server.isUp = false;
    await fixture.start();
    for (let hour = 0; hour < 24; hour++) {
      part.broken = true;
      await fixture.pass(3_600);
      assert.equal(part.broken, false, `mended in hour ${hour}`);
    }
    assert.equal(fixture.health.server, 'unreachable');
    assert.deepEqual(fixture.server.uploaded, []);
    assert.equal(fixture.health.queue.dead, 0);
    fixture.server.isUp = true;
    await fixture.pass(3_400);
    await eventually(() => fixture.server.uploaded.length === fixture.guard.sealedIds.length, 'all is uploaded');
    assert.deepEqual(fixture.server.uploaded, fixture.guard.sealedIds);
    assert.equal(fixture.statesOf('services').filter((state) => state === 'fixed').length, 24, 'progress caught up');
  });

  it('C-27: a server that hangs does not delay healing', async (t) => {
    const fixture = new AgentFixture(t);
    fixture.server.checkin = (_request, signal) => hang(signal);
    fixture.server.upload = (_bundles, signal) => hang(signal);
    const part = fixture.guard.add('services', 'nginx');
    part.broken = true;
    await fixture.start();
    await fixture.pass(1);
    assert.equal(part.broken, false);
    part.broken = true;
    await fixture.pass(90);
    assert.equal(part.broken, false);
  });

  it('C-27: while the guard is away cycles fail and are counted; its return is noticed within seconds', async (t) => {
    const fixture = new AgentFixture(t);
    const part = fixture.guard.add('services', 'nginx');
    fixture.guard.isAway = true;
    part.broken = true;
    await fixture.start();
    await fixture.pass(200);
    assert.equal(fixture.health.status, 'failing');
    assert.equal(fixture.health.guard, 'unreachable');
    assert.equal(fixture.health.counters.loopsCompleted, 0);
    fixture.guard.isAway = false;
    await fixture.pass(10);
    assert.equal(part.broken, false);
    assert.equal(fixture.health.guard, 'reachable');
    assert.equal(fixture.guard.requests.length, 1);
  });

  it('C-27: another failing stage backs off for a minute, and the others run all the same', async (t) => {
    const fixture = new AgentFixture(t);
    fixture.toml += 'pollIntervalS = 10\n';
    const part = fixture.guard.add('services', 'nginx');
    fixture.guard.beforeOutbox = () => {
      throw new Error('broken');
    };
    await fixture.start();
    await fixture.pass(59);
    assert.equal(fixture.checks.runs, 1);
    part.broken = true;
    await fixture.pass(5);
    assert.equal(part.broken, false);
    assert.ok(fixture.conditions.includes('stage:outbox'));
    fixture.guard.beforeOutbox = () => undefined;
    await fixture.pass(120);
    assert.ok(!fixture.conditions.includes('stage:outbox'));
    assert.equal(fixture.health.status, 'healthy');
  });

  it('G-15: a refusal by the guard is an alert, not an endless try', async (t) => {
    const fixture = new AgentFixture(t);
    fixture.guard.add('services', 'nginx').broken = true;
    let asked = 0;
    fixture.guard.beforeRequest = () => {
      asked++;
      throw new HoldfastError('denied', { code: 'ERR_GUARD_DENIED' });
    };
    fixture.toml = 'coolDownS = 300\n';
    await fixture.start();
    await fixture.pass(250);
    assert.equal(asked, 1);
    assert.deepEqual(fixture.statesOf('services'), ['detected', 'applying', 'alert']);
  });

  it('C-30: a frozen guard is shown, and nothing is asked of it', async (t) => {
    const fixture = new AgentFixture(t);
    fixture.guard.add('services', 'nginx').broken = true;
    fixture.guard.frozen = true;
    await fixture.start();
    await fixture.pass(70);
    assert.deepEqual(fixture.guard.requests, []);
    assert.equal(fixture.health.guard, 'frozen');
    assert.equal(fixture.health.status, 'failing');
  });

  it('C-03: an invalid baseline is a critical condition', async (t) => {
    const fixture = new AgentFixture(t);
    fixture.checks.baselineProblem = 'ERR_BASELINE_MISSING: there is no baseline';
    await fixture.start();
    await fixture.pass(5);
    assert.ok(fixture.conditions.includes('baseline'));
    assert.equal(fixture.health.status, 'failing');
  });

  it('C-27: a second start on the same state directory is refused, and allowed once the first ended', async (t) => {
    const fixture = new AgentFixture(t);
    await fixture.start();
    const second = new AgentFixture(t);
    Object.assign(second, { paths: fixture.paths });
    await assert.rejects(second.start(), (error) => hasCode(error, 'ERR_AGENT_ALREADY_RUNNING'));
    await fixture.stop();
    await second.start();
    await second.pass(5);
    assert.equal(second.health.counters.loopsCompleted, 1);
  });

  it('C-27: the end comes at once, also in the middle of a cycle, and loses nothing', async (t) => {
    const fixture = new AgentFixture(t);
    fixture.guard.add('services', 'nginx');
    fixture.server.upload = (_bundles, signal) => hang(signal);
    await fixture.start();
    await fixture.time.settle();
    await eventually(() => fixture.guard.sealedIds.length > 0, 'something is sealed');
    const began = performance.now();
    await fixture.stop();
    assert.ok(performance.now() - began < 5_000);
    const restarted = new AgentFixture(t);
    Object.assign(restarted, { paths: fixture.paths, guard: fixture.guard, time: fixture.time });
    await restarted.start();
    await restarted.pass(5);
    await eventually(
      () => fixture.guard.sealedIds.every((id) => restarted.server.uploaded.includes(id)),
      'all is uploaded',
    );
  });

  it('C-27: a server call that heeds no signal is left behind, and the end still comes within 5 s', async (t) => {
    const fixture = new AgentFixture(t);
    fixture.server.checkin = () => hang();
    await fixture.start();
    await fixture.time.settle();
    const began = performance.now();
    await fixture.stop();
    assert.ok(performance.now() - began < 5_000);
  });

  it('T-08: a certificate that is due and cannot be renewed is shown, and uploads go on', async (t) => {
    const fixture = new AgentFixture(t);
    fixture.guard.add('services', 'nginx');
    fixture.time.wallMs += 200 * 86_400_000; // past the half of its year
    await fixture.start();
    await fixture.pass(70);
    await eventually(() => fixture.server.uploaded.length > 0, 'something is uploaded');
    await fixture.pass(70);
    assert.ok(fixture.conditions.includes('certificate'));
    fixture.server.renew = async (csrPem?: string) => {
      const notAfterMs = fixture.time.wallMs + 365 * 86_400_000;
      return fixture.ca.issueFor(String(csrPem), { notBeforeMs: fixture.time.wallMs, notAfterMs });
    };
    await fixture.pass(140);
    await eventually(() => !fixture.conditions.includes('certificate'), 'it is renewed');
  });

  it('C-27: being woken begins a cycle at once', async (t) => {
    const fixture = new AgentFixture(t);
    const part = fixture.guard.add('services', 'nginx');
    const agent = await fixture.start();
    await fixture.pass(5);
    part.broken = true;
    agent.wake();
    await fixture.pass(1);
    assert.equal(part.broken, false);
  });

  it('P-09: a wall clock that jumps days neither stops nor hurries the loop', async (t) => {
    const fixture = new AgentFixture(t);
    fixture.guard.add('services', 'nginx');
    await fixture.start();
    await fixture.pass(120);
    for (const days of [30, -60]) {
      const runs = fixture.checks.runs;
      fixture.time.wallMs += days * 86_400_000;
      await fixture.pass(300);
      const more = fixture.checks.runs - runs;
      assert.ok(more >= 4 && more <= 6, `${more} cycles in five minutes`);
    }
    await eventually(() => fixture.server.uploaded.length === fixture.guard.sealedIds.length, 'uploads go on');
  });

  it('P-09: a wall clock that was set is told, while the agent runs and while it was down', async (t) => {
    const fixture = new AgentFixture(t);
    await fixture.start();
    fixture.time.wallMs += 1_900;
    await fixture.pass(70);
    assert.ok(!fixture.conditions.includes('clock-stepped'));
    fixture.time.wallMs -= 2_500;
    await fixture.pass(62);
    assert.ok(fixture.conditions.includes('clock-stepped'));
    await fixture.pass(140);
    assert.ok(!fixture.conditions.includes('clock-stepped'));
    await fixture.stop();
    fixture.time.wallMs += 60_000;
    await fixture.start();
    await fixture.pass(10);
    assert.ok(fixture.conditions.includes('clock-stepped'));
  });

  it('C-32: a full disk is a critical condition and stops disruptive work, until it can be written again', async (t) => {
    const fixture = new AgentFixture(t);
    fixture.checks.disruptive = true;
    fixture.guard.beforeOutbox = () => {
      throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
    };
    await fixture.start();
    await fixture.pass(5);
    assert.ok(fixture.conditions.includes('queue-unwritable'));
    const part = fixture.guard.add('services', 'nginx');
    part.broken = true;
    await fixture.pass(150);
    assert.deepEqual(fixture.guard.requests, []);
    fixture.guard.beforeOutbox = () => undefined;
    await fixture.pass(200);
    assert.equal(part.broken, false);
    assert.ok(!fixture.conditions.includes('queue-unwritable'));
  });
});
