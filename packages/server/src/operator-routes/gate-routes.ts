/** Release gates: publish a bundle, list gates, look at one, take its bundle along (W-09). */
import {
  GateIdSchema,
  GateRowSchema,
  GateUploadSchema,
  GateViewSchema,
  MAX_GATE_BUNDLE_BYTES,
  page,
} from '@holdfast/api';
import { z } from 'zod';
import { nowOf, type ServerContext } from '../context.ts';
import { toGateRow, toGateView } from '../gates/describe-gate.ts';
import {
  assessGate,
  listGates,
  type OpenedBundles,
  readBundle,
  readGate,
  receiveBundle,
} from '../gates/published-gates.ts';
import type { Router } from '../http/route.ts';
import { appendEvents } from '../live/events.ts';
import { notFound } from '../log/transparency-log.ts';
import type { Operator } from './sessions.ts';

/** base64 makes four characters of three bytes; the rest is for pins. */
const UPLOAD_LIMIT = Math.ceil((MAX_GATE_BUNDLE_BYTES * 4) / 3) + 4 * 1024 * 1024;
const GateParams = z.strictObject({ gate: GateIdSchema });

export function addGateRoutes(router: Router<Operator>, context: ServerContext, opened: OpenedBundles): void {
  const { store } = context;
  router
    .add({
      method: 'POST',
      path: '/gates',
      summary: 'Publish a bundle of a release gate; the first one pins its keys',
      body: GateUploadSchema,
      response: z.strictObject({ gate: GateIdSchema }),
      bodyLimit: UPLOAD_LIMIT,
      handle: ({ principal: { orgId }, body }) =>
        store.withOrg(orgId, async (tx) => {
          const now = nowOf(context);
          const gate = await receiveBundle(tx, Buffer.from(body.bundle, 'base64'), body.pins, { orgId, now });
          await appendEvents(tx, orgId, [{ kind: 'gate', hostId: null, id: gate }], now);
          return { gate };
        }),
    })
    .add({
      method: 'GET',
      path: '/gates',
      summary: 'Release gates, with what their last verdict is worth now',
      response: page(GateRowSchema),
      handle: ({ principal }) =>
        store.withOrg(principal.orgId, async (tx) => {
          const gates = await listGates(tx, opened);
          const items = gates.map((gate) => toGateRow(gate, assessGate(gate, context.clock.wallMs())));
          return { items, nextCursor: null };
        }),
    })
    .add({
      method: 'GET',
      path: '/gates/:gate',
      summary: 'One release gate: board, evidence, findings, dates, verdicts, and why',
      params: GateParams,
      response: GateViewSchema,
      handle: ({ principal, params }) =>
        store.withOrg(principal.orgId, async (tx) => {
          const gate = await readGate(tx, opened, params.gate);
          if (gate === undefined) throw notFound();
          return toGateView(gate, assessGate(gate, context.clock.wallMs()));
        }),
    })
    .add({
      method: 'GET',
      path: '/gates/:gate/bundle',
      summary: 'The newest bundle, as it was published',
      params: GateParams,
      handle: async ({ principal, params, reply }) => {
        const bytes = await store.withOrg(principal.orgId, async (tx) => {
          const gate = await readGate(tx, opened, params.gate);
          if (gate === undefined) throw notFound();
          return readBundle(tx, params.gate, gate.digest);
        });
        await reply
          .type('application/x-tar')
          .header('content-disposition', `attachment; filename="${params.gate}.tar"`)
          .send(bytes);
      },
    });
}
