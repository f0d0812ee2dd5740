/**
 * Reads an in-toto attestation (SLSA provenance, VSA, …) in a DSSE envelope that another tool signed,
 * under keys that the reader pinned. Unlike our own envelopes these come in any JSON encoding, so the
 * signed payload counts and not the envelope's bytes.
 *
 * Follows https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md
 */
import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { preAuthEncoding } from '@holdfast/crypto';
import { z } from 'zod';
import { type InTotoStatement, IN_TOTO_PAYLOAD_TYPE, parseInTotoStatement } from './in-toto-statement.ts';
import { parseDocument, refusedDocument } from './strict-json.ts';

/** Bounds the work of verifying a stranger's envelope. */
const MAX_SIGNATURES = 16;
const EnvelopeSchema = z.object({
  payloadType: z.literal(IN_TOTO_PAYLOAD_TYPE),
  payload: z.string(),
  signatures: z
    .array(z.object({ sig: z.string().min(1) }))
    .min(1)
    .max(MAX_SIGNATURES),
});

export interface AttestationTrust {
  /** SPKI PEM by a name of the reader's: Ed25519, ECDSA or RSA. None means nothing verifies. */
  readonly keys: ReadonlyMap<string, string>;
}

export interface VerifiedAttestation {
  readonly statement: InTotoStatement;
  /** Names of the pinned keys that signed, sorted; at least one. */
  readonly signedBy: readonly string[];
}

/**
 * Verifies and only then reads.
 *
 * @throws `ERR_REPORT_MALFORMED` also when no pinned key signed, and for a pinned text that is no public key
 */
export function readAttestation(bytes: Uint8Array, trust: AttestationTrust): VerifiedAttestation {
  const { payload: text, payloadType, signatures } = parseDocument('dsse', bytes, EnvelopeSchema);
  const payload = Buffer.from(text, 'base64'); // DSSE takes both alphabets; what is read is what was signed
  const signed = preAuthEncoding(payloadType, payload);
  const keys = [...trust.keys].map(([name, pem]) => [name, publicKeyOf(pem)] as const);
  // The key id of an envelope is only a hint, and strangers' tools disagree about it: each key is tried.
  const signedBy = keys.flatMap(([name, key]) =>
    signatures.some(({ sig }) => isSignedBy(key, signed, Buffer.from(sig, 'base64'))) ? [name] : [],
  );
  if (signedBy.length === 0) throw refusedDocument('dsse', 'no pinned key signed it');
  return { statement: parseInTotoStatement(payload), signedBy: signedBy.toSorted() };
}

function publicKeyOf(pem: string): KeyObject {
  try {
    if (!pem.includes('PRIVATE KEY')) return createPublicKey(pem);
  } catch (cause) {
    throw refusedDocument('dsse', 'a pinned key is no public key in PEM', cause);
  }
  throw refusedDocument('dsse', 'a pinned key is a private one');
}

function isSignedBy(key: KeyObject, bytes: Uint8Array, signature: Uint8Array): boolean {
  try {
    // Ed25519 hashes by itself; ECDSA over P-256 and RSA sign SHA-256 in every tool that writes DSSE.
    return verify(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', bytes, key, signature);
  } catch {
    return false; // a signature that does not parse under this key's kind
  }
}
