/** Base64 with one spelling per value (RFC 4648 §3.5 and §4: padded, no stray bits, nothing ignored). */

/** @returns `undefined` when `text` is not exactly what encoding its own bytes would give */
export function decodeBase64(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64'); // lenient: ignores what it does not know
  return bytes.toString('base64') === text ? bytes : undefined;
}

export function encodeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}
