/**
 * Judges one uploaded bundle (P-36): everything that is stored or acted on later comes out of here,
 * derived from the bytes whose signature was verified.
 */
import { HoldfastError, isHoldfastError, parseBundleId } from '@holdfast/core';
import { leafHash } from '@holdfast/crypto';
import { type EvidenceKey, type EvidenceKind, kindOf, type Predicate, verifyBundle } from '@holdfast/evidence';

/** P-36: ends later than this after now. */
export const MAX_FUTURE_MS = 120_000;
/** P-36: arrives later than this after its end. */
export const LATE_AFTER_MS = 3_600_000;

/** A host as its certificate and its row in the database tell it. */
export interface AuthenticatedHost {
  readonly orgId: string;
  readonly siteId: string;
  readonly hostId: string;
  readonly hostName: string;
  readonly keys: readonly EvidenceKey[];
}

export interface VerifiedUpload {
  readonly bundleId: string;
  readonly bytes: Uint8Array;
  readonly digest: string;
  readonly leafHash: Uint8Array;
  readonly keyId: string;
  readonly kind: EvidenceKind;
  readonly predicate: Predicate;
  readonly late: boolean;
}

/** The columns of `evidence` that follow from the bytes alone, in the order of the table. */
export const DERIVED_COLUMNS: Readonly<Record<string, (upload: VerifiedUpload) => string | boolean | null>> = {
  host_id: (upload) => upload.predicate.hostId,
  site_id: (upload) => upload.predicate.siteId,
  host_name: (upload) => upload.predicate.hostName,
  kind: (upload) => upload.kind,
  check_name: (upload) => upload.predicate.check,
  operation: (upload) => upload.predicate.operation,
  outcome: (upload) => upload.predicate.outcome,
  severity: (upload) => upload.predicate.severity,
  started: (upload) => upload.predicate.started,
  ended: (upload) => upload.predicate.ended,
  simulated: (upload) => upload.predicate.simulated,
  remediation_id: (upload) => upload.predicate.remediationId,
  order_id: (upload) => upload.predicate.orderId,
  key_id: (upload) => upload.keyId,
  digest: (upload) => upload.digest,
};

/**
 * @param claimedId what the host calls the bundle; the bytes must say the same
 * @throws `ERR_ENVELOPE_MALFORMED`, `ERR_SIGNATURE_INVALID`, `ERR_EVIDENCE_*`, `ERR_INGEST_FOREIGN`, `ERR_INGEST_FUTURE`
 */
export function verifyUpload(
  host: AuthenticatedHost,
  claimedId: string,
  bytes: Uint8Array,
  nowMs: number,
): VerifiedUpload {
  const { statement, digest, keyId } = verifyBundle(bytes, host.keys);
  const { predicate } = statement;
  const ours =
    predicate.orgId === host.orgId &&
    predicate.siteId === host.siteId &&
    predicate.hostId === host.hostId &&
    predicate.bundleId === claimedId;
  if (!ours) throw new HoldfastError('the evidence names somebody else', { code: 'ERR_INGEST_FOREIGN' });
  const endedMs = Date.parse(predicate.ended);
  // `ended` is not before `started`: the schema of the statement says so.
  if (endedMs > nowMs + MAX_FUTURE_MS)
    throw new HoldfastError('the evidence is from the future', { code: 'ERR_INGEST_FUTURE' });
  return {
    bundleId: parseBundleId(predicate.bundleId),
    bytes,
    digest,
    leafHash: leafHash(bytes),
    keyId,
    kind: kindOf(statement),
    predicate,
    late: nowMs - endedMs > LATE_AFTER_MS,
  };
}

/** The code to tell the host; anything that is not an expected failure is ours to answer for. */
export function refusalCode(error: unknown): string {
  if (isHoldfastError(error)) return error.code;
  throw error;
}
