/** Signed orders over the real socket (C-35, G-03, G-06, P-26). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Order, ORDER_PAYLOAD_TYPE } from '@holdfast/api';
import type { JsonObject } from '@holdfast/core';
import { signerFromSeed } from '@holdfast/crypto';
import { needs } from '@holdfast/testing';
import { recoverGuard } from '../src/index.ts';
import {
  listEvidence,
  makeOrder,
  makeSite,
  OPERATIONS,
  signOrder,
  start,
  TEST_POLICY,
  type TestSite,
} from './harness.ts';

const never = new AbortController().signal;
const STRANGER = signerFromSeed(Buffer.alloc(32, 9));
const ago = (ms: number): string => new Date(Date.now() - ms).toISOString();

describe('an order', needs('linux'), () => {
  it('C-35: has one effect and one report, however often it comes, also after a restart', async (t) => {
    const site = await makeSite(t);
    const first = await start(t, site);
    const order = makeOrder(site);
    const envelope = signOrder(order);
    const reports = await Promise.all(Array.from({ length: 10 }, async () => first.client.order(envelope)));
    assert.ok(reports.every(({ outcome, bundleId }) => outcome === 'done' && bundleId === reports[0]!.bundleId));
    assert.equal((await first.client.changes(100)).length, 1);
    await first.stop();
    await site.deps.host.files.remove('/etc/motd', never);
    const { client, stop } = await start(t, site);
    assert.deepEqual(await client.order(envelope), reports[0]);
    assert.equal((await site.deps.host.files.stat('/etc/motd', never)).kind, 'missing');
    await stop();
    const evidence = await listEvidence(site);
    assert.equal(evidence.length, 1);
    const { predicate } = evidence[0]!.statement;
    assert.deepEqual(
      [predicate.orderId, predicate.principal, predicate.outcome],
      [order.orderId, 'control-plane', 'committed'],
    );
  });

  const refused: {
    name: string;
    envelope: (site: TestSite) => string;
    outcome: string;
    code: string;
    isKnown: boolean;
  }[] = [
    { name: 'no envelope', envelope: () => 'hello', outcome: 'rejected', code: 'ERR_ORDER_FIELDS', isKnown: false },
    {
      name: 'another payload type',
      envelope: (site) => signOrder(makeOrder(site), undefined, `${ORDER_PAYLOAD_TYPE}x`),
      outcome: 'rejected',
      code: 'ERR_ORDER_FIELDS',
      isKnown: false,
    },
    {
      name: 'an unknown field',
      envelope: (site) => signOrder({ ...makeOrder(site), sudo: true }),
      outcome: 'rejected',
      code: 'ERR_ORDER_FIELDS',
      isKnown: false,
    },
    {
      name: 'a missing field',
      envelope: (site) => signOrder(without(makeOrder(site), 'nonce')),
      outcome: 'rejected',
      code: 'ERR_ORDER_FIELDS',
      isKnown: false,
    },
    {
      name: 'a signature by a stranger',
      envelope: (site) => signOrder(makeOrder(site), STRANGER),
      outcome: 'rejected',
      code: 'ERR_ORDER_SIGNATURE',
      isKnown: false,
    },
    {
      name: 'a changed byte',
      envelope: (site) => tamper(signOrder(makeOrder(site))),
      outcome: 'rejected',
      code: 'ERR_ORDER_SIGNATURE',
      isKnown: false,
    },
    {
      name: 'a time to live that is over',
      envelope: (site) => signOrder(makeOrder(site, { issuedAt: ago(61_000), ttlS: 60 })),
      outcome: 'expired',
      code: 'ERR_ORDER_EXPIRED',
      isKnown: true,
    },
    {
      name: 'an issue time in the future',
      envelope: (site) => signOrder(makeOrder(site, { issuedAt: ago(-600_000) })),
      outcome: 'rejected',
      code: 'ERR_ORDER_NOT_YET',
      isKnown: true,
    },
    {
      name: 'another host',
      envelope: (site) => signOrder(makeOrder(site, { hostId: 'host-2' })),
      outcome: 'rejected',
      code: 'ERR_ORDER_WRONG_HOST',
      isKnown: true,
    },
    {
      name: 'another site',
      envelope: (site) => signOrder(makeOrder(site, { siteId: 'paris' })),
      outcome: 'rejected',
      code: 'ERR_ORDER_WRONG_HOST',
      isKnown: true,
    },
    {
      name: 'another org',
      envelope: (site) => signOrder(makeOrder(site, { orgId: 'evil' })),
      outcome: 'rejected',
      code: 'ERR_ORDER_WRONG_HOST',
      isKnown: true,
    },
    {
      name: 'an operation the host does not grant',
      envelope: (site) => signOrder(makeOrder(site, { operation: 'test.disrupt', params: {} })),
      outcome: 'rejected',
      code: 'ERR_ORDER_NOT_ALLOWED',
      isKnown: true,
    },
    {
      name: 'parameters that do not parse',
      envelope: (site) => signOrder(makeOrder(site, { params: { path: 'etc' } })),
      outcome: 'rejected',
      code: 'ERR_ORDER_PARAMS',
      isKnown: true,
    },
  ];
  it('C-35: each refusal says which check failed first, changes nothing, and makes evidence once', async (t) => {
    const site = await makeSite(t);
    for (const { name, envelope, outcome, code, isKnown } of refused) {
      const { client, stop } = await start(t, site); // a fresh one: refusals are limited
      const text = envelope(site);
      const before = (await listEvidence(site)).length;
      const report = await client.order(text);
      assert.deepEqual(
        [report.outcome, report.code, report.change, report.orderId !== null],
        [outcome, code, null, isKnown],
        name,
      );
      if (isKnown) assert.deepEqual(await client.order(text), report, name);
      assert.deepEqual(await client.changes(10), [], name);
      await stop();
      const made = (await listEvidence(site)).slice(before);
      assert.deepEqual(
        made.map(({ bundleId, kind, outcome }) => [bundleId, kind, outcome]),
        [[report.bundleId, 'order', outcome]],
        name,
      );
    }
  });

  it('C-35: a nonce counts once, and an order id stands for one order', async (t) => {
    const site = await makeSite(t);
    const { client } = await start(t, site);
    const order = makeOrder(site);
    const done = await client.order(signOrder(order));
    const sameNonce = await client.order(signOrder({ ...makeOrder(site), nonce: order.nonce }));
    assert.deepEqual([sameNonce.outcome, sameNonce.code], ['rejected', 'ERR_ORDER_REPLAYED']);
    const sameId = await client.order(signOrder({ ...makeOrder(site), orderId: order.orderId }));
    assert.deepEqual([sameId.outcome, sameId.code], ['rejected', 'ERR_ORDER_REPLAYED']);
    assert.deepEqual(await client.order(signOrder(order)), done);
  });

  it('P-04: a key counts only in its interval and for its purpose', async (t) => {
    const site = await makeSite(t);
    for (const change of [{ validTo: ago(1_000) }, { validFrom: ago(-100_000) }, { purposes: ['baseline' as const] }]) {
      const trust = { ...site.trust, keys: site.trust.keys.map((key) => Object.assign({}, key, change)) };
      const { client, stop } = await start(t, site, { config: { trust } });
      assert.equal((await client.order(signOrder(makeOrder(site)))).code, 'ERR_ORDER_SIGNATURE');
      await stop();
    }
  });

  it('C-35: a disruptive one outside of the window is deferred', async (t) => {
    const policy = TEST_POLICY.replace(
      'principals = ["root"]\noperations = ["test.*"',
      'principals = ["root", "control-plane"]\noperations = ["test.*"',
    ).replace('00:00-24:00 UTC', '00:00-00:01 UTC');
    const site = await makeSite(t, policy);
    const { client } = await start(t, site);
    const inside = new Date().getUTCHours() === 0 && new Date().getUTCMinutes() <= 1;
    const report = await client.order(signOrder(makeOrder(site, { operation: 'test.disrupt', params: {} })));
    assert.equal(report.outcome, inside ? 'done' : 'deferred');
  });

  it('P-15: one that awaits confirmation is running, and its report follows the change', async (t) => {
    const site = await makeSite(t);
    const { client, stop } = await start(t, site);
    const envelope = signOrder(makeOrder(site, { operation: 'firewall.restore', params: { path: '/etc/fw' } }));
    const running = await client.order(envelope);
    assert.deepEqual([running.outcome, running.change?.state], ['running', 'awaiting-confirmation']);
    await stop();
    await recoverGuard(site.config, { ...site.deps, bootId: 'another-boot' }, never);
    const after = await start(t, site);
    const report = await after.client.order(envelope);
    assert.deepEqual([report.outcome, report.change?.outcome], ['reverted', 'reverted']);
    assert.ok(report.bundleId);
  });

  it('C-35: one whose change never began is reported as failed, and stays so', async (t) => {
    const site = await makeSite(t);
    const order = makeOrder(site);
    // The engine does not get to journal the change.
    const operations = new Map(OPERATIONS);
    operations.set('files.restore', {
      ...operations.get('files.restore')!,
      resources: () => {
        throw new Error('not now');
      },
    });
    const broken = await start(t, site, {
      deps: { loadBaseline: async () => ({ ...(await site.deps.loadBaseline()), operations }) },
    });
    const report = await broken.client.order(signOrder(order));
    assert.equal(report.outcome, 'failed');
    await broken.stop();
    const { client } = await start(t, site);
    assert.deepEqual(await client.order(signOrder(order)), report);
  });
});

function without(order: Order, key: keyof Order): JsonObject {
  return Object.fromEntries(Object.entries(order).filter(([name]) => name !== key)) as JsonObject;
}

/** Another value of the same length inside the signed payload. */
function tamper(envelope: string): string {
  const parsed = JSON.parse(envelope) as { payload: string };
  const payload = Buffer.from(parsed.payload, 'base64').toString().replace('/etc/motd', '/etc/mote');
  return envelope.replace(parsed.payload, Buffer.from(payload).toString('base64'));
}
