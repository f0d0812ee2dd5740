/**
 * An order: a request signed by the control plane and bound to one host (C-35, G-03). Carried as a
 * DSSE envelope with payload type `ORDER_PAYLOAD_TYPE` over canonical JSON of this shape.
 */
import { ID_PATTERN, type Json } from '@holdfast/core';
import { InstantSchema } from '@holdfast/evidence/statement';
import { z } from 'zod';

export const ORDER_PAYLOAD_TYPE = 'application/vnd.holdfast.order+json';

export const OrderSchema = z.strictObject({
  version: z.literal(1),
  orderId: z.string().regex(ID_PATTERN),
  orgId: z.string().regex(ID_PATTERN),
  siteId: z.string().regex(ID_PATTERN),
  hostId: z.string().regex(ID_PATTERN),
  nonce: z.string().regex(/^[A-Za-z0-9_-]{22,64}$/),
  issuedAt: InstantSchema,
  /** Seconds; T-19: 900 by default, at least 60. */
  ttlS: z.int().min(60).max(86_400),
  /** Who asked for it at the control plane: a principal id. */
  requestedBy: z.string().max(100),
  operation: z.string().max(100),
  params: z.record(z.string().max(100), z.json() as z.ZodType<Json>),
});
export type Order = z.infer<typeof OrderSchema>;
