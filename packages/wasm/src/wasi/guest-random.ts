/**
 * Random bytes for a guest: of the system's generator, or a stream that is the same in every run with
 * the same seed (AES-256 in counter mode over zeros, the key being SHA-256 of the seed; NIST SP 800-38A).
 */
import { createCipheriv, createHash, randomFillSync } from 'node:crypto';

import type { GuestRandomness } from './capabilities.ts';

const CHUNK_BYTES = 65_536;

export type FillRandom = (target: Uint8Array) => void;

function seededStream(seed: Uint8Array): FillRandom {
  const key = createHash('sha256').update(seed).digest();
  const stream = createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
  return (target) => {
    for (let at = 0; at < target.length; at += CHUNK_BYTES) {
      const length = Math.min(CHUNK_BYTES, target.length - at);
      target.set(stream.update(Buffer.alloc(length)), at);
    }
  };
}

/** The generator of one run; what it costs to set up is paid at the first use. */
export function openGuestRandom(randomness: GuestRandomness): FillRandom {
  if (randomness.kind === 'system') {
    return (target) => {
      randomFillSync(target);
    };
  }
  let stream: FillRandom | null = null;
  return (target) => {
    stream ??= seededStream(randomness.seed);
    stream(target);
  };
}
