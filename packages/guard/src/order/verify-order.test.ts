import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ORDER_PAYLOAD_TYPE, type Order, type PinnedKey } from '@holdfast/api';
import { canonicalJson, type JsonObject } from '@holdfast/core';
import { encodeEnvelope, signEnvelope, signerFromSeed } from '@holdfast/crypto';
import * as fc from 'fast-check';
import { MAX_ORDER_AHEAD_MS, type OrderContext, verifyOrder } from './verify-order.ts';

const SIGNER = signerFromSeed(Buffer.alloc(32, 1));
const STRANGER = signerFromSeed(Buffer.alloc(32, 2));
const NOW_MS = Date.UTC(2026, 0, 2);
const KEY: PinnedKey = {
  keyId: SIGNER.keyId,
  publicKey: Buffer.from(SIGNER.publicKey).toString('base64'),
  purposes: ['order'],
  validFrom: '2026-01-01T00:00:00.000Z',
  validTo: null,
};
const ORDER: Order = {
  version: 1,
  orderId: 'order-1',
  orgId: 'acme',
  siteId: 'berlin',
  hostId: 'host-1',
  nonce: 'n'.repeat(22),
  issuedAt: new Date(NOW_MS).toISOString(),
  ttlS: 60,
  requestedBy: 'user-1',
  operation: 'files.restore',
  params: {},
};
const CONTEXT: OrderContext = {
  wallMs: NOW_MS,
  orgId: 'acme',
  siteId: 'berlin',
  hostId: 'host-1',
  keys: [KEY],
  isNonceSeen: () => false,
  decide: () => ({ effect: 'allow', rule: 'r', reasons: ['r'] }),
  areParamsValid: () => true,
};

function seal(order: JsonObject, signer = SIGNER): string {
  const envelope = signEnvelope(ORDER_PAYLOAD_TYPE, Buffer.from(canonicalJson(order)), [signer]);
  return Buffer.from(encodeEnvelope(envelope)).toString();
}

function codeOf(text: string, context: Partial<OrderContext> = {}): string {
  const verdict = verifyOrder(text, { ...CONTEXT, ...context });
  return verdict.ok ? 'ok' : `${verdict.outcome} ${verdict.code}`;
}

describe('verifyOrder', () => {
  it('C-35: with everything wrong, mending one thing at a time shows the checks in their order', () => {
    let order: JsonObject = { ...ORDER, extra: 1, hostId: 'host-2', issuedAt: '2026-01-01T12:00:00.000Z' };
    let signer = STRANGER;
    let context: Partial<OrderContext> = {
      isNonceSeen: () => true,
      decide: () => ({ effect: 'deny', rule: null, reasons: ['no'] }),
      areParamsValid: () => false,
    };
    const mends: [string, () => void][] = [
      [
        'rejected ERR_ORDER_FIELDS',
        () => (order = { ...ORDER, hostId: 'host-2', issuedAt: '2026-01-01T12:00:00.000Z' }),
      ],
      ['rejected ERR_ORDER_SIGNATURE', () => (signer = SIGNER)],
      ['expired ERR_ORDER_EXPIRED', () => (order = { ...ORDER, hostId: 'host-2' })],
      ['rejected ERR_ORDER_REPLAYED', () => (context = { ...context, isNonceSeen: () => false })],
      ['rejected ERR_ORDER_WRONG_HOST', () => (order = { ...ORDER })],
      ['rejected ERR_ORDER_NOT_ALLOWED', () => (context = { areParamsValid: () => false })],
      ['rejected ERR_ORDER_PARAMS', () => (context = {})],
    ];
    for (const [want, mend] of mends) {
      assert.equal(codeOf(seal(order, signer), context), want);
      mend();
    }
    assert.equal(codeOf(seal(order, signer), context), 'ok');
  });

  it('C-35: the last millisecond of the time to live is inside, the next is not', () => {
    assert.equal(codeOf(seal({ ...ORDER }), { wallMs: NOW_MS + 59_999 }), 'ok');
    assert.equal(codeOf(seal({ ...ORDER }), { wallMs: NOW_MS + 60_000 }), 'expired ERR_ORDER_EXPIRED');
    assert.equal(codeOf(seal({ ...ORDER }), { wallMs: NOW_MS - MAX_ORDER_AHEAD_MS }), 'ok');
    assert.equal(codeOf(seal({ ...ORDER }), { wallMs: NOW_MS - MAX_ORDER_AHEAD_MS - 1 }), 'rejected ERR_ORDER_NOT_YET');
  });

  it('G-03: no pinned key, no order', () => {
    assert.equal(codeOf(seal({ ...ORDER }), { keys: [] }), 'rejected ERR_ORDER_SIGNATURE');
    assert.equal(codeOf(seal({ ...ORDER }), { keys: [{ ...KEY, publicKey: '' }] }), 'rejected ERR_ORDER_SIGNATURE');
  });

  it('G-03: any change of any byte is refused, and nothing throws', () => {
    const text = seal({ ...ORDER });
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.integer({ min: 32, max: 126 }), (at, byte) => {
        const changed = text.slice(0, at) + String.fromCharCode(byte) + text.slice(at + 1);
        assert.equal(verifyOrder(changed, CONTEXT).ok, changed === text);
      }),
    );
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (other) => assert.equal(verifyOrder(other, CONTEXT).ok, false)),
    );
  });
});
