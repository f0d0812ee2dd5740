/** A person's public key as a gate file spells it: SPKI PEM, or base64 of the raw 32 bytes. */
import { decodeBase64, parsePublicKeyPem, PUBLIC_KEY_BYTES } from '@holdfast/crypto';

/** @returns the raw Ed25519 key, or `undefined` when `text` is none. Never throws. */
export function parseGateKey(text: string): Uint8Array | undefined {
  const trimmed = text.trim();
  if (!trimmed.startsWith('-----BEGIN')) {
    const raw = decodeBase64(trimmed);
    return raw?.length === PUBLIC_KEY_BYTES ? raw : undefined;
  }
  try {
    return parsePublicKeyPem(trimmed);
  } catch {
    return undefined; // lint says where
  }
}
