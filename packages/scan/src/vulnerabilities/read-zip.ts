/**
 * The entries of a ZIP archive (APPNOTE 6.3.10) held in memory, one at a time. The central directory
 * is what counts, so a truncated archive is refused, not read in part; every entry is held to its
 * declared size and CRC-32, so that an archive cannot grow beyond what it says. Stored and deflated
 * entries alone; no encryption, no splitting.
 */
import { inflateSync } from 'fflate';
import { crc32 } from 'node:zlib';

/** The largest OSV entries (Linux kernel) are some 2 MB. */
const MAX_ENTRY_BYTES = 32 * 1024 * 1024;
/** More than the whole of osv.dev (some 700,000 in 2026). */
const MAX_ENTRIES = 5_000_000;
const END = 0x06054b50;
const END_BYTES = 22;
const MAX_COMMENT_BYTES = 65_535;
const END64_LOCATOR = 0x07064b50;
const END64_LOCATOR_BYTES = 20;
const END64 = 0x06064b50;
const CENTRAL = 0x02014b50;
const CENTRAL_BYTES = 46;
const LOCAL = 0x04034b50;
const LOCAL_BYTES = 30;
const STORED = 0;
const DEFLATED = 8;
const ENCRYPTED = 1;

export interface ZipEntry {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** §4.4.6 has no time zone; writers on servers run in UTC. Two seconds coarse. */
  readonly modifiedMs: number;
}

/** @throws `RangeError` with what is wrong; whoever knows the file's name converts it */
export function* readZip(archive: Uint8Array): Generator<ZipEntry> {
  const view = new DataView(archive.buffer, archive.byteOffset, archive.byteLength);
  const { count, offset } = directoryOf(view);
  const names = new TextDecoder('utf-8');
  let at = offset;
  for (let index = 0; index < count; index++) {
    if (view.getUint32(at, true) !== CENTRAL) throw new RangeError('the directory of the archive is damaged');
    const method = view.getUint16(at + 10, true);
    const packedBytes = view.getUint32(at + 20, true);
    const sizeBytes = view.getUint32(at + 24, true);
    const nameBytes = view.getUint16(at + 28, true);
    const name = names.decode(archive.subarray(at + CENTRAL_BYTES, at + CENTRAL_BYTES + nameBytes));
    if ((view.getUint16(at + 8, true) & ENCRYPTED) !== 0) throw new RangeError('an entry is encrypted');
    // Entries of 4 GiB, whose sizes stand elsewhere, are refused with all that are too large.
    if (sizeBytes > MAX_ENTRY_BYTES || packedBytes > MAX_ENTRY_BYTES) throw new RangeError('an entry is too large');
    const local = view.getUint32(at + 42, true);
    if (view.getUint32(local, true) !== LOCAL) throw new RangeError('an entry is not where the directory says');
    const start = local + LOCAL_BYTES + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    if (start + packedBytes > offset) throw new RangeError('an entry overlaps the directory');
    const packed = archive.subarray(start, start + packedBytes);
    if (!name.endsWith('/')) {
      const bytes = unpack(method, packed, sizeBytes);
      if (crc32(bytes) !== view.getUint32(at + 16, true)) throw new RangeError('the check sum of an entry is wrong');
      yield { name, bytes, modifiedMs: dosTimeMs(view.getUint16(at + 14, true), view.getUint16(at + 12, true)) };
    }
    at += CENTRAL_BYTES + nameBytes + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
}

function directoryOf(view: DataView): { count: number; offset: number } {
  const first = Math.max(0, view.byteLength - END_BYTES - MAX_COMMENT_BYTES);
  for (let at = view.byteLength - END_BYTES; at >= first; at--) {
    if (view.getUint32(at, true) !== END) continue;
    const count = view.getUint16(at + 10, true);
    const offset = view.getUint32(at + 16, true);
    // §4.4.1.4: the real numbers stand in the ZIP64 record; npm alone has more than 65,535 advisories.
    return count === 0xffff || offset === 0xffffffff ? directory64(view, at - END64_LOCATOR_BYTES) : { count, offset };
  }
  throw new RangeError('no ZIP archive, or its end is missing');
}

function directory64(view: DataView, locator: number): { count: number; offset: number } {
  if (view.getUint32(locator, true) !== END64_LOCATOR) throw new RangeError('the ZIP64 locator is missing');
  const at = Number(view.getBigUint64(locator + 8, true));
  if (view.getUint32(at, true) !== END64) throw new RangeError('the ZIP64 record is missing');
  const count = Number(view.getBigUint64(at + 32, true));
  if (count > MAX_ENTRIES) throw new RangeError('the archive has too many entries');
  return { count, offset: Number(view.getBigUint64(at + 48, true)) };
}

function unpack(method: number, packed: Uint8Array, sizeBytes: number): Uint8Array {
  if (method === STORED) return packed;
  if (method !== DEFLATED) throw new RangeError('an entry is compressed in an unknown way');
  try {
    // A buffer of the declared size: what an archive would write beyond it is lost, and the check sum tells.
    return inflateSync(packed, { out: new Uint8Array(sizeBytes) });
  } catch (cause) {
    throw new RangeError('an entry does not decompress', { cause });
  }
}

/** §4.4.6: years since 1980, month, day; hour, minute, seconds in twos. */
const dosTimeMs = (date: number, time: number): number =>
  Date.UTC((date >> 9) + 1980, ((date >> 5) & 15) - 1, date & 31, time >> 11, (time >> 5) & 63, (time & 31) * 2);
