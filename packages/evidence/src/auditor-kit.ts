/**
 * The auditor kit (P-32): a directory with everything a stranger needs to verify evidence offline.
 *
 *     bundles/<bundleId>.dsse.json   the exact bytes
 *     proofs/<bundleId>.json         index and audit path (RFC 6962 §2.1.1), hex
 *     checkpoint                     C2SP signed note over the log that the proofs lead to
 *     keys.json                      the hosts' keys with their validity, and the log's verifier key
 *
 * The same content gives the same files, byte for byte: canonical JSON, sorted, no times of making.
 */
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { canonicalJson, HoldfastError, ID_PATTERN, SHA256_HEX_PATTERN } from '@holdfast/core';
import {
  decodeBase64,
  encodeBase64,
  keyIdOf,
  parseVerifierKey,
  PUBLIC_KEY_BYTES,
  verifyCheckpoint,
  verifyInclusion,
} from '@holdfast/crypto';
import { z } from 'zod';
import { evidenceLeafHash } from './seal-evidence.ts';
import { BundleIdSchema, InstantSchema } from './statement.ts';
import { type EvidenceKey, verifyBundle } from './verify-bundle.ts';

/** RFC 6962 trees of fewer than 2^53 leaves have no longer paths. */
const MAX_PATH_HASHES = 53;

export const KitProofSchema = z.strictObject({
  index: z.int().min(0),
  hashes: z.array(z.string().regex(SHA256_HEX_PATTERN)).max(MAX_PATH_HASHES),
});
export type KitProof = z.infer<typeof KitProofSchema>;

export const KitKeysSchema = z.strictObject({
  version: z.literal(1),
  /** C2SP verifier key of the log, `<origin>+<hash>+<base64>`. */
  logKey: z.string().max(1_000),
  hosts: z.array(
    z.strictObject({
      hostId: z.string().regex(ID_PATTERN),
      keyId: z.string().max(100),
      /** Raw 32 bytes, base64. */
      publicKey: z.string().max(100),
      validFrom: InstantSchema,
      validTo: InstantSchema.nullable(),
    }),
  ),
});

/** A host's key as a kit pins it: nothing left open. */
export type KitKey = Required<EvidenceKey>;

export interface AuditorKit {
  readonly bundles: readonly { readonly bytes: Uint8Array; readonly proof: KitProof }[];
  readonly keys: readonly KitKey[];
  readonly logKey: string;
  /** Signed note. */
  readonly checkpoint: string;
}

/**
 * The files of a kit by their relative path, in the order of their paths. Every bundle and proof is
 * verified first: a kit that would not verify is not made.
 *
 * @throws what `verifyBundle`, `verifyCheckpoint` and `parseVerifierKey` throw; `ERR_EVIDENCE_KIT_INVALID` when
 * there is no bundle, one is there twice, or a proof does not lead to the checkpoint
 */
export function renderKit(kit: AuditorKit): ReadonlyMap<string, Uint8Array> {
  if (kit.bundles.length === 0) throw kitInvalid('no bundles');
  const { origin, publicKey } = parseVerifierKey(kit.logKey);
  const checkpoint = verifyCheckpoint(kit.checkpoint, { origin, publicKey });
  const files = new Map<string, Uint8Array>();
  for (const { bytes, proof } of kit.bundles) {
    const { bundleId } = verifyBundle(bytes, kit.keys).statement.predicate;
    if (files.has(bundlePath(bundleId))) throw kitInvalid('a bundle twice');
    if (!leadsTo(bytes, proof, checkpoint)) throw kitInvalid('a proof that does not lead to the checkpoint');
    files.set(bundlePath(bundleId), bytes);
    files.set(proofPath(bundleId), encodeFile({ index: proof.index, hashes: proof.hashes }));
  }
  files.set('checkpoint', Buffer.from(kit.checkpoint));
  files.set(
    'keys.json',
    encodeFile({ version: 1, logKey: kit.logKey, hosts: kit.keys.map(encodeKey).toSorted(byText) }),
  );
  return new Map([...files].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * Writes a kit to `directory`, which is new or empty; @returns the paths written, relative and sorted.
 *
 * @throws like `renderKit`; `ERR_EVIDENCE_KIT_INVALID` when the directory is not empty
 */
export async function exportKit(kit: AuditorKit, directory: string): Promise<string[]> {
  const files = renderKit(kit);
  await mkdir(directory, { recursive: true });
  if ((await readdir(directory)).length > 0) throw kitInvalid('the directory is not empty');
  for (const [path, bytes] of files) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), bytes, { flag: 'wx' });
  }
  return [...files.keys()];
}

export const bundlePath = (bundleId: string): string => `bundles/${bundleId}.dsse.json`;
export const proofPath = (bundleId: string): string => `proofs/${bundleId}.json`;

/** The id in a bundle's or proof's file name; `undefined` when it is the name of neither. */
export function bundleIdIn(name: string): string | undefined {
  return BundleIdSchema.safeParse(/^([0-9a-f-]{36})(?:\.dsse)?\.json$/.exec(name)?.[1]).data;
}

/** @throws `ERR_EVIDENCE_KIT_INVALID` */
export function parseKitKeys(bytes: Uint8Array): { logKey: string; keys: KitKey[] } {
  const { logKey, hosts } = parseFile(bytes, KitKeysSchema, 'keys.json');
  const keys = hosts.map(({ hostId, keyId, publicKey, validFrom, validTo }) => {
    const raw = decodeBase64(publicKey);
    if (raw?.length !== PUBLIC_KEY_BYTES || keyIdOf(raw) !== keyId) throw kitInvalid('a key that is not its id');
    return { hostId, publicKey: raw, validity: { validFrom, validTo } };
  });
  return { logKey, keys };
}

/** @throws `ERR_EVIDENCE_KIT_INVALID` */
export function parseKitProof(bytes: Uint8Array): KitProof {
  return parseFile(bytes, KitProofSchema, 'a proof');
}

/** Whether the proof shows the bundle to be in the log that the checkpoint stands for. */
export function leadsTo(bytes: Uint8Array, proof: KitProof, log: { size: number; root: Uint8Array }): boolean {
  return verifyInclusion({
    index: proof.index,
    size: log.size,
    root: log.root,
    leafHash: evidenceLeafHash(bytes),
    hashes: proof.hashes.map((hash) => Buffer.from(hash, 'hex')),
  });
}

export function kitInvalid(what: string): HoldfastError {
  return new HoldfastError(`auditor kit refused: ${what}`, { code: 'ERR_EVIDENCE_KIT_INVALID', fields: { what } });
}

function encodeKey({ hostId, publicKey, validity }: KitKey): z.infer<typeof KitKeysSchema>['hosts'][number] {
  return { hostId, keyId: keyIdOf(publicKey), publicKey: encodeBase64(publicKey), ...validity };
}

function byText(a: Parameters<typeof canonicalJson>[0], b: Parameters<typeof canonicalJson>[0]): number {
  return canonicalJson(a) < canonicalJson(b) ? -1 : 1;
}

function encodeFile(value: Parameters<typeof canonicalJson>[0]): Uint8Array {
  return Buffer.from(`${canonicalJson(value)}\n`);
}

function parseFile<T extends z.ZodType>(bytes: Uint8Array, schema: T, what: string): z.infer<T> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw kitInvalid(`${what} is not JSON`); // the parser's message quotes the input
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw kitInvalid(`${what} does not have its documented shape`);
  return parsed.data;
}
