/** C2SP signed notes and tlog checkpoints, as far as a verifier needs them. */
import { areEqual, concatenate, fromBase64, sha256, verifyEd25519 } from './bytes.ts';

/** Signature type of Ed25519 in a verifier key (C2SP signed-note). */
const ED25519_TYPE = Uint8Array.of(1);
const KEY_HASH_BYTES = 4;

export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  readonly root: Uint8Array;
}

/** Reads `name+hash+base64(type, key)`. @throws `Error` when it is no Ed25519 verifier key or its hash differs. */
export async function parseVerifierKey(
  text: string,
): Promise<{ name: string; hash: Uint8Array; key: Uint8Array<ArrayBuffer> }> {
  const [name = '', hashHex = '', ...rest] = text.split('+');
  const typed = fromBase64(rest.join('+')); // base64 itself may contain +
  if (typed[0] !== 1 || typed.length !== 33) throw new Error('the log key is not an Ed25519 verifier key');
  const key = typed.slice(1);
  const digest = await sha256(concatenate(new TextEncoder().encode(`${name}\n`), ED25519_TYPE, key));
  const hash = digest.slice(0, KEY_HASH_BYTES);
  if (hashHex !== Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('')) {
    throw new Error('the log key does not have the hash it says');
  }
  return { name, hash, key };
}

/** The checkpoint, if the log's key signed it. @throws `Error` that says what is wrong. */
export async function openCheckpoint(note: string, verifierKey: string): Promise<Checkpoint> {
  const { name, hash, key } = await parseVerifierKey(verifierKey);
  const split = note.indexOf('\n\n');
  if (split < 0) throw new Error('the checkpoint has no signature');
  const text = note.slice(0, split + 1);
  // C2SP signed-note: every line ends with a newline, and a signature line has three words.
  if (!note.endsWith('\n')) throw new Error('the checkpoint is cut short');
  const lines = note.slice(split + 2, -1).split('\n');
  const verified = await Promise.all(
    lines.map(async (line) => {
      const [dash, signer, encoded, ...rest] = line.split(' ');
      if (dash !== '—' || signer !== name || encoded === undefined || rest.length > 0) return false;
      const blob = fromBase64(encoded);
      if (!areEqual(blob.slice(0, KEY_HASH_BYTES), hash)) return false;
      return verifyEd25519(key, new TextEncoder().encode(text), blob.slice(KEY_HASH_BYTES));
    }),
  );
  if (!verified.includes(true)) throw new Error('the pinned log key did not sign this checkpoint');
  const [origin = '', size = '', root = ''] = text.split('\n');
  if (origin !== name) throw new Error('the checkpoint is of another log');
  if (!/^(0|[1-9]\d{0,15})$/.test(size)) throw new Error('the checkpoint has no tree size');
  return { origin, size: Number(size), root: fromBase64(root) };
}
