/** Orders through the whole agent: effect exactly once, results told until acknowledged (C-35). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { signCheckpoint } from '@holdfast/crypto';
import { AgentFixture, hang, LOG_ORIGIN, logSigner } from './agent-fixture.ts';

const orderOf = (orderId: string): string =>
  JSON.stringify({ payload: Buffer.from(JSON.stringify({ orderId })).toString('base64') });

const noteOf = (fill: number): string =>
  signCheckpoint({ origin: LOG_ORIGIN, size: 4, root: new Uint8Array(32).fill(fill) }, logSigner);

describe('orders', () => {
  it('C-35: an order is handed to the guard as it came and its result told once', async (t) => {
    const fixture = new AgentFixture(t);
    fixture.server.orders = [orderOf('o-1'), orderOf('o-2')];
    await fixture.start();
    await fixture.pass(200);
    assert.deepEqual(fixture.guard.effects, ['o-1', 'o-2']);
    assert.deepEqual(
      fixture.server.results.map(({ orderId, result }) => [orderId, result.outcome]),
      [
        ['o-1', 'done'],
        ['o-2', 'done'],
      ],
    );
  });

  it('C-35: a result whose acknowledgement is lost is told again, and the effect is not repeated', async (t) => {
    const fixture = new AgentFixture(t);
    fixture.server.orders = [orderOf('o-1')];
    fixture.server.losesResults = 3;
    await fixture.start();
    await fixture.pass(400);
    assert.equal(fixture.server.results.length, 4);
    assert.deepEqual(fixture.guard.effects, ['o-1']);
  });

  it('C-35: over a restart between effect and report the effect stays one and the result is told', async (t) => {
    const fixture = new AgentFixture(t);
    fixture.server.orders = [orderOf('o-1')];
    const order = fixture.guard.order.bind(fixture.guard);
    fixture.guard.order = async (envelope, signal) => {
      await order(envelope);
      return hang(signal); // the guard did it, and the agent dies before it hears of it
    };
    await fixture.start();
    await fixture.pass(20);
    await fixture.stop();
    fixture.guard.order = order;
    fixture.server.orders = [];
    await fixture.start();
    await fixture.pass(20);
    assert.deepEqual(fixture.guard.effects, ['o-1']);
    assert.deepEqual(
      fixture.server.results.map(({ orderId }) => orderId),
      ['o-1'],
    );
  });

  it('C-35: an order the server sends again although it was reported is only reported again', async (t) => {
    const fixture = new AgentFixture(t);
    fixture.server.orders = [orderOf('o-1')];
    await fixture.start();
    await fixture.pass(20);
    fixture.server.orders = [orderOf('o-1')];
    await fixture.pass(80);
    assert.equal(fixture.server.results.length, 2);
    assert.deepEqual(fixture.guard.effects, ['o-1']);
  });

  it('C-35: what is no order goes to the guard once, is refused with evidence, and is reported to nobody', async (t) => {
    const fixture = new AgentFixture(t);
    const hostile = [
      '',
      '{}',
      'null',
      '[]',
      '{"payload":1}',
      'x'.repeat(50_000),
      orderOf('../../x'),
      orderOf('unreadable-1'),
    ];
    let asked = 0;
    fixture.guard.order = async () => {
      asked++;
      return { orderId: null, outcome: 'rejected', code: 'ERR_ORDER_INVALID', change: null, bundleId: null };
    };
    fixture.server.orders = hostile;
    await fixture.start();
    await fixture.pass(200);
    assert.equal(asked, hostile.length);
    assert.deepEqual(fixture.server.results, []);
    assert.equal(fixture.health.status, 'healthy');
  });

  it('C-27: an order that takes long holds up neither detection nor healing', async (t) => {
    const fixture = new AgentFixture(t);
    const part = fixture.guard.add('services', 'nginx');
    fixture.guard.order = (_envelope, signal) => hang(signal);
    fixture.server.orders = [orderOf('o-1')];
    await fixture.start();
    await fixture.pass(20);
    part.broken = true;
    await fixture.pass(80);
    assert.equal(part.broken, false);
  });

  it('P-34: a rewritten log is a critical condition', async (t) => {
    const fixture = new AgentFixture(t);
    fixture.server.checkpoint = noteOf(1);
    await fixture.start();
    await fixture.pass(70);
    assert.equal(fixture.health.status, 'healthy');
    fixture.server.checkpoint = noteOf(2);
    await fixture.pass(140);
    assert.ok(fixture.conditions.includes('log-rewritten'));
    assert.equal(fixture.health.status, 'failing');
  });
});
