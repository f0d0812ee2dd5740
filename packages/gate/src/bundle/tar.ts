/**
 * Just enough of the ustar format (POSIX.1-2017, pax, "ustar Interchange Format") to keep regular files
 * in one file that `tar tf` lists: no owners, no times, no links, names of at most 100 characters.
 *
 * One set of entries has exactly one encoding. Decoding takes that encoding and nothing else, so that a
 * byte changed anywhere, also in a header or in padding, is a refused archive.
 */

const BLOCK_BYTES = 512;
/** Two blocks of zeros end an archive. */
const END_BYTES = 2 * BLOCK_BYTES;
const MAX_NAME_CHARS = 100;
/** Eleven octal digits. */
const MAX_ENTRY_BYTES = 8 ** 11 - 1;

export interface TarEntry {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** In the order of `entries`. Names are ASCII. */
export function encodeTar(entries: readonly TarEntry[]): Uint8Array {
  const parts = entries.flatMap(({ name, bytes }) => [
    header(name, bytes.length),
    bytes,
    Buffer.alloc(padding(bytes.length)),
  ]);
  return Buffer.concat([...parts, Buffer.alloc(END_BYTES)]);
}

/** @returns `undefined` for anything that `encodeTar` would not have written. Never throws. */
export function decodeTar(bytes: Uint8Array, maxEntries: number): readonly TarEntry[] | undefined {
  const archive = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries: TarEntry[] = [];
  let at = 0;
  while (at < archive.length - END_BYTES) {
    const name = archive.toString('latin1', at, at + MAX_NAME_CHARS).replace(/\0+$/, '');
    const sizeText = archive.toString('latin1', at + 124, at + 135);
    if (!/^[\x21-\x7e]{1,100}$/.test(name) || !/^[0-7]{11}$/.test(sizeText) || entries.length >= maxEntries)
      return undefined;
    const size = Number.parseInt(sizeText, 8);
    const start = at + BLOCK_BYTES;
    const next = start + size + padding(size);
    if (next > archive.length - END_BYTES) return undefined;
    // Field by field, and without a second copy of everything.
    if (!archive.subarray(at, start).equals(header(name, size))) return undefined;
    if (!isZero(archive.subarray(start + size, next))) return undefined;
    entries.push({ name, bytes: archive.subarray(start, start + size) });
    at = next;
  }
  return at === archive.length - END_BYTES && isZero(archive.subarray(at)) ? entries : undefined;
}

function header(name: string, size: number): Buffer {
  if (name.length > MAX_NAME_CHARS || size > MAX_ENTRY_BYTES)
    throw new TypeError('a name or size that ustar cannot hold');
  const block = Buffer.alloc(BLOCK_BYTES);
  block.write(name, 0, 'latin1');
  block.write('0000644\0', 100); // mode
  block.write('0000000\0', 108); // uid
  block.write('0000000\0', 116); // gid
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  block.write('00000000000\0', 136); // mtime: the same records make the same bundle
  block.write('        ', 148); // counts as spaces in its own sum
  block.write('0', 156); // a regular file
  block.write('ustar\u000000', 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

const padding = (size: number): number => (BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES;
const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);
