/**
 * Watches the server's transparency log for rewritten history (P-34): every checkpoint is verified
 * with the pinned log key, remembered, and must be consistent with the one before (RFC 6962 §2.1.2).
 * A checkpoint becomes the remembered one only once that is proven.
 */
import type { Trust } from '@holdfast/api';
import { HoldfastError } from '@holdfast/core';
import { decodeBase64, isKeyValidAt, verifyCheckpoint, verifyConsistency } from '@holdfast/crypto';
import type { Memory } from './memory.ts';
import type { ServerPort } from './ports.ts';

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const fromHex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));

export interface WitnessDeps {
  readonly trust: Trust;
  readonly memory: Memory;
  readonly server: Pick<ServerPort, 'consistency'>;
  readonly wallMs: () => number;
}

/** @throws `ERR_SIGNATURE_INVALID` unless a pinned log key that is valid now signed the note */
function verifyNote(note: string, { trust, wallMs }: WitnessDeps): { size: number; root: Uint8Array } {
  const keys = trust.keys.filter((key) => key.purposes.includes('log') && isKeyValidAt(key, wallMs()));
  for (const key of keys) {
    const publicKey = decodeBase64(key.publicKey);
    if (publicKey === undefined) continue;
    try {
      return verifyCheckpoint(note, { origin: trust.logOrigin, publicKey });
    } catch (error) {
      if (key === keys.at(-1)) throw error;
    }
  }
  throw new HoldfastError('no log key is pinned for this time', { code: 'ERR_SIGNATURE_INVALID' });
}

/**
 * Takes in the newest checkpoint.
 *
 * @throws `ERR_AGENT_LOG_REWRITTEN` now and on every later call, once a contradiction was signed;
 *   `ERR_SIGNATURE_INVALID`; the client's errors when no proof could be had: nothing is remembered then
 */
export async function witnessCheckpoint(note: string, deps: WitnessDeps, signal: AbortSignal): Promise<void> {
  const { memory, server } = deps;
  const next = verifyNote(note, deps);
  const rootHex = hexOf(next.root);
  const known = memory.witness();
  if (known === null) {
    memory.saveWitness({ size: next.size, rootHex, note, conflictingNote: null });
    return;
  }
  const rewritten = (): HoldfastError => {
    // The first contradiction is kept: two signed notes prove it to anyone.
    memory.saveWitness({ ...known, conflictingNote: known.conflictingNote ?? note });
    return new HoldfastError('the transparency log was rewritten', {
      code: 'ERR_AGENT_LOG_REWRITTEN',
      fields: { knownSize: known.size, size: next.size },
    });
  };
  if (known.conflictingNote !== null || next.size < known.size) throw rewritten();
  if (next.size === known.size) {
    if (rootHex !== known.rootHex) throw rewritten();
    return;
  }
  // RFC 6962 §2.1.2: every log is consistent with the empty one, no proof exists.
  const hashes = known.size === 0 ? [] : (await server.consistency(known.size, next.size, signal)).hashes.map(fromHex);
  const claim = { from: known.size, to: next.size, fromRoot: fromHex(known.rootHex), toRoot: next.root, hashes };
  if (!verifyConsistency(claim)) throw rewritten();
  memory.saveWitness({ size: next.size, rootHex, note, conflictingNote: null });
}
