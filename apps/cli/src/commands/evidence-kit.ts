/**
 * `holdfast evidence kit`: an auditor kit (P-32) of what the control plane holds: bundles, proofs that
 * lead to one signed checkpoint, and keys. Everything is verified before a file is written.
 */
import { EvidenceDetailSchema, EvidenceRowSchema, InclusionProofSchema, page, TrustViewSchema } from '@holdfast/api';
import { hasCode, HoldfastError } from '@holdfast/core';
import { type AuditorKit, exportKit, type KitKey } from '@holdfast/evidence';
import { setTimeout as delay } from 'node:timers/promises';
import type { z } from 'zod';
import { type OperatorClient, openOperatorClient } from '../operator-client.ts';
import type { CommandResult } from '../output.ts';
import { narrate } from '../progress.ts';

interface KitOptions {
  readonly out: string;
  readonly state: string;
  readonly host?: string | undefined;
  readonly check?: string | undefined;
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly limit: number;
  /** Of the signed checkpoint that the proofs lead to; the newest when left out. */
  readonly treeSize?: number | undefined;
}

type Row = z.infer<typeof EvidenceRowSchema>;
type Trust = z.infer<typeof TrustViewSchema>;
type Proof = z.infer<typeof InclusionProofSchema>;

/** The API's own limit of a page. */
const PAGE = 500;
/** Requests at once: each is a bundle or a proof. */
const LANES = 8;
/** A checkpoint follows new evidence within a second or two. */
const CHECKPOINT_PATIENCE_MS = 15_000;
const CHECKPOINT_LOOK_MS = 500;

export async function kit(options: KitOptions, signal: AbortSignal): Promise<CommandResult> {
  const client = openOperatorClient(options.state, process.env, signal);
  const trust = await client.get('/trust', TrustViewSchema);
  const rows = await listRows(client, trust, options);
  const newest = rows.reduce((max, { logIndex }) => Math.max(max, logIndex), -1);
  const { treeSize, checkpoint } = await awaitProof(client, newest, options.treeSize, signal);
  const bundles = await inLanes(rows, async ({ bundleId }) => fetchBundle(client, bundleId, treeSize));
  const hostIds = new Set(rows.map(({ hostId }) => hostId));
  const written = await exportKit(
    { bundles, keys: keysOf(trust, hostIds), logKey: trust.logKey, checkpoint },
    options.out,
  );
  return {
    data: {
      directory: options.out,
      bundles: bundles.length,
      hosts: [...hostIds],
      treeSize,
      logKey: trust.logKey,
      files: written,
    },
    text: [
      `${options.out}: ${bundles.length} bundle(s) of ${hostIds.size} host(s), proven to be among the first ${treeSize} entries of the log`,
      `log key ${trust.logKey}`,
      'give this key and the hosts’ keys (`holdfast server trust`) to the auditor another way than the kit',
    ].join('\n'),
  };
}

/** @throws `ERR_INPUT_INVALID` when nothing matches, or more than the limit: a kit never leaves out silently */
async function listRows(client: OperatorClient, trust: Trust, options: KitOptions): Promise<Row[]> {
  const { host, check, since, until, limit } = options;
  const hostIds = host === undefined ? [undefined] : hostIdsOf(trust, host);
  const rows: Row[] = [];
  for (const hostId of hostIds) {
    const filter = Object.entries({ hostId, check, from: since, to: until, limit: String(PAGE) });
    for (let cursor: string | null | undefined; cursor !== null;) {
      const query = new URLSearchParams(
        filter.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
      );
      if (cursor !== undefined) query.set('cursor', cursor);
      const { items, nextCursor } = await client.get(`/evidence?${query.toString()}`, page(EvidenceRowSchema));
      rows.push(...items);
      cursor = nextCursor;
      if (rows.length > limit) {
        throw new HoldfastError(
          `more than ${limit} bundles match: narrow it with --host, --check, --since, or raise --limit`,
          {
            code: 'ERR_INPUT_INVALID',
          },
        );
      }
    }
  }
  if (rows.length > 0) return rows;
  throw new HoldfastError('no evidence matches: an empty kit proves nothing', { code: 'ERR_INPUT_INVALID' });
}

/** A name may have belonged to several hosts, one after the other. */
function hostIdsOf(trust: Trust, nameOrId: string): string[] {
  const ids = trust.hosts.filter(({ name, hostId }) => name === nameOrId || hostId === nameOrId);
  if (ids.length > 0) return [...new Set(ids.map(({ hostId }) => hostId))];
  throw new HoldfastError('the control plane knows no such host', {
    code: 'ERR_INPUT_INVALID',
    fields: { host: nameOrId },
  });
}

/** Proof of the newest entry, and with it the checkpoint for all: waits for one that covers it. */
async function awaitProof(
  client: OperatorClient,
  index: number,
  treeSize: number | undefined,
  signal: AbortSignal,
): Promise<Proof> {
  const size = treeSize === undefined ? '' : `&size=${treeSize}`;
  const deadline = performance.now() + CHECKPOINT_PATIENCE_MS;
  for (;;) {
    try {
      return await client.get(`/log/proof?index=${index}${size}`, InclusionProofSchema);
    } catch (error) {
      const isMissing = hasCode(error, 'ERR_CLI_SERVER_REFUSED') && error.fields['status'] === 404;
      if (!isMissing || treeSize !== undefined || performance.now() > deadline) throw error;
      narrate('waiting for a checkpoint over the newest evidence');
      await delay(CHECKPOINT_LOOK_MS, undefined, { signal });
    }
  }
}

async function fetchBundle(
  client: OperatorClient,
  bundleId: string,
  treeSize: number,
): Promise<AuditorKit['bundles'][number]> {
  const [{ envelope }, { index, hashes }] = await Promise.all([
    client.get(`/evidence/${bundleId}`, EvidenceDetailSchema),
    client.get(`/log/proof?bundleId=${bundleId}&size=${treeSize}`, InclusionProofSchema),
  ]);
  return { bytes: new Uint8Array(Buffer.from(envelope, 'base64')), proof: { index, hashes } };
}

function keysOf(trust: Trust, hostIds: ReadonlySet<string>): KitKey[] {
  return trust.hosts
    .filter(({ hostId }) => hostIds.has(hostId))
    .map(({ hostId, publicKey, validFrom, validTo }) => ({
      hostId,
      publicKey: new Uint8Array(Buffer.from(publicKey, 'base64')),
      validity: { validFrom, validTo },
    }));
}

/** In the order of `items`, a few at a time. */
async function inLanes<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const waiting = [...items.entries()];
  const lane = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) results[next[0]] = await work(next[1]);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return results;
}
