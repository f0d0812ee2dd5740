/**
 * DSSE v1 envelopes: the signature covers the payload's type and bytes through the pre-authentication
 * encoding, so verification never re-serialises anything (P-06, P-07).
 *
 * Follows https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md, narrowed: an envelope
 * has exactly one encoding (canonical JSON, padded standard base64), so that a changed byte anywhere
 * is a refused envelope and one signed payload cannot lie in a log under two digests.
 */
import { canonicalJson, HoldfastError } from '@holdfast/core';
import { z } from 'zod';
import { decodeBase64, encodeBase64 } from './base64.ts';
import { keyIdOf, SIGNATURE_BYTES, type Signer, verifyEd25519 } from './ed25519.ts';

/** Bounds the work of verifying a stranger's envelope. */
export const MAX_SIGNATURES = 16;
/** Larger than any payload of ours; base64 makes a third more of it. */
export const MAX_ENVELOPE_BYTES = 16 * 1024 * 1024;

const EnvelopeSchema = z.strictObject({
  payloadType: z.string().min(1).max(200),
  payload: z.string(),
  signatures: z
    .array(z.strictObject({ keyid: z.string().max(200), sig: z.string() }))
    .min(1)
    .max(MAX_SIGNATURES),
});

export interface Envelope {
  readonly payloadType: string;
  /** base64 */
  readonly payload: string;
  readonly signatures: readonly { readonly keyid: string; /** base64 */ readonly sig: string }[];
}

export interface EnvelopeTrust {
  readonly payloadType: string;
  /** Raw public keys, each of which alone is enough. None means nothing verifies. */
  readonly keys: readonly Uint8Array[];
}

export interface VerifiedEnvelope {
  /** The only bytes to act on. */
  readonly payload: Uint8Array;
  readonly keyId: string;
  readonly publicKey: Uint8Array;
  /** What the signature covers. */
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
}

/** `PAE(type, body)` of the protocol: what is signed. */
export function preAuthEncoding(payloadType: string, payload: Uint8Array): Uint8Array {
  const type = Buffer.from(payloadType);
  return Buffer.concat([Buffer.from(`DSSEv1 ${type.length} `), type, Buffer.from(` ${payload.length} `), payload]);
}

/** Signs with every signer, in their order. At least one: there is no unsigned envelope (P-05). */
export function signEnvelope(payloadType: string, payload: Uint8Array, signers: readonly Signer[]): Envelope {
  if (signers.length === 0) throw new TypeError('an envelope is signed by at least one signer');
  const signed = preAuthEncoding(payloadType, payload);
  return {
    payloadType,
    payload: encodeBase64(payload),
    signatures: signers.map((signer) => ({ keyid: signer.keyId, sig: encodeBase64(signer.sign(signed)) })),
  };
}

/** The bytes as stored and sent: canonical JSON. */
export function encodeEnvelope(envelope: Envelope): Uint8Array {
  return Buffer.from(canonicalText(envelope));
}

function canonicalText({ payload, payloadType, signatures }: Envelope): string {
  return canonicalJson({ payload, payloadType, signatures: signatures.map(({ keyid, sig }) => ({ keyid, sig })) });
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads an envelope from untrusted bytes. Says nothing about its signatures.
 *
 * @throws `ERR_ENVELOPE_MALFORMED` for anything `encodeEnvelope` would not have written
 */
export function decodeEnvelope(bytes: Uint8Array): Envelope {
  if (bytes.length > MAX_ENVELOPE_BYTES) throw malformed('too large');
  let text: string;
  let value: unknown;
  try {
    text = utf8.decode(bytes);
    value = JSON.parse(text);
  } catch {
    throw malformed('not JSON'); // the parser's message quotes the input
  }
  const parsed = EnvelopeSchema.safeParse(value);
  if (!parsed.success) throw malformed('not an envelope');
  const envelope = parsed.data;
  if (decodeBase64(envelope.payload) === undefined) throw malformed('payload is not base64');
  for (const { sig } of envelope.signatures) {
    if (decodeBase64(sig)?.length !== SIGNATURE_BYTES) throw malformed('signature is not 64 bytes of base64');
  }
  // Duplicate members, white space and escapes all end here: one envelope, one encoding.
  // Valid UTF-8 has one encoding, so comparing texts compares bytes.
  if (canonicalText(envelope) !== text) throw malformed('not in its canonical encoding');
  return envelope;
}

/**
 * Verifies and only then gives out the payload. Act on these bytes and no others.
 *
 * A signature counts when its `keyid` names a trusted key and that key verifies it; signatures by
 * strangers are ignored, as the protocol says.
 *
 * @throws `ERR_SIGNATURE_INVALID` also for another payload type and for an empty set of keys
 */
export function verifyEnvelope(envelope: Envelope, trust: EnvelopeTrust): VerifiedEnvelope {
  const payload = decodeBase64(envelope.payload);
  if (payload === undefined || envelope.payloadType !== trust.payloadType) throw unverified(envelope);
  const signed = preAuthEncoding(envelope.payloadType, payload);
  const keys = new Map(trust.keys.map((publicKey) => [keyIdOf(publicKey), publicKey]));
  for (const { keyid, sig } of envelope.signatures.slice(0, MAX_SIGNATURES)) {
    const publicKey = keys.get(keyid);
    const signature = decodeBase64(sig);
    if (publicKey === undefined || signature === undefined) continue;
    if (verifyEd25519(publicKey, signed, signature)) return { payload, keyId: keyid, publicKey, signed, signature };
  }
  throw unverified(envelope);
}

function malformed(what: string): HoldfastError {
  return new HoldfastError(`envelope refused: ${what}`, { code: 'ERR_ENVELOPE_MALFORMED', fields: { what } });
}

function unverified(envelope: Envelope): HoldfastError {
  return new HoldfastError('no signature of the envelope verifies under a trusted key', {
    code: 'ERR_SIGNATURE_INVALID',
    fields: { signatures: envelope.signatures.length },
  });
}
