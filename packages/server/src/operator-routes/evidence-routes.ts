/** Evidence and what proves it: rows, exact bytes, inclusion and consistency proofs, tiles, trust (W-06, P-34). */
import {
  ConsistencyProofSchema,
  EvidenceDetailSchema,
  type EvidenceRow,
  EvidenceRowSchema,
  InclusionProofSchema,
  page,
  type TrustView,
  TrustViewSchema,
} from '@holdfast/api';
import { decodeEnvelope, formatVerifierKey } from '@holdfast/crypto';
import { EVIDENCE_KINDS, InstantSchema, OUTCOMES, parseStatement } from '@holdfast/evidence';
import type { Transaction } from '@holdfast/store';
import { z } from 'zod';
import type { ServerContext } from '../context.ts';
import type { Router } from '../http/route.ts';
import {
  notFound,
  proveConsistency,
  proveInclusion,
  readCheckpoint,
  readEntries,
  readTile,
  TILE_WIDTH,
} from '../log/transparency-log.ts';
import { CursorSchema, cutPage, decodeCursor, LimitSchema } from './cursor.ts';
import type { Operator } from './sessions.ts';

const BundleParams = z.strictObject({ bundleId: z.uuid() });
const EvidenceQuery = z.strictObject({
  hostId: z.string().max(64).optional(),
  check: z.string().max(64).optional(),
  outcome: z.enum(OUTCOMES).optional(),
  kind: z.enum(EVIDENCE_KINDS).optional(),
  from: z.union([InstantSchema, z.iso.date()]).optional(),
  to: z.union([InstantSchema, z.iso.date()]).optional(),
  cursor: CursorSchema,
  limit: LimitSchema,
});
const Size = z.coerce.number().int().min(0);

type StoredRow = Omit<EvidenceRow, 'started' | 'receivedAt'> & {
  started: Date;
  receivedAt: Date;
};
interface PinnedHostRow {
  readonly hostId: string;
  readonly name: string;
  readonly keyId: string;
  readonly public_key: Uint8Array;
  readonly valid_from: Date;
  readonly valid_to: Date | null;
}
const toPinnedHost = ({ public_key, valid_from, valid_to, ...host }: PinnedHostRow): TrustView['hosts'][number] => ({
  ...host,
  publicKey: Buffer.from(public_key).toString('base64'),
  validFrom: valid_from.toISOString(),
  validTo: valid_to?.toISOString() ?? null,
});
const COLUMNS = `bundle_id AS "bundleId", host_id AS "hostId", host_name AS "hostName", kind, check_name AS check, operation, outcome, severity,
  started, received_at AS "receivedAt", late, simulated, remediation_id AS "remediationId", digest, log_index AS "logIndex"`;
const toRow = ({ started, receivedAt, ...row }: StoredRow): EvidenceRow => ({
  ...row,
  started: started.toISOString(),
  receivedAt: receivedAt.toISOString(),
});

async function listEvidence(tx: Transaction, query: z.infer<typeof EvidenceQuery>): Promise<EvidenceRow[]> {
  const after = decodeCursor(query.cursor);
  const rows = await tx.query<StoredRow>(
    `SELECT ${COLUMNS} FROM evidence
     WHERE ($1::text IS NULL OR host_id = $1) AND ($2::text IS NULL OR check_name = $2) AND ($3::text IS NULL OR outcome = $3)
       AND ($4::text IS NULL OR kind = $4) AND ($5::timestamptz IS NULL OR started >= $5) AND ($6::timestamptz IS NULL OR started < $6)
       AND ($7::timestamptz IS NULL OR (started, bundle_id) < ($7, $8::uuid))
     ORDER BY started DESC, bundle_id DESC LIMIT $9`,
    [
      query.hostId,
      query.check,
      query.outcome,
      query.kind,
      query.from,
      query.to,
      after?.[0],
      after?.[1],
      query.limit + 1,
    ].map((value) => value ?? null),
  );
  return rows.map(toRow);
}

async function readBundle(tx: Transaction, bundleId: string): Promise<{ row: StoredRow; envelope: Uint8Array }> {
  const [row] = await tx.query<StoredRow>(`SELECT ${COLUMNS} FROM evidence WHERE bundle_id = $1`, [bundleId]);
  const [exact] = await tx.query<{ envelope: Uint8Array }>('SELECT envelope FROM evidence WHERE bundle_id = $1', [
    bundleId,
  ]);
  if (row === undefined || exact === undefined) throw notFound();
  return { row, envelope: exact.envelope };
}

/** tlog-tiles: groups of three digits, all but the last behind an `x`, then `.p/<width>` for a partial tile. */
function parseTilePath(path: string): { index: number; width: number } {
  const match = /^((?:x\d{3}\/)*\d{3})(?:\.p\/(\d{1,3}))?$/.exec(path);
  const width = match?.[2] === undefined ? TILE_WIDTH : Number(match[2]);
  if (match?.[1] === undefined || width < 1 || width > TILE_WIDTH || match[1].length > 20) throw notFound();
  return { index: Number(match[1].replaceAll(/[x/]/g, '')), width };
}

