/**
 * The signed head: a small file beside the segments that says how far the log had come (P-25). It
 * is what makes an emptied log, or one whose newest records were cut off, fail verification.
 *
 * It lags behind the log by at most a minute while the daemon runs, and not at all after it closed.
 * A DSSE envelope over canonical JSON, so that other people's tools can check it. That somebody
 * with root replaces it by an older one is found by the server, which witnesses heads (P-24).
 */
import { dirname } from 'node:path';
import { canonicalJson } from '@holdfast/core';
import { decodeEnvelope, encodeEnvelope, signEnvelope, type Signer, verifyEnvelope } from '@holdfast/crypto';
import type { ChainHead, RecordTime } from './audit-record.ts';
import { type LogFiles, writeFully } from './log-files.ts';

export const HEAD_NAME = 'head.dsse.json';
export const HEAD_PAYLOAD_TYPE = 'application/vnd.holdfast.audit-head+json';
const VERSION = 1;
/** A head is a few hundred bytes; more is not one. */
const MAX_HEAD_BYTES = 16 * 1024;

/** Replaces the head file atomically and durably. */
export async function writeSignedHead(
  files: LogFiles,
  path: string,
  head: ChainHead,
  time: RecordTime,
  signer: Signer,
): Promise<void> {
  const payload = canonicalJson({
    version: VERSION,
    seq: head.seq,
    hash: head.hash,
    wallTime: new Date(time.wallMs).toISOString(),
    monotonicMs: Math.floor(time.monotonicMs),
    bootId: time.bootId,
  });
  const bytes = encodeEnvelope(signEnvelope(HEAD_PAYLOAD_TYPE, Buffer.from(payload), [signer]));
  const file = await files.open(`${path}.new`, 'create');
  try {
    await file.truncate(0);
    await writeFully(file, bytes, 0);
    await file.datasync();
  } finally {
    await file.close();
  }
  await files.rename(`${path}.new`, path);
  await files.syncDirectory(dirname(path));
}

export type HeadFault = 'head-malformed' | 'head-signature';

/**
 * Reads the head file.
 *
 * @param publicKeys raw keys that may have signed it; `undefined` leaves the signature unchecked
 * @returns `undefined` when there is none
 */
export async function readSignedHead(
  files: LogFiles,
  path: string,
  publicKeys: readonly Uint8Array[] | undefined,
): Promise<ChainHead | HeadFault | undefined> {
  const bytes = await readSmallFile(files, path);
  if (bytes === undefined) return undefined;
  let payload: Uint8Array;
  try {
    const envelope = decodeEnvelope(bytes);
    if (envelope.payloadType !== HEAD_PAYLOAD_TYPE) return 'head-malformed';
    payload = Buffer.from(envelope.payload, 'base64');
    if (publicKeys !== undefined) {
      try {
        payload = verifyEnvelope(envelope, { payloadType: HEAD_PAYLOAD_TYPE, keys: publicKeys }).payload;
      } catch {
        return 'head-signature'; // the verdict carries the reason
      }
    }
    return parseHead(payload) ?? 'head-malformed';
  } catch {
    return 'head-malformed'; // the verdict carries the reason
  }
}

function parseHead(payload: Uint8Array): ChainHead | undefined {
  const value: unknown = JSON.parse(Buffer.from(payload).toString('utf8'));
  if (typeof value !== 'object' || value === null) return undefined;
  const { version, seq, hash } = value as Record<string, unknown>;
  if (version !== VERSION || !Number.isSafeInteger(seq) || typeof hash !== 'string') return undefined;
  return /^[0-9a-f]{64}$/.test(hash) && Number(seq) >= 0 ? { seq: Number(seq), hash } : undefined;
}

async function readSmallFile(files: LogFiles, path: string): Promise<Uint8Array | undefined> {
  let file;
  try {
    file = await files.open(path, 'read');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  try {
    return await file.read(0, MAX_HEAD_BYTES);
  } finally {
    await file.close();
  }
}

/** Whether a system error says that there is no such file. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
