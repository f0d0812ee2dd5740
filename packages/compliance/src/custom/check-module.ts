/**
 * The module of a custom check as it is delivered: a DSSE envelope over its bytes, in a file named
 * after their digest. Two people have to agree before one runs: who signed the module, and who wrote
 * its digest into the signed baseline (C-14).
 */
import { constants, open } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '@holdfast/core';
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
import type { BaselineKey } from '../signed-baseline.ts';

const CHECK_MODULE_PAYLOAD_TYPE = 'application/vnd.holdfast.check+wasm';
/** A check is a small program: the examples have 10 to 40 KB, one with a whole JSON library under 1 MB. */
export const MAX_CHECK_MODULE_BYTES = 4 * 1024 * 1024;
const MAX_SIGNED_BYTES = Math.ceil((MAX_CHECK_MODULE_BYTES * 4) / 3) + 16 * 1024;

export const checkModuleFileName = (sha256: string): string => `${sha256}.check.dsse.json`;

/** @throws `ERR_CHECK_MODULE` when it is too large */
export function signCheckModule(
  module: Uint8Array,
  signer: Signer,
): { readonly sha256: string; readonly signed: Uint8Array } {
  if (module.length > MAX_CHECK_MODULE_BYTES) throw refusal('the module is larger than 4 MiB');
  return {
    sha256: sha256Hex(module),
    signed: encodeEnvelope(signEnvelope(CHECK_MODULE_PAYLOAD_TYPE, module, [signer])),
  };
}

/**
 * The module's bytes, if a key pinned for baselines and valid now signed them and they are those the
 * baseline names.
 *
 * @throws `ERR_CHECK_MODULE`
 */
export function verifyCheckModule(
  signed: Uint8Array,
  sha256: string,
  pinnedKeys: readonly BaselineKey[],
  nowMs: number,
): Uint8Array {
  if (signed.length > MAX_SIGNED_BYTES) throw refusal('the signed module is too large');
  const keys = pinnedKeys
    .filter((key) => key.purposes.includes('baseline') && isKeyValidAt(key, nowMs)) // P-04
    .flatMap(({ publicKey }) => decodeBase64(publicKey) ?? []);
  let payload: Uint8Array;
  try {
    ({ payload } = verifyEnvelope(decodeEnvelope(signed), { payloadType: CHECK_MODULE_PAYLOAD_TYPE, keys }));
  } catch (cause) {
    throw refusal('the module is not signed by a key pinned for baselines and valid now', cause);
  }
  if (sha256Hex(payload) !== sha256) throw refusal('the module is not the one the baseline names');
  return payload;
}

/** Reads the signed modules beside a baseline. */
export interface CheckModules {
  /** Verified bytes. @throws `ERR_CHECK_MODULE` */
  load(sha256: string, nowMs: number): Promise<Uint8Array>;
}

export function openCheckModules(directory: string, pinnedKeys: readonly BaselineKey[]): CheckModules {
  return {
    load: async (sha256, nowMs) =>
      verifyCheckModule(await readSigned(join(directory, checkModuleFileName(sha256))), sha256, pinnedKeys, nowMs),
  };
}

async function readSigned(path: string): Promise<Uint8Array> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const stat = await file.stat();
    if (!stat.isFile() || stat.size > MAX_SIGNED_BYTES) throw new TypeError('not a regular file of a sensible size');
    return await file.readFile();
  } catch (cause) {
    throw refusal('the signed module is not there, or cannot be read', cause);
  }
}

function refusal(message: string, cause?: unknown): HoldfastError {
  return new HoldfastError(message, { code: 'ERR_CHECK_MODULE', cause });
}
