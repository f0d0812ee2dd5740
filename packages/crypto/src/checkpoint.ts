/**
 * Checkpoints of Merkle logs as C2SP signed notes: text that other people's tools verify.
 *
 * Follows https://c2sp.org/signed-note and https://c2sp.org/tlog-checkpoint; Ed25519 signatures only.
 */
import { HoldfastError } from '@holdfast/core';
import { decodeBase64, encodeBase64 } from './base64.ts';
import { sha256 } from './digest.ts';
import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES, type Signer, verifyEd25519 } from './ed25519.ts';
import { HASH_BYTES } from './merkle.ts';

/** signed-note, "Signatures": algorithm byte of Ed25519. */
const ALGORITHM_ED25519 = 0x01;
const KEY_HASH_BYTES = 4;
/** signed-note lets verifiers bound the number of signatures; cosigned checkpoints carry about ten. */
const MAX_SIGNATURE_LINES = 100;
const MAX_NOTE_CHARS = 64 * 1024;
/** Key names: not empty, no white space, no plus. Origins are key names here. */
const NAME_PATTERN = /^[^\s+]{1,255}$/u;
const DECIMAL_PATTERN = /^(0|[1-9][0-9]{0,15})$/;

export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  readonly root: Uint8Array;
}

/** The signed text of a checkpoint: origin, size, root; each line ends in a newline. */
export function formatCheckpoint({ origin, size, root }: Checkpoint): string {
  requireName(origin);
  if (!Number.isSafeInteger(size) || size < 0) throw new TypeError('a tree size is a non-negative safe integer');
  if (root.length !== HASH_BYTES) throw new TypeError('a root hash is 32 bytes');
  return `${origin}\n${size}\n${encodeBase64(root)}\n`;
}

/** The checkpoint as a signed note, signed under the name of its origin. */
export function signCheckpoint(checkpoint: Checkpoint, signer: Signer): string {
  return signNote(formatCheckpoint(checkpoint), checkpoint.origin, signer);
}

/**
 * Verifies a note by the log `origin` and reads the checkpoint in it. Signatures by others are
 * ignored; extension lines are covered by the signature and otherwise ignored.
 *
 * @throws `ERR_SIGNATURE_INVALID` when the note is malformed, of another origin or not signed by the key
 */
export function verifyCheckpoint(
  note: string,
  { origin, publicKey }: { readonly origin: string; readonly publicKey: Uint8Array },
): { size: number; root: Uint8Array } {
  const [first, size, root, ...extensions] = verifyNote(note, origin, publicKey).slice(0, -1).split('\n');
  const hash = root === undefined ? undefined : decodeBase64(root);
  if (first !== origin) throw refused('another origin');
  if (size === undefined || !DECIMAL_PATTERN.test(size) || !Number.isSafeInteger(Number(size))) throw refused('size');
  if (hash?.length !== HASH_BYTES) throw refused('root hash');
  if (extensions.includes('')) throw refused('empty extension line');
  return { size: Number(size), root: hash };
}

/** Signs `text`, which ends in a newline, under `name` (signed-note, "Format"). */
export function signNote(text: string, name: string, signer: Signer): string {
  requireName(name);
  if (!isNoteText(text)) throw new TypeError('a note is lines of text without control characters');
  const signature = Buffer.concat([keyHash(name, signer.publicKey), signer.sign(Buffer.from(text))]);
  return `${text}\n\u2014 ${name} ${signature.toString('base64')}\n`;
}

/**
 * The text of a note that `publicKey` signed under `name`.
 *
 * @throws `ERR_SIGNATURE_INVALID`
 */
export function verifyNote(note: string, name: string, publicKey: Uint8Array): string {
  if (note.length > MAX_NOTE_CHARS) throw refused('too large');
  // The last blank line ends the text: the text itself may have blank lines.
  const split = note.lastIndexOf('\n\n');
  const text = note.slice(0, split + 1);
  const block = note.slice(split + 2);
  if (split < 1 || !isNoteText(text) || !block.endsWith('\n')) throw refused('not a note');
  const lines = block.slice(0, -1).split('\n');
  if (lines.length > MAX_SIGNATURE_LINES) throw refused('too many signatures');
  const wanted = keyHash(name, publicKey);
  let verified = false;
  for (const line of lines) {
    const match = /^\u2014 ([^\s+]+) ([A-Za-z0-9+/]+={0,2})$/u.exec(line);
    const signature = decodeBase64(match?.[2] ?? '');
    // signed-note: a malformed line makes the whole note malformed.
    if (match === null || signature === undefined || signature.length <= KEY_HASH_BYTES)
      throw refused('signature line');
    if (match[1] !== name || Buffer.compare(signature.subarray(0, KEY_HASH_BYTES), wanted) !== 0) continue;
    // One known key with one bad signature spoils the note, as the specification has it.
    if (
      signature.length !== KEY_HASH_BYTES + SIGNATURE_BYTES ||
      !verifyEd25519(publicKey, Buffer.from(text), signature.subarray(KEY_HASH_BYTES))
    ) {
      throw refused('signature');
    }
    verified = true;
  }
  if (!verified) throw refused('no signature by the key');
  return text;
}

/** A verifier key, `<name>+<key hash>+<base64 of algorithm and key>`, for pinning. */
export function formatVerifierKey(origin: string, publicKey: Uint8Array): string {
  requireName(origin);
  const encoded = Buffer.concat([Uint8Array.of(ALGORITHM_ED25519), publicKey]).toString('base64');
  return `${origin}+${keyHash(origin, publicKey).toString('hex')}+${encoded}`;
}

/** @throws `ERR_KEY_INVALID` for anything but an Ed25519 verifier key with its own key hash */
export function parseVerifierKey(text: string): { origin: string; publicKey: Uint8Array } {
  const match = /^([^\s+]{1,255})\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})$/u.exec(text);
  const [, origin, hash, encoded] = match ?? [];
  const bytes = decodeBase64(encoded ?? '');
  if (
    origin === undefined ||
    bytes === undefined ||
    bytes.length !== 1 + PUBLIC_KEY_BYTES ||
    bytes[0] !== ALGORITHM_ED25519 ||
    keyHash(origin, bytes.subarray(1)).toString('hex') !== hash
  ) {
    throw new HoldfastError('not a verifier key of an Ed25519 log', { code: 'ERR_KEY_INVALID' });
  }
  return { origin, publicKey: Uint8Array.from(bytes.subarray(1)) };
}

/** signed-note, "Signatures": SHA-256(name || 0x0A || algorithm || public key), first four bytes. */
function keyHash(name: string, publicKey: Uint8Array): Buffer {
  const id = Buffer.concat([Buffer.from(`${name}\n`), Uint8Array.of(ALGORITHM_ED25519), publicKey]);
  return Buffer.from(sha256(id)).subarray(0, KEY_HASH_BYTES);
}

/** Ends in a newline, well-formed, and without control characters other than newline. */
function isNoteText(text: string): boolean {
  // oxlint-disable-next-line no-control-regex -- control characters are exactly what is looked for
  return text.endsWith('\n') && text.isWellFormed() && !/[\u0000-\u0009\u000b-\u001f]/.test(text);
}

function requireName(name: string): void {
  if (!NAME_PATTERN.test(name)) throw new TypeError('an origin has no white space and no plus sign');
}

function refused(what: string): HoldfastError {
  return new HoldfastError(`checkpoint refused: ${what}`, { code: 'ERR_SIGNATURE_INVALID', fields: { what } });
}
