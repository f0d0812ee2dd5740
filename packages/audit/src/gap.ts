/**
 * The gap record: what the log says about the time in which it could not be written (P-22). It is
 * signed by itself, because the records it stands for are nowhere.
 */
import { canonicalJson, type JsonObject } from '@holdfast/core';
import { decodeBase64, encodeBase64, type Signer, verifyEd25519 } from '@holdfast/crypto';
import type { AuditEntry, AuditRecord, ChainHead } from './audit-record.ts';

export const GAP_ACTION = 'audit.gap';

export interface Gap {
  /** Records that were refused, and with them what they stood for. */
  readonly refused: number;
  /** UTC: when writing failed first. */
  readonly since: string;
  /** The system's error code, such as `ENOSPC`. */
  readonly cause: string;
}

/** The entry that says so, to be appended right after `head`. */
export function gapEntry(gap: Gap, head: ChainHead, signer: Signer): AuditEntry {
  const claim = { refused: gap.refused, since: gap.since, cause: gap.cause };
  const signature = encodeBase64(signer.sign(gapMessage(claim, head.hash)));
  return {
    actor: 'holdfast',
    action: GAP_ACTION,
    subject: 'audit-log',
    outcome: 'alert',
    detail: { ...claim, keyId: signer.keyId, signature },
  };
}

/** Whether a gap record was signed by one of the keys, for its place in the chain. */
export function isGapSigned(record: AuditRecord, publicKeys: readonly Uint8Array[]): boolean {
  const { keyId: _keyId, signature, ...claim } = record.detail;
  const bytes = typeof signature === 'string' ? decodeBase64(signature) : undefined;
  if (bytes === undefined) return false;
  const message = gapMessage(claim, record.prevHash);
  return publicKeys.some((key) => verifyEd25519(key, message, bytes));
}

function gapMessage(claim: JsonObject, prevHash: string): Uint8Array {
  return Buffer.from(`holdfast audit gap v1\n${prevHash}\n${canonicalJson(claim)}`, 'utf8');
}