export function addEvidenceRoutes(router: Router<Operator>, context: ServerContext): void {
  const { store } = context;
  router
    .add({
      method: 'GET',
      path: '/evidence',
      summary: 'Evidence, newest first',
      query: EvidenceQuery,
      response: page(EvidenceRowSchema),
      handle: async ({ principal, query }) =>
        cutPage(await store.withOrg(principal.orgId, (tx) => listEvidence(tx, query)), query.limit, (row) => [
          row.started,
          row.bundleId,
        ]),
    })
    .add({
      method: 'GET',
      path: '/evidence/:bundleId',
      summary: 'One bundle: its row, its predicate and its exact bytes',
      params: BundleParams,
      response: EvidenceDetailSchema,
      handle: async ({ principal, params }) => {
        const { row, envelope } = await store.withOrg(principal.orgId, (tx) => readBundle(tx, params.bundleId));
        const { predicate } = parseStatement(Buffer.from(decodeEnvelope(envelope).payload, 'base64'));
        return { row: toRow(row), predicate, envelope: Buffer.from(envelope).toString('base64') };
      },
    })
    .add({
      method: 'GET',
      path: '/evidence/:bundleId/bundle',
      summary: 'The exact bytes of a bundle',
      params: BundleParams,
      handle: async ({ principal, params, reply }) => {
        const { envelope } = await store.withOrg(principal.orgId, (tx) => readBundle(tx, params.bundleId));
        await reply
          .type('application/vnd.dsse.envelope.v1+json')
          .header('content-disposition', `attachment; filename="${params.bundleId}.dsse.json"`)
          .send(envelope);
      },
    })
    .add({
      method: 'GET',
      path: '/log/proof',
      summary: 'Inclusion of a leaf in a signed checkpoint',
      query: z
        .strictObject({ bundleId: z.uuid().optional(), index: Size.optional(), size: Size.optional() })
        .refine(({ bundleId, index }) => (bundleId === undefined) !== (index === undefined), { path: ['bundleId'] }),
      response: InclusionProofSchema,
      handle: ({ principal, query }) => store.withOrg(principal.orgId, (tx) => proveInclusion(tx, query, query.size)),
    })
    .add({
      method: 'GET',
      path: '/log/consistency',
      summary: 'Proof that a smaller tree is the beginning of a larger one',
      query: z.strictObject({ from: Size, to: Size }),
      response: ConsistencyProofSchema,
      handle: ({ principal, query }) =>
        store.withOrg(principal.orgId, (tx) => proveConsistency(tx, query.from, query.to)),
    })
    .add({
      method: 'GET',
      path: '/log/:orgId/checkpoint',
      summary: 'Newest checkpoint of the log (C2SP tlog-tiles)',
      params: z.strictObject({ orgId: z.string() }),
      handle: async ({ principal, params, reply }) => {
        if (params.orgId !== principal.orgId) throw notFound();
        const checkpoint = await store.withOrg(principal.orgId, (tx) => readCheckpoint(tx));
        if (checkpoint === undefined) throw notFound();
        await reply.type('text/plain; charset=utf-8').header('cache-control', 'no-cache').send(checkpoint.note);
      },
    })
    .add({
      method: 'GET',
      path: '/log/:orgId/tile/:level/*',
      summary: 'A tile of hashes, or of entries (C2SP tlog-tiles)',
      params: z.strictObject({
        orgId: z.string(),
        level: z.union([z.literal('entries'), z.string().regex(/^[0-7]$/)]),
        '*': z.string(),
      }),
      handle: async ({ principal, params, reply }) => {
        if (params.orgId !== principal.orgId) throw notFound();
        const { index, width } = parseTilePath(params['*']);
        const bytes = await store.withOrg(principal.orgId, (tx) =>
          params.level === 'entries' ? readEntries(tx, index, width) : readTile(tx, Number(params.level), index, width),
        );
        await reply
          .type('application/octet-stream')
          .header('cache-control', 'private, max-age=31536000, immutable')
          .send(bytes);
      },
    })
    .add({
      method: 'GET',
      path: '/trust',
      summary: 'What a verifier needs to pin',
      response: TrustViewSchema,
      handle: async ({ principal }) => {
        const rows = await store.withOrg(principal.orgId, (tx) =>
          tx.query<PinnedHostRow>(
            `SELECT host_id AS "hostId", h.name, k.key_id AS "keyId", k.public_key, k.valid_from, k.valid_to
             FROM host_keys k JOIN hosts h USING (org_id, host_id) ORDER BY h.name, k.valid_from`,
          ),
        );
        const logOrigin = context.logOrigin(principal.orgId);
        return {
          logOrigin,
          logKey: formatVerifierKey(logOrigin, context.keys.log.publicKey),
          keys: [...context.pinnedKeys],
          hosts: rows.map(toPinnedHost),
        };
      },
    });
}
