/**
 * Whether an order is one to carry out (C-35, G-03). Pure: what is pinned, what was seen and what the
 * time is are arguments. The checks are made in the order C-35 gives, and the first that fails is the answer.
 */
import { ORDER_PAYLOAD_TYPE, type Order, OrderSchema, type PinnedKey } from '@holdfast/api';
import { canonicalJson, type ErrorCode, type JsonObject } from '@holdfast/core';
import { decodeBase64, decodeEnvelope, type Envelope, isKeyValidAt, verifyEnvelope } from '@holdfast/crypto';
import type { Decision } from '@holdfast/policy';

/** How far ahead of ours the control plane's wall clock may be. */
export const MAX_ORDER_AHEAD_MS = 120_000;

export interface OrderContext {
  readonly wallMs: number;
  readonly orgId: string;
  readonly siteId: string;
  readonly hostId: string;
  readonly keys: readonly PinnedKey[];
  /** Whether an accepted order carried the nonce before; must answer true when nobody can tell. */
  readonly isNonceSeen: (nonce: string) => boolean;
  readonly decide: (order: Order) => Decision;
  readonly areParamsValid: (operation: string, params: JsonObject) => boolean;
}

export type OrderRefusal = {
  readonly ok: false;
  readonly outcome: 'rejected' | 'expired';
  readonly code: ErrorCode;
  /** Present once the signature was verified: only then it is anybody's. */
  readonly order?: Order;
  readonly decision?: Decision;
};
export type OrderVerdict = { readonly ok: true; readonly order: Order; readonly decision: Decision } | OrderRefusal;

const rejected = (code: ErrorCode, more: Pick<OrderRefusal, 'order' | 'decision'> = {}): OrderRefusal => ({
  ok: false,
  outcome: 'rejected',
  code,
  ...more,
});

function parseOrder(payload: Uint8Array): Order | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(payload);
    const value: unknown = JSON.parse(text);
    const parsed = OrderSchema.safeParse(value);
    // One order, one text: repeated members would let two readers see two orders.
    return parsed.success && canonicalJson(parsed.data) === text ? parsed.data : undefined;
  } catch {
    return undefined; // the texts of these errors quote the payload
  }
}

/** Fields, then signature: what can be said before anything is remembered or looked up. */
export function readOrder(
  envelopeText: string,
  context: Pick<OrderContext, 'keys' | 'wallMs'>,
): { readonly ok: true; readonly order: Order } | OrderRefusal {
  let envelope: Envelope;
  try {
    envelope = decodeEnvelope(Buffer.from(envelopeText, 'utf8'));
  } catch {
    return rejected('ERR_ORDER_FIELDS');
  }
  const payload = decodeBase64(envelope.payload);
  if (envelope.payloadType !== ORDER_PAYLOAD_TYPE || payload === undefined || parseOrder(payload) === undefined) {
    return rejected('ERR_ORDER_FIELDS');
  }
  const keys = context.keys
    .filter((key) => key.purposes.includes('order') && isKeyValidAt(key, context.wallMs))
    .map((key) => decodeBase64(key.publicKey))
    .filter((key) => key?.length === 32);
  try {
    // Acted on are only the bytes that were verified.
    const order = parseOrder(
      verifyEnvelope(envelope, { payloadType: ORDER_PAYLOAD_TYPE, keys: keys as Uint8Array[] }).payload,
    );
    return order === undefined ? rejected('ERR_ORDER_FIELDS') : { ok: true, order };
  } catch {
    return rejected('ERR_ORDER_SIGNATURE');
  }
}

/** The rest of C-35, on an order whose signature was verified. */
export function checkOrder(order: Order, context: OrderContext): OrderVerdict {
  const issuedMs = Date.parse(order.issuedAt);
  if (context.wallMs >= issuedMs + order.ttlS * 1_000) {
    return { ok: false, outcome: 'expired', code: 'ERR_ORDER_EXPIRED', order };
  }
  if (issuedMs > context.wallMs + MAX_ORDER_AHEAD_MS) return rejected('ERR_ORDER_NOT_YET', { order });
  if (context.isNonceSeen(order.nonce)) return rejected('ERR_ORDER_REPLAYED', { order });
  if (order.orgId !== context.orgId || order.siteId !== context.siteId || order.hostId !== context.hostId) {
    return rejected('ERR_ORDER_WRONG_HOST', { order });
  }
  const decision = context.decide(order);
  if (decision.effect !== 'allow') return rejected('ERR_ORDER_NOT_ALLOWED', { order, decision });
  if (!context.areParamsValid(order.operation, order.params)) return rejected('ERR_ORDER_PARAMS', { order, decision });
  return { ok: true, order, decision };
}

/** All of C-35. Never throws. */
export function verifyOrder(envelopeText: string, context: OrderContext): OrderVerdict {
  const read = readOrder(envelopeText, context);
  return read.ok ? checkOrder(read.order, context) : read;
}
