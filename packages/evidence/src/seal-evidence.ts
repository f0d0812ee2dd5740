/** From a statement to the bytes that are stored, uploaded and logged: from here on nothing re-serialises them. */
import { type BundleId, canonicalJson, parseBundleId, type Sha256Hex } from '@holdfast/core';
import { encodeEnvelope, leafHash, sha256Hex, signEnvelope, type Signer } from '@holdfast/crypto';
import { PAYLOAD_TYPE, type Statement } from './statement.ts';

export interface SealedEvidence {
  readonly bundleId: BundleId;
  /** The envelope, exactly as stored. */
  readonly bytes: Uint8Array;
  /** SHA-256 of `bytes`. */
  readonly digest: Sha256Hex;
}

/** Signs the canonical JSON of `statement` (P-06, P-07). */
export function sealEvidence(statement: Statement, signer: Signer): SealedEvidence {
  const payload = Buffer.from(canonicalJson(statement));
  const bytes = encodeEnvelope(signEnvelope(PAYLOAD_TYPE, payload, [signer]));
  return { bundleId: parseBundleId(statement.predicate.bundleId), bytes, digest: sha256Hex(bytes) };
}

/** The leaf of a bundle in the transparency log (RFC 6962 §2.1): over the exact bytes of its envelope. */
export function evidenceLeafHash(bytes: Uint8Array): Uint8Array {
  return leafHash(bytes);
}
