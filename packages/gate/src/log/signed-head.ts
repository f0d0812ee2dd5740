/**
 * The signed head of a gate's log: a C2SP checkpoint with exactly one signature, by whoever appended
 * last, in exactly one spelling, so that a changed byte is a refused head.
 *
 * Follows https://c2sp.org/tlog-checkpoint; the origin is `holdfast-gate/<gate id>`.
 */
import { HoldfastError, isHoldfastError } from '@holdfast/core';
import { type Signer, signCheckpoint, verifyCheckpoint } from '@holdfast/crypto';
import type { KeyRing } from '../records/keys.ts';
import type { LogHead } from './gate-log.ts';

/** Origin, size, root, an empty line, one signature; each ends in a newline. */
const LINES = 5;
/** Five short lines; a name has at most 64 characters. */
export const MAX_CHECKPOINT_BYTES = 1_024;

const originOf = (gateId: string): string => `holdfast-gate/${gateId}`;

export function signHead(gateId: string, { size, root }: LogHead, signer: Signer): string {
  return signCheckpoint({ origin: originOf(gateId), size, root: Buffer.from(root, 'hex') }, signer);
}

/**
 * The size that a note claims, so that one knows how much to read. Nothing is verified yet.
 *
 * @throws `ERR_GATE_LOG_INVALID`
 */
export function claimedSize(note: string): number {
  const size = note.split('\n')[1] ?? '';
  if (!/^(?:0|[1-9][0-9]{0,8})$/.test(size)) throw invalidHead('it names no size');
  return Number(size);
}

/**
 * Verifies that a person of `ring` signed `note` over exactly `head`. The head of an empty log is nobody's: there
 * is no gate file yet that could say whose keys count.
 *
 * @throws `ERR_GATE_LOG_INVALID`
 */
export function verifyHead(note: string, gateId: string, head: LogHead, ring: KeyRing): void {
  if (note.split('\n').length !== LINES + 1) throw invalidHead('it has other lines than a head has');
  if (note.split('\n')[0] !== originOf(gateId)) throw invalidHead('it is of another gate');
  if (head.size === 0) return;
  for (const { publicKey } of ring.values()) {
    const claim = readHead(note, gateId, publicKey);
    if (claim === undefined) continue;
    if (claim.size !== head.size || Buffer.from(claim.root).toString('hex') !== head.root) {
      throw invalidHead('the records are not those of the signed head');
    }
    return;
  }
  throw invalidHead('no person of the gate signed it');
}

function readHead(
  note: string,
  gateId: string,
  publicKey: Uint8Array,
): ReturnType<typeof verifyCheckpoint> | undefined {
  try {
    return verifyCheckpoint(note, { origin: originOf(gateId), publicKey });
  } catch (error) {
    if (isHoldfastError(error)) return undefined; // not by this key
    throw error;
  }
}

export function invalidHead(reason: string): HoldfastError {
  return new HoldfastError(`the signed head of the gate does not verify: ${reason}`, {
    code: 'ERR_GATE_LOG_INVALID',
    fields: { file: 'checkpoint', rule: 'R-10', reason },
  });
}
