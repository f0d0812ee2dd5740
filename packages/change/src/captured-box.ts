/**
 * Sealing of captured state at rest: AES-256-GCM under the host's key-encryption key (P-12).
 *
 * A box is `version (1 byte) ‖ nonce (12) ‖ ciphertext ‖ tag (16)`; the change id is authenticated
 * with it, so that a box opens only for the change it was made for. Nonces are random: NIST SP
 * 800-38D §8.3 allows 2^32 boxes per key, far beyond the changes of one host.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { HoldfastError, type Json, type Secret } from '@holdfast/core';

export const KEK_BYTES = 32;
const VERSION = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEADER_BYTES = 1 + NONCE_BYTES;

export interface CapturedBox {
  seal(changeId: string, captured: Json): Uint8Array;
  /** @throws `ERR_CHANGE_JOURNAL` when the box was changed, belongs to another change or to another key */
  open(changeId: string, box: Uint8Array): Json;
}

/** @throws `ERR_KEY_INVALID` when the key does not have 32 bytes */
export function capturedBox(kek: Secret<Uint8Array>): CapturedBox {
  if (kek.reveal().length !== KEK_BYTES) {
    throw new HoldfastError('a key-encryption key has 32 bytes', { code: 'ERR_KEY_INVALID' });
  }
  return {
    seal(changeId, captured) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', kek.reveal(), nonce, { authTagLength: TAG_BYTES });
      cipher.setAAD(associatedData(changeId));
      const sealed = Buffer.concat([cipher.update(JSON.stringify(captured), 'utf8'), cipher.final()]);
      return Buffer.concat([Buffer.of(VERSION), nonce, sealed, cipher.getAuthTag()]);
    },
    open(changeId, box) {
      try {
        if (box.length < HEADER_BYTES + TAG_BYTES || box[0] !== VERSION) throw new Error('not a box of this version');
        const decipher = createDecipheriv('aes-256-gcm', kek.reveal(), box.subarray(1, HEADER_BYTES), {
          authTagLength: TAG_BYTES,
        });
        decipher.setAAD(associatedData(changeId));
        decipher.setAuthTag(box.subarray(box.length - TAG_BYTES));
        const sealed = box.subarray(HEADER_BYTES, box.length - TAG_BYTES);
        const text = Buffer.concat([decipher.update(sealed), decipher.final()]).toString('utf8');
        return JSON.parse(text) as Json;
      } catch (cause) {
        throw new HoldfastError('captured state does not open', {
          code: 'ERR_CHANGE_JOURNAL',
          fields: { changeId },
          cause,
        });
      }
    },
  };
}

function associatedData(changeId: string): Buffer {
  return Buffer.from(`holdfast change journal v1\n${changeId}`, 'utf8');
}
