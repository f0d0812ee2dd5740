/**
 * Verification of one bundle, step by step and offline (P-32). Each step is recorded, also the one
 * that fails; nothing of the content is looked at before its signature was verified.
 */
import { HoldfastError, isHoldfastError, type Sha256Hex } from '@holdfast/core';
import { decodeEnvelope, isKeyValidAt, keyIdOf, type KeyValidity, sha256Hex, verifyEnvelope } from '@holdfast/crypto';
import { parseStatement } from './build-statement.ts';
import { PAYLOAD_TYPE, type Statement } from './statement.ts';

/** A pinned key and what it is pinned for. What is left out is not restricted. */
export interface EvidenceKey {
  /** Raw 32 bytes. */
  readonly publicKey: Uint8Array;
  /** The only host it may speak for. */
  readonly hostId?: string;
  readonly validity?: KeyValidity;
}

/** Pinned keys; a raw key is pinned for anything. */
export type EvidenceKeys = readonly (Uint8Array | EvidenceKey)[];

export interface VerificationStep {
  /** Stable name, such as `signature`. */
  readonly name: string;
  readonly ok: boolean;
  /** For people: what was checked against what, or why it failed. */
  readonly detail: string;
}

export interface VerifiedBundle {
  readonly statement: Statement;
  /** SHA-256 of the bundle's bytes. */
  readonly digest: Sha256Hex;
  /** The key that signed it. */
  readonly keyId: string;
  readonly steps: readonly VerificationStep[];
}

export type BundleVerdict =
  | ({ readonly ok: true } & VerifiedBundle)
  | { readonly ok: false; readonly steps: readonly VerificationStep[]; readonly error: HoldfastError };

/**
 * Verifies a bundle under `keys`.
 *
 * @throws `ERR_ENVELOPE_MALFORMED`, `ERR_SIGNATURE_INVALID`, `ERR_EVIDENCE_MALFORMED` or
 * `ERR_EVIDENCE_UNTRUSTED_KEY`, whichever check fails first
 */
export function verifyBundle(bytes: Uint8Array, keys: EvidenceKeys): VerifiedBundle {
  const verdict = inspectBundle(bytes, keys);
  if (verdict.ok) return verdict;
  throw verdict.error;
}

/** Like `verifyBundle`, as a verdict that shows the checks made up to and including the first that failed. */
export function inspectBundle(bytes: Uint8Array, keys: EvidenceKeys): BundleVerdict {
  const steps: VerificationStep[] = [];
  const step = <T>(name: string, run: () => { value: T; detail: string }): T => {
    try {
      const { value, detail } = run();
      steps.push({ name, ok: true, detail });
      return value;
    } catch (error) {
      if (isHoldfastError(error)) steps.push({ name, ok: false, detail: error.message });
      throw error;
    }
  };
  try {
    return { ok: true, ...check(bytes, keys.map(asKey), step), steps };
  } catch (error) {
    if (isHoldfastError(error)) return { ok: false, steps, error };
    throw error;
  }
}

type RunStep = <T>(name: string, run: () => { value: T; detail: string }) => T;

function check(bytes: Uint8Array, keys: readonly EvidenceKey[], step: RunStep): Omit<VerifiedBundle, 'steps'> {
  const digest = sha256Hex(bytes);
  const envelope = step('envelope', () => ({
    value: decodeEnvelope(bytes),
    detail: `DSSE v1, ${bytes.length} bytes, SHA-256 ${digest}`,
  }));
  const { payload, keyId } = step('signature', () => {
    const value = verifyEnvelope(envelope, { payloadType: PAYLOAD_TYPE, keys: keys.map(({ publicKey }) => publicKey) });
    return { value, detail: `Ed25519 signature verifies under pinned key ${value.keyId}` };
  });
  const statement = step('statement', () => {
    const value = parseStatement(payload);
    return { value, detail: `${value.predicateType} about ${value.subject[0]?.name ?? 'nothing'}` };
  });
  step('key', () => ({ value: true, detail: checkKey(keys, keyId, statement) }));
  return { statement, digest, keyId };
}

/** P-04: the key was pinned for this host, and was valid when the evidence says it was sealed. */
function checkKey(keys: readonly EvidenceKey[], keyId: string, { predicate }: Statement): string {
  // A key may be pinned more than once, for several intervals.
  const pinned = keys.filter(({ publicKey }) => keyIdOf(publicKey) === keyId);
  const ofHost = pinned.filter(({ hostId }) => hostId === undefined || hostId === predicate.hostId);
  if (ofHost.length === 0) throw untrusted('the key is pinned for another host');
  const atMs = Date.parse(predicate.ended);
  const key = ofHost.find(({ validity }) => validity === undefined || isKeyValidAt(validity, atMs));
  if (key === undefined) throw untrusted(`the key was not valid at ${predicate.ended}`);
  const host = key.hostId === undefined ? 'pinned for any host' : `pinned for host ${key.hostId}`;
  const time =
    key.validity === undefined
      ? 'no validity interval given'
      : `valid at ${predicate.ended} (${key.validity.validFrom} to ${key.validity.validTo ?? 'now'})`;
  return `${host}, ${time}`;
}

function asKey(key: Uint8Array | EvidenceKey): EvidenceKey {
  return key instanceof Uint8Array ? { publicKey: key } : key;
}

function untrusted(why: string): HoldfastError {
  return new HoldfastError(why, { code: 'ERR_EVIDENCE_UNTRUSTED_KEY' });
}
