/** A bundle taken apart for tools that know Ed25519 and nothing of DSSE (P-28 `--detached`, P-07). */
import { decodeEnvelope, publicKeyPem, verifyEnvelope } from '@holdfast/crypto';
import { PAYLOAD_TYPE } from './statement.ts';
import { type EvidenceKeys, verifyBundle } from './verify-bundle.ts';

export interface DetachedEvidence {
  /** The bytes the signature covers: DSSE's pre-authentication encoding, which ends in the payload. */
  readonly signed: Uint8Array;
  /** The in-toto statement, canonical JSON. */
  readonly payload: Uint8Array;
  /** Raw 64 bytes. */
  readonly signature: Uint8Array;
  /** SPKI PEM of the pinned key that verified it. */
  readonly publicKeyPem: string;
}

/**
 * Takes a bundle apart after verifying it: what does not verify is not exported.
 *
 * @throws what `verifyBundle` throws
 */
export function exportDetached(bytes: Uint8Array, keys: EvidenceKeys): DetachedEvidence {
  verifyBundle(bytes, keys);
  const { payload, signed, signature, publicKey } = verifyEnvelope(decodeEnvelope(bytes), {
    payloadType: PAYLOAD_TYPE,
    keys: keys.map((key) => (key instanceof Uint8Array ? key : key.publicKey)),
  });
  return { signed, payload, signature, publicKeyPem: publicKeyPem(publicKey) };
}
