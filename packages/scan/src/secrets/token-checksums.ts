/**
 * Checksums inside tokens: they tell a real token from something of its shape without asking anyone.
 * GitHub and npm end a token in the CRC-32 of its random part, six digits of base 62.
 */
import { crc32 } from 'node:zlib';

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const CHECKSUM_CHARS = 6;

/** The six characters that follow `random`. */
export function base62Checksum(random: string): string {
  let value = crc32(random);
  let text = '';
  for (let i = 0; i < CHECKSUM_CHARS; i++) {
    text = BASE62[value % 62]! + text;
    value = Math.floor(value / 62);
  }
  return text;
}

/** @param token `<prefix>_<random><checksum>` */
export function hasBase62Checksum(token: string): boolean {
  const body = token.slice(token.indexOf('_') + 1);
  return base62Checksum(body.slice(0, -CHECKSUM_CHARS)) === body.slice(-CHECKSUM_CHARS);
}
