/**
 * Signing a baseline and loading a signed one: a DSSE envelope over the exact YAML bytes (C-03). Only
 * what was verified is parsed, and the hash is that of the verified bytes.
 */
import { constants, type FileHandle, open } from 'node:fs/promises';
import { type ErrorCode, hasCode, type Sha256Hex } from '@holdfast/core';
import {
  decodeBase64,
  decodeEnvelope,
  encodeEnvelope,
  isKeyValidAt,
  sha256Hex,
  signEnvelope,
  type Signer,
  verifyEnvelope,
} from '@holdfast/crypto';
import { type Baseline, formatProblems, MAX_BASELINE_BYTES, parseBaseline, requireBaseline } from './baseline.ts';

export const BASELINE_PAYLOAD_TYPE = 'application/vnd.holdfast.baseline+yaml';
/** The YAML in base64, and room for a few signatures. */
const MAX_SIGNED_BYTES = Math.ceil((MAX_BASELINE_BYTES * 4) / 3) + 16 * 1024;

/** A key pinned by this host, as `Trust` lists them. */
export interface BaselineKey {
  /** Raw 32-byte Ed25519 public key, base64. */
  readonly publicKey: string;
  readonly purposes: readonly string[];
  readonly validFrom: string;
  readonly validTo: string | null;
}

export type LoadedBaseline =
  | {
      readonly ok: true;
      readonly baseline: Baseline;
      /** SHA-256 of the exact YAML bytes. */
      readonly hash: Sha256Hex;
      /** The key that signed it. */
      readonly keyId: string;
    }
  | { readonly ok: false; readonly code: ErrorCode; /** One sentence, safe to show. */ readonly reason: string };

/**
 * Signs a baseline that parses; a host would refuse any other.
 *
 * @returns the bytes to install as `baseline.dsse.json`
 * @throws `ERR_BASELINE_INVALID`
 */
export function signBaseline(yaml: Uint8Array, signer: Signer): Uint8Array {
  requireBaseline(parseBaseline(yaml));
  return encodeEnvelope(signEnvelope(BASELINE_PAYLOAD_TYPE, yaml, [signer]));
}

/**
 * Verifies the bytes of a signed baseline with the pinned keys of purpose `baseline` that are valid
 * now. Never throws.
 *
 * @param hostId this host; a baseline bound to a host is refused by every other, and when it is unknown
 */
export function verifyBaseline(
  bytes: Uint8Array,
  pinnedKeys: readonly BaselineKey[],
  nowMs: number,
  hostId: string | null = null,
): LoadedBaseline {
  const keys = pinnedKeys
    .filter((key) => key.purposes.includes('baseline') && isKeyValidAt(key, nowMs)) // P-04
    .flatMap(({ publicKey }) => decodeBase64(publicKey) ?? []);
  let verified: { payload: Uint8Array; keyId: string };
  try {
    if (bytes.length > MAX_SIGNED_BYTES) return refuse('ERR_BASELINE_INVALID', 'the signed baseline is too large');
    verified = verifyEnvelope(decodeEnvelope(bytes), { payloadType: BASELINE_PAYLOAD_TYPE, keys });
  } catch (error) {
    if (hasCode(error, 'ERR_SIGNATURE_INVALID')) {
      return refuse('ERR_BASELINE_UNTRUSTED', 'no signature verifies under a key pinned for baselines and valid now');
    }
    return refuse('ERR_BASELINE_UNTRUSTED', 'the baseline is not a signed envelope');
  }
  const parsed = parseBaseline(verified.payload);
  if (!parsed.ok)
    return refuse('ERR_BASELINE_INVALID', `the baseline is not valid: ${formatProblems(parsed.problems)}`);
  const { baseline } = parsed;
  if (baseline.hostId !== null && baseline.hostId !== hostId) {
    return refuse('ERR_BASELINE_OTHER_HOST', 'the baseline is bound to another host');
  }
  return { ok: true, baseline, hash: sha256Hex(verified.payload), keyId: verified.keyId };
}

/** Reads and verifies `baseline.dsse.json`. Never throws: whatever is wrong, there is no baseline then. */
export async function loadBaseline(
  path: string,
  pinnedKeys: readonly BaselineKey[],
  nowMs: number,
  hostId: string | null = null,
): Promise<LoadedBaseline> {
  let bytes: Uint8Array;
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    bytes = await readCapped(file);
  } catch {
    return refuse('ERR_BASELINE_MISSING', 'there is no baseline file, or it cannot be read');
  }
  return verifyBaseline(bytes, pinnedKeys, nowMs, hostId);
}

/** One byte more than allowed is enough to know: a file that grows while it is read changes nothing. */
async function readCapped(file: FileHandle): Promise<Uint8Array> {
  if (!(await file.stat()).isFile()) throw new TypeError('a baseline is a regular file');
  const buffer = Buffer.alloc(MAX_SIGNED_BYTES + 1);
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return buffer.subarray(0, length);
}

function refuse(code: ErrorCode, reason: string): LoadedBaseline {
  return { ok: false, code, reason };
}
