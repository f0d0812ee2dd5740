/**
 * Drains the queue to the server in batches, oldest first (C-33). A batch that breaks off is sent
 * again whole: the server is idempotent by bundle id. A batch the server refuses as such is halved
 * until the one bundle is found that it refuses, so that no bundle holds up the others.
 */
import { open } from 'node:fs/promises';
import { isAbsolute, join, relative, resolve } from 'node:path';
import { type IngestResult, MAX_INGEST_BUNDLES, MAX_INGEST_BYTES } from '@holdfast/api';
import { hasCode } from '@holdfast/core';
import type { HealthRegistry } from './health.ts';
import type { ServerPort } from './ports.ts';
import { EVIDENCE_UNREADABLE, type Queue, type QueuedBundle, type Settlement } from './queue.ts';

/** Keys, quotes and the id around each base64 envelope. */
const OVERHEAD_BYTES = 100;
/** The largest bundle that fits in a request alone: base64 takes four bytes for three. */
const MAX_BUNDLE_BYTES = Math.floor(((MAX_INGEST_BYTES - 2 * OVERHEAD_BYTES) * 3) / 4) - 3;

interface Upload {
  readonly bundleId: string;
  /** base64 of the exact bytes. */
  readonly envelope: string;
}

export interface UploaderDeps {
  readonly queue: Queue;
  readonly server: Pick<ServerPort, 'upload'>;
  readonly health: HealthRegistry;
  /** Where the guard keeps evidence; nothing outside is ever read. */
  readonly evidenceDirectory: string;
}

type Loaded = { readonly upload: Upload } | { readonly settlement: Settlement };

async function readCapped(path: string): Promise<Buffer | 'too-large'> {
  await using file = await open(path, 'r');
  const { size } = await file.stat();
  return size > MAX_BUNDLE_BYTES ? 'too-large' : await file.readFile();
}

async function loadBundle({ bundleId, path }: QueuedBundle, directory: string): Promise<Loaded> {
  const full = isAbsolute(path) ? path : join(directory, path);
  const inside = relative(directory, resolve(full));
  if (inside.startsWith('..') || isAbsolute(inside)) return { settlement: { bundleId, kind: 'lost' } };
  try {
    const bytes = await readCapped(full);
    if (bytes === 'too-large') {
      return { settlement: { bundleId, kind: 'refused', code: 'ERR_AGENT_PROTOCOL', final: true } };
    }
    return { upload: { bundleId, envelope: bytes.toString('base64') } };
  } catch (error) {
    // Only an absent file is lost; one that cannot be read now (EACCES, EIO, EMFILE) may be readable later.
    const isMissing = typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT';
    return {
      settlement: isMissing ? { bundleId, kind: 'lost' } : { bundleId, kind: 'retry', code: EVIDENCE_UNREADABLE },
    };
  }
}

/** As many uploads from the front as fit in one request; at least one. */
function fitting(uploads: readonly Upload[]): number {
  let bytes = OVERHEAD_BYTES;
  const tooMany = uploads.findIndex(({ envelope }, index) => {
    bytes += envelope.length + OVERHEAD_BYTES;
    return index > 0 && bytes > MAX_INGEST_BYTES;
  });
  return tooMany === -1 ? uploads.length : tooMany;
}

function settlementOf({ bundleId }: Upload, result: IngestResult | undefined): Settlement {
  // A bundle the server does not mention was not judged.
  if (result === undefined) return { bundleId, kind: 'retry', code: null };
  const { index, leafHash, promise, code } = result;
  switch (result.status) {
    case 'accepted':
    case 'duplicate':
      return { bundleId, kind: 'uploaded', receipt: { index, leafHash, promise } };
    case 'conflict':
      return { bundleId, kind: 'refused', code: code ?? 'conflict', final: true };
    case 'rejected':
      return { bundleId, kind: 'refused', code: code ?? 'rejected', final: false };
    case 'retry':
    default:
      return { bundleId, kind: 'retry', code };
  }
}

/** @throws what the client throws, but for a refusal of single bundles */
async function sendBatch(deps: UploaderDeps, uploads: readonly Upload[], signal: AbortSignal): Promise<Settlement[]> {
  try {
    const results = new Map((await deps.server.upload(uploads, signal)).map((result) => [result.bundleId, result]));
    return uploads.map((upload) => settlementOf(upload, results.get(upload.bundleId)));
  } catch (error) {
    const first = uploads[0];
    if (!hasCode(error, 'ERR_AGENT_PROTOCOL') || first === undefined) throw error;
    const { status } = error.fields;
    // Only a 4xx judges the batch; an answer that does not parse judges the server.
    if (typeof status !== 'number') throw error;
    if (uploads.length === 1)
      return [{ bundleId: first.bundleId, kind: 'refused', code: `HTTP_${status}`, final: false }];
    const half = Math.ceil(uploads.length / 2);
    const front = await sendBatch(deps, uploads.slice(0, half), signal);
    return [...front, ...(await sendBatch(deps, uploads.slice(half), signal))];
  }
}

const uploadedIn = (settlements: readonly Settlement[]): number =>
  settlements.filter(({ kind }) => kind === 'uploaded').length;

/**
 * Uploads until nothing is due.
 *
 * @throws the client's error that ended it; what was not settled is pending again, and no try was counted
 */
export async function drainQueue(deps: UploaderDeps, signal: AbortSignal): Promise<void> {
  const { queue, health } = deps;
  for (;;) {
    const claimed = queue.claim(MAX_INGEST_BUNDLES);
    if (claimed.length === 0) break;
    const loaded = await Promise.all(claimed.map((bundle) => loadBundle(bundle, deps.evidenceDirectory)));
    const uploads = loaded.flatMap((entry) => ('upload' in entry ? [entry.upload] : []));
    const settlements = loaded.flatMap((entry) => ('settlement' in entry ? [entry.settlement] : []));
    const count = fitting(uploads);
    const release = (left: readonly Upload[]): void => {
      for (const { bundleId } of left) settlements.push({ bundleId, kind: 'released' });
    };
    try {
      signal.throwIfAborted();
      const batch = uploads.slice(0, count);
      if (batch.length > 0) settlements.push(...(await sendBatch(deps, batch, signal)));
      release(uploads.slice(count));
    } catch (error) {
      release(uploads);
      throw error;
    } finally {
      queue.settle(settlements);
      health.count('evidenceUploaded', uploadedIn(settlements));
    }
    if (settlements.some((entry) => entry.kind === 'refused' && entry.final)) {
      health.raise(
        'evidence-conflict',
        'critical',
        'the server holds other bytes for a bundle, or it can never take one',
      );
    }
  }
}

/** Shows in health what the queue can no longer deliver by itself, and what it has not been able to (C-30, P-30). */
export function reportQueue(queue: Queue, health: HealthRegistry): void {
  const { dead, lost, unreadable, refused } = queue.stats();
  health.set('evidence-unreadable', 'critical', unreadable > 0 ? `${unreadable} bundles cannot be read` : null);
  health.set('evidence-refused', 'warning', refused > 0 ? `${refused} bundles were refused and are tried again` : null);
  health.set('evidence-dead', 'critical', dead > 0 ? `${dead} bundles were refused for good by the server` : null);
  health.set('evidence-lost', 'critical', lost > 0 ? `${lost} bundles are gone from the evidence store` : null);
}
