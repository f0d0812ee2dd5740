/**
 * Ed25519 (RFC 8032) over `node:crypto`: raw 32-byte public keys, raw 64-byte signatures, and the
 * `Signer` that holds a private key without ever showing it. Everything Holdfast signs is signed here.
 */
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { HoldfastError } from '@holdfast/core';
import { sha256 } from './digest.ts';

export const PUBLIC_KEY_BYTES = 32;
export const SIGNATURE_BYTES = 64;
const SEED_BYTES = 32;

/** RFC 8410 §7: PKCS#8 of an Ed25519 key without attributes is these bytes and the seed. */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

/** Verification parses a key once; a server verifies for many hosts, so the caches are bounded by this many. */
const MAX_CACHED_KEYS = 4_096;
/** By the base64url of the raw key. */
const publicKeys = new Map<string, KeyObject>();
const keyIds = new Map<string, string>();

/**
 * Holds one private key.
 *
 * There is always a key behind a signer: `sign` gives a real signature or throws (P-05).
 */
export interface Signer {
  /** `keyIdOf(publicKey)`. */
  readonly keyId: string;
  /** Raw 32 bytes. */
  readonly publicKey: Uint8Array;
  /** Raw 64 bytes; the same bytes give the same signature. */
  sign(bytes: Uint8Array): Uint8Array;
}

/** `SHA256:` and the unpadded base64url SHA-256 of the raw public key. */
export function keyIdOf(publicKey: Uint8Array): string {
  requireLength(publicKey);
  const x = base64url(publicKey);
  let keyId = keyIds.get(x);
  if (keyId === undefined) {
    keyId = `SHA256:${base64url(sha256(publicKey))}`;
    remember(keyIds, x, keyId);
  }
  return keyId;
}

/** A signer from a 32-byte seed, for keys that are derived or unwrapped rather than loaded from a file. */
export function signerFromSeed(seed: Uint8Array): Signer {
  if (seed.length !== SEED_BYTES) throw new TypeError('an Ed25519 seed is 32 bytes');
  return signerFromKeyObject(
    createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' }),
  );
}

/** @throws `ERR_KEY_INVALID` when `privateKey` is not an Ed25519 private key */
export function signerFromKeyObject(privateKey: KeyObject): Signer {
  if (privateKey.type !== 'private' || privateKey.asymmetricKeyType !== 'ed25519') {
    throw new HoldfastError('not an Ed25519 private key', { code: 'ERR_KEY_INVALID' });
  }
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  const publicKey = Uint8Array.from(spki.subarray(-PUBLIC_KEY_BYTES)); // RFC 8410 §4: the key ends the SPKI
  return {
    keyId: keyIdOf(publicKey),
    publicKey,
    sign: (bytes) => sign(null, bytes, privateKey),
  };
}

/**
 * Whether `signature` is by the holder of `publicKey` over exactly `bytes`. Never throws for hostile
 * input: anything that is not a signature is no signature.
 */
export function verifyEd25519(publicKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== PUBLIC_KEY_BYTES || signature.length !== SIGNATURE_BYTES) return false;
  const key = importPublicKey(publicKey);
  return key !== undefined && verify(null, bytes, key, signature);
}

/** As `verifyEd25519`, on the thread pool: for whoever has many signatures to verify and other things to do. */
export async function verifyEd25519InPool(
  publicKey: Uint8Array,
  bytes: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  if (publicKey.length !== PUBLIC_KEY_BYTES || signature.length !== SIGNATURE_BYTES) return false;
  const key = importPublicKey(publicKey);
  if (key === undefined) return false;
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  verify(null, bytes, key, signature, (error, isValid) => {
    if (error === null) resolve(isValid);
    else reject(error);
  });
  return promise;
}

/** SPKI PEM of a raw public key, as `openssl pkeyutl -pubin` reads it. */
export function publicKeyPem(publicKey: Uint8Array): string {
  requireLength(publicKey);
  const key = importPublicKey(publicKey);
  if (key === undefined) throw new HoldfastError('not an Ed25519 public key', { code: 'ERR_KEY_INVALID' });
  return key.export({ format: 'pem', type: 'spki' });
}

/**
 * The raw key in an SPKI PEM.
 *
 * @throws `ERR_KEY_INVALID` for anything but one Ed25519 public key
 */
export function parsePublicKeyPem(pem: string): Uint8Array {
  let key: KeyObject;
  try {
    key = createPublicKey({ key: pem, format: 'pem' });
  } catch (cause) {
    throw new HoldfastError('not a public key', { code: 'ERR_KEY_INVALID', cause });
  }
  // createPublicKey would derive the public key from a private one; a private key has no business here.
  if (key.asymmetricKeyType !== 'ed25519' || pem.includes('PRIVATE KEY')) {
    throw new HoldfastError('not an Ed25519 public key', { code: 'ERR_KEY_INVALID' });
  }
  return Uint8Array.from(key.export({ format: 'der', type: 'spki' }).subarray(-PUBLIC_KEY_BYTES));
}

function requireLength(publicKey: Uint8Array): void {
  if (publicKey.length !== PUBLIC_KEY_BYTES) throw new TypeError('a raw Ed25519 public key is 32 bytes');
}

function importPublicKey(publicKey: Uint8Array): KeyObject | undefined {
  const x = base64url(publicKey);
  let key = publicKeys.get(x);
  if (key === undefined) {
    try {
      key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
    } catch {
      return undefined; // bytes that are no key verify nothing
    }
    remember(publicKeys, x, key);
  }
  return key;
}

function remember<T>(cache: Map<string, T>, x: string, value: T): void {
  if (cache.size >= MAX_CACHED_KEYS) cache.clear();
  cache.set(x, value);
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url');
}
