/** Orders and enrolment tokens: the two things an operator makes (T-18, T-19). */
import {
  EnrollmentTokenRequestSchema,
  EnrollmentTokenSchema,
  type Order,
  ORDER_PAYLOAD_TYPE,
  OrderRequestSchema,
  OrderSchema,
  type OrderView,
  OrderViewSchema,
  page,
} from '@holdfast/api';
import { canonicalJson, formatUuidV7, HoldfastError } from '@holdfast/core';
import { encodeEnvelope, signEnvelope } from '@holdfast/crypto';
import type { Transaction } from '@holdfast/store';
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { createEnrollmentToken } from '../agent-routes/enrollment.ts';
import { nowOf, type ServerContext } from '../context.ts';
import type { Router } from '../http/route.ts';
import { appendEvents } from '../live/events.ts';
import { notFound } from '../log/transparency-log.ts';
import { CursorSchema, cutPage, decodeCursor, LimitSchema } from './cursor.ts';
import type { Operator } from './sessions.ts';

type StoredOrder = Omit<OrderView, 'createdAt' | 'updatedAt'> & { createdAt: Date; updatedAt: Date };
const COLUMNS = `order_id AS "orderId", host_id AS "hostId", operation, params, state, code, requested_by AS "requestedBy",
  created_at AS "createdAt", updated_at AS "updatedAt", bundle_id AS "bundleId"`;
const toView = (row: StoredOrder): OrderView => ({
  ...row,
  createdAt: row.createdAt.toISOString(),
  updatedAt: row.updatedAt.toISOString(),
});

async function createOrder(
  context: ServerContext,
  tx: Transaction,
  operator: Operator,
  request: z.infer<typeof OrderRequestSchema>,
): Promise<OrderView> {
  const { orgId, subject } = operator;
  const now = nowOf(context);
  const [host] = await tx.query<{ site_id: string }>(
    'SELECT site_id FROM hosts WHERE host_id = $1 AND deleted_at IS NULL',
    [request.hostId],
  );
  if (host === undefined) throw notFound();
  const parsed = OrderSchema.safeParse({
    version: 1,
    orderId: formatUuidV7(now.getTime(), randomBytes(10)),
    orgId,
    siteId: host.site_id,
    hostId: request.hostId,
    nonce: randomBytes(18).toString('base64url'),
    issuedAt: now.toISOString(),
    ttlS: request.ttlS,
    requestedBy: subject,
    operation: request.operation,
    params: request.params,
  } satisfies Record<keyof Order, unknown>);
  if (!parsed.success)
    throw new HoldfastError('not an order', { code: 'ERR_INPUT_INVALID', fields: { paths: 'params' } });
  const order = parsed.data;
  const envelope = Buffer.from(
    encodeEnvelope(signEnvelope(ORDER_PAYLOAD_TYPE, Buffer.from(canonicalJson(order)), [context.keys.order])),
  ).toString();
  const [row] = await tx.query<StoredOrder>(
    `INSERT INTO orders (org_id, order_id, host_id, operation, params, envelope, state, requested_by, created_at, updated_at, expires_at)
     VALUES ($1, $2, $3, $4, $5, $6, 'queued', $7, $8, $8, $9) RETURNING ${COLUMNS}`,
    [
      orgId,
      order.orderId,
      order.hostId,
      order.operation,
      JSON.stringify(order.params),
      envelope,
      subject,
      now,
      new Date(now.getTime() + order.ttlS * 1_000),
    ],
  );
  if (row === undefined) throw new TypeError('an insert returned no row');
  await appendEvents(tx, orgId, [{ kind: 'order', hostId: order.hostId, id: order.orderId }], now);
  return toView(row);
}

/** One shell word. */
const quote = (text: string): string =>
  /^[\w./:@=-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;

export function addOrderRoutes(router: Router<Operator>, context: ServerContext): void {
  router
    .add({
      method: 'POST',
      path: '/orders',
      summary: 'Order an operation on a host',
      body: OrderRequestSchema,
      response: OrderViewSchema,
      handle: ({ principal, body }) =>
        context.store.withOrg(principal.orgId, (tx) => createOrder(context, tx, principal, body)),
    })
    .add({
      method: 'GET',
      path: '/orders',
      summary: 'Orders, newest first',
      query: z.strictObject({ hostId: z.string().max(64).optional(), cursor: CursorSchema, limit: LimitSchema }),
      response: page(OrderViewSchema),
      handle: async ({ principal, query }) => {
        const after = decodeCursor(query.cursor);
        const rows = await context.store.withOrg(principal.orgId, (tx) =>
          tx.query<StoredOrder>(
            `SELECT ${COLUMNS} FROM orders WHERE ($1::text IS NULL OR host_id = $1)
               AND ($2::timestamptz IS NULL OR (created_at, order_id) < ($2, $3)) ORDER BY created_at DESC, order_id DESC LIMIT $4`,
            [query.hostId ?? null, after?.[0] ?? null, after?.[1] ?? null, query.limit + 1],
          ),
        );
        return cutPage(rows.map(toView), query.limit, ({ createdAt, orderId }) => [createdAt, orderId]);
      },
    })
    .add({
      method: 'POST',
      path: '/enrollment-tokens',
      summary: 'Make a one-time enrolment token; shown once',
      body: EnrollmentTokenRequestSchema,
      response: EnrollmentTokenSchema,
      handle: async ({ principal, body }) => {
        const { token, expiresAt } = await createEnrollmentToken(context, principal.orgId, principal.subject, body);
        const serverUrl = context.agentUrl();
        return {
          token,
          serverUrl,
          expiresAt: expiresAt.toISOString(),
          // Through a pipe from the shell's own printf: a token never stands in an argument list.
          command: `printf %s ${quote(token)} | sudo holdfast enroll --server ${quote(serverUrl)} --token-file -`,
        };
      },
    });
}
