/** The whole agent in virtual time: without a server, without a guard, stopped, woken, and clocks that move (C-27 to C-33). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hasCode, HoldfastError } from '@holdfast/core';
import { AgentFixture, hang } from './agent-fixture.ts';
import { eventually } from './virtual-time.ts';

describe('the life of the agent', () => {
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
    // Renewal reads and writes real files beside the cycles: the health of a later one shows it.
    for (let cycle = 0; cycle < 20 && fixture.conditions.includes('certificate'); cycle++) await fixture.pass(70);
    assert.ok(!fixture.conditions.includes('certificate'), 'it is renewed');
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
