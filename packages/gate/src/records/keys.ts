/**
 * Whose keys count: the public keys of a gate file's people. A key that two people list
 * tells nobody apart and counts for neither; text that is no Ed25519 key counts for nobody.
 */
import { decodeBase64, keyIdOf, parsePublicKeyPem, PUBLIC_KEY_BYTES } from '@holdfast/crypto';
import type { Gate } from '../gate-file/gate-schema.ts';
import type { KnownKey } from '../log/gate-log.ts';

/** By key id, `SHA256:…`. */
export type KeyRing = ReadonlyMap<string, KnownKey>;

/** The keys that count under `gate`, in the order of its people. */
export function keysOf(gate: Pick<Gate, 'people'>): KnownKey[] {
  return [...ringOf(gate.people).values()];
}

export function ringOf(people: readonly { readonly id: string; readonly keys: readonly string[] }[]): KeyRing {
  const ring = new Map<string, KnownKey>();
  const shared = new Set<string>();
  for (const { id: person, keys } of people) {
    for (const text of keys) {
      const publicKey = parsePublicKey(text);
      if (publicKey === undefined) continue;
      const keyId = keyIdOf(publicKey);
      if (ring.has(keyId) && ring.get(keyId)?.person !== person) shared.add(keyId);
      ring.set(keyId, { person, publicKey });
    }
  }
  for (const keyId of shared) ring.delete(keyId); // one signer must not count as two people
  return ring;
}

/** SPKI PEM, or base64 of the raw 32 bytes. @returns `undefined` for anything else */
export function parsePublicKey(text: string): Uint8Array | undefined {
  const raw = decodeBase64(text.trim());
  if (raw?.length === PUBLIC_KEY_BYTES) return raw;
  try {
    return parsePublicKeyPem(text);
  } catch {
    return undefined; // the answer for whatever is no key
  }
}
