/** SHA-256 over bytes, or over a string's UTF-8. */
import { hash } from 'node:crypto';
import type { Sha256Hex } from '@holdfast/core';

export function sha256(data: Uint8Array | string): Uint8Array {
  return hash('sha256', data, 'buffer');
}

export function sha256Hex(data: Uint8Array | string): Sha256Hex {
  return hash('sha256', data, 'hex') as Sha256Hex; // 64 lower-case hex digits by construction
}
