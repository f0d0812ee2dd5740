/**
 * The forms in which bytes may hold text: as they are, as UTF-16, inside gzip and zip, as base64, and
 * as string literals that a program puts together. Every view knows which line of the file it came
 * from. Bounded in depth, members and bytes, whatever an archive says of itself.
 */
import { gunzipSync, inflateRawSync } from 'node:zlib';

import { unzipSync } from 'fflate';

export interface TextView {
  readonly bytes: Buffer;
  /** Data with NUL bytes: rules that judge by chance are not tried. */
  readonly binary: boolean;
  /** Put together from literals: only what spans a seam is news. */
  readonly seams: readonly number[] | null;
  /** How the text was got, for the sentence of a finding: ` inside gzip`. */
  readonly how: string;
  /** Offset in this view to offset in the file; `null` where the file has no lines. */
  readonly sourceOffset: ((offset: number) => number) | null;
}

/** gzip in zip, base64 in gzip: two steps down. */
const MAX_DEPTH = 2;
/** Of one file, all members together: far over any text, far under memory. */
const MAX_EXPANDED_BYTES = 64 * 1_048_576;
const MAX_MEMBERS = 5_000;
/** Base64 of 15 bytes; the shortest token with a prefix has 20 characters. */
const MIN_BASE64_CHARS = 20;
/** What git itself takes as a sign of binary data: a NUL among the first 8,000 bytes (xdiff-interface.c). */
const BINARY_PROBE_BYTES = 8_000;

export interface Expansion {
  readonly views: TextView[];
  /** Why a part could not be looked at. */
  readonly skipped: string[];
}

/** Everything that `bytes` may be read as. */
export function expandText(bytes: Buffer): Expansion {
  const expansion: Expansion = { views: [], skipped: [] };
  const budget = { bytes: MAX_EXPANDED_BYTES, members: MAX_MEMBERS };
  expand(bytes, '', 0, (offset) => offset, expansion, budget);
  return expansion;
}

interface Budget {
  bytes: number;
  members: number;
}

function expand(
  bytes: Buffer,
  how: string,
  depth: number,
  sourceOffset: TextView['sourceOffset'],
  expansion: Expansion,
  budget: Budget,
): void {
  const wide = decodeUtf16(bytes);
  if (wide !== null) {
    const at = sourceOffset;
    expand(
      wide,
      `${how} as UTF-16`,
      depth,
      at && ((offset) => at(Math.min(offset * 2, bytes.length))),
      expansion,
      budget,
    );
    return;
  }
  const binary = bytes.subarray(0, BINARY_PROBE_BYTES).includes(0);
  expansion.views.push({ bytes, binary, seams: null, how, sourceOffset });
  if (binary) {
    const strings = wideStrings(bytes);
    if (strings.length > 0) {
      expansion.views.push({ bytes: strings, binary, seams: null, how: `${how} as UTF-16`, sourceOffset: null });
    }
  } else {
    const joined = joinLiterals(bytes, sourceOffset);
    if (joined !== null) expansion.views.push({ ...joined, binary, how: `${how} split into parts` });
  }
  if (depth >= MAX_DEPTH) {
    if (isArchive(bytes)) expansion.skipped.push('archives are nested too deep');
    return;
  }
  expandArchive(bytes, how, depth, expansion, budget);
  expandBase64(bytes, how, depth, sourceOffset, expansion, budget);
}

const isGzip = (bytes: Buffer): boolean =>
  bytes.length > 18 && bytes[0] === 0x1f && bytes[1] === 0x8b && bytes[2] === 8;
const isZip = (bytes: Buffer): boolean => bytes.length > 22 && bytes.readUInt32LE(0) === 0x04034b50;
const isArchive = (bytes: Buffer): boolean => isGzip(bytes) || isZip(bytes);

function expandArchive(bytes: Buffer, how: string, depth: number, expansion: Expansion, budget: Budget): void {
  if (isGzip(bytes)) {
    const inside = gunzipUpTo(bytes, budget.bytes);
    if (inside === null) {
      expansion.skipped.push('gzip data is damaged or expands too far');
      return;
    }
    budget.bytes -= inside.length;
    expand(inside, `${how} inside gzip`, depth + 1, null, expansion, budget);
  } else if (isZip(bytes)) {
    for (const member of unzipUpTo(bytes, budget, expansion)) {
      expand(member, `${how} inside zip`, depth + 1, null, expansion, budget);
    }
  }
}

function gunzipUpTo(bytes: Buffer, maxBytes: number): Buffer | null {
  try {
    return gunzipSync(bytes, { maxOutputLength: Math.max(1, maxBytes) });
  } catch {
    // RFC 1952 §2.3.1: ten bytes of header without options. Data cut off after it may still hold text.
    try {
      return bytes[3] === 0
        ? inflateRawSync(bytes.subarray(10), { maxOutputLength: Math.max(1, maxBytes), finishFlush: 2 })
        : null;
    } catch {
      return null;
    }
  }
}

function unzipUpTo(bytes: Buffer, budget: Budget, expansion: Expansion): Buffer[] {
  try {
    const members = unzipSync(bytes, {
      filter: ({ originalSize, compression }) => {
        // `originalSize` is what the archive says; fflate never writes more than it says.
        const fits = budget.members > 0 && originalSize <= budget.bytes && (compression === 0 || compression === 8);
        if (!fits) {
          expansion.skipped.push('members of a zip archive are too large, too many or of an unknown compression');
          return false;
        }
        budget.members -= 1;
        budget.bytes -= originalSize;
        return true;
      },
    });
    return Object.values(members).map((member) => Buffer.from(member.buffer, member.byteOffset, member.byteLength));
  } catch {
    expansion.skipped.push('a zip archive is damaged or encrypted');
    return [];
  }
}

/** Text of UTF-16 with a byte order mark, or in which every other byte of the beginning is NUL; one byte a character. */
function decodeUtf16(bytes: Buffer): Buffer | null {
  if (bytes.length < 4) return null;
  const mark = bytes.readUInt16BE(0);
  const sample = bytes.subarray(0, Math.min(bytes.length, 512) & ~1);
  const zeros = [0, 0];
  for (const [at, byte] of sample.entries()) if (byte === 0) zeros[at & 1]! += 1;
  const enough = sample.length / 2 - sample.length / 20;
  const little = mark === 0xfffe || (zeros[1]! >= enough && zeros[0] === 0);
  const big = mark === 0xfeff || (zeros[0]! >= enough && zeros[1] === 0);
  if (little === big) return null;
  const text = Buffer.alloc(bytes.length >> 1);
  for (let at = 0; at < text.length; at++) {
    const low = bytes[at * 2 + (little ? 0 : 1)]!;
    const high = bytes[at * 2 + (little ? 1 : 0)]!;
    text[at] = high === 0 ? low : 0xff;
  }
  return text;
}

/** Runs of eight and more printable characters of UTF-16 in binary data, either byte order, a line each. */
function wideStrings(bytes: Buffer): Buffer {
  const found: number[] = [];
  let run = 0;
  for (let at = 0; at + 1 < bytes.length;) {
    if (isPrintable(bytes[at]!) && bytes[at + 1] === 0) {
      found.push(bytes[at]!);
      run += 1;
      at += 2;
      continue;
    }
    if (run > 0) {
      if (run < 8) found.length -= run;
      else found.push(0x0a);
      run = 0;
    }
    at += 1;
  }
  if (run > 0 && run < 8) found.length -= run;
  return Buffer.from(found);
}

const isPrintable = (byte: number): boolean => byte >= 0x20 && byte < 0x7f;

/**
 * Literals that a program puts together: `'a' + 'b'`, `'a' . 'b'`, `'a' 'b'`, a list that is joined, a
 * string or an assignment continued with a backslash, over one line end and with white space between.
 */
const SEAM =
  /(["'`])[ \t]{0,40}(?:[+.&,]|\.\.|<<)?[ \t]{0,8}(?:\\?\r?\n[ \t]{0,80}(?:[+.&,]|\.\.|<<)?[ \t]{0,8})?[fbru@]?\1|\\\r?\n[ \t]{0,80}/g;

function joinLiterals(
  bytes: Buffer,
  sourceOffset: TextView['sourceOffset'],
): Pick<TextView, 'bytes' | 'seams' | 'sourceOffset'> | null {
  const text = bytes.toString('latin1');
  const kept: string[] = [];
  const seams: number[] = [];
  const sources: number[] = [0];
  let from = 0;
  let length = 0;
  for (const match of text.matchAll(SEAM)) {
    const part = text.slice(from, match.index);
    kept.push(part);
    length += part.length;
    from = match.index + match[0].length;
    seams.push(length);
    sources.push(from);
  }
  if (seams.length === 0) return null;
  kept.push(text.slice(from));
  return {
    bytes: Buffer.from(kept.join(''), 'latin1'),
    seams,
    sourceOffset:
      sourceOffset &&
      ((offset) => {
        const piece = firstAfter(seams, offset);
        return sourceOffset(sources[piece]! + offset - (piece === 0 ? 0 : seams[piece - 1]!));
      }),
  };
}

/** How many of `sorted` are at most `value`. */
export function firstAfter(sorted: readonly number[], value: number): number {
  let low = 0;
  for (let high = sorted.length; low < high;) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

const OTHER = 0;
const UPPER = 1;
const LOWER = 2;
const DIGIT = 4;
const MARK = 8;
const BASE64_CLASS = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte >= 0x41 && byte <= 0x5a) return UPPER;
  if (byte >= 0x61 && byte <= 0x7a) return LOWER;
  if (byte >= 0x30 && byte <= 0x39) return DIGIT;
  return '+/-_'.includes(String.fromCharCode(byte)) ? MARK : OTHER;
});
/** MIME and PEM wrap at 76 and 64: a run at least as long as this goes on after the line end. */
const MIN_WRAPPED_CHARS = 60;

/** Runs of base64 or base64url, decoded, a line each; a run that is an archive or UTF-16 is looked into by itself. */
function expandBase64(
  bytes: Buffer,
  how: string,
  depth: number,
  sourceOffset: TextView['sourceOffset'],
  expansion: Expansion,
  budget: Budget,
): void {
  const decoded: Buffer[] = [];
  const starts: number[] = [];
  const sources: number[] = [];
  let length = 0;
  for (const [start, end] of base64Runs(bytes)) {
    const inside = Buffer.from(bytes.toString('latin1', start, end), 'base64');
    if (inside.length > budget.bytes) {
      expansion.skipped.push('base64 data is too large');
      return;
    }
    budget.bytes -= inside.length;
    if (isArchive(inside) || decodeUtf16(inside) !== null) {
      const at = sourceOffset;
      expand(inside, `${how} in base64`, depth + 1, at && (() => at(start)), expansion, budget);
      continue;
    }
    starts.push(length);
    sources.push(start);
    decoded.push(inside, LINE_END);
    length += inside.length + 1;
  }
  if (decoded.length === 0) return;
  const at = sourceOffset;
  const place = at && ((offset: number) => at(sources[firstAfter(starts, offset) - 1]!));
  const all = Buffer.concat(decoded);
  expansion.views.push({ bytes: all, binary: true, seams: null, how: `${how} in base64`, sourceOffset: place });
  if (depth + 1 < MAX_DEPTH) expandBase64(all, `${how} in base64`, depth + 1, place, expansion, budget);
}

const LINE_END = Buffer.from('\n');

function* base64Runs(bytes: Buffer): Generator<[number, number]> {
  const size = bytes.length;
  for (let at = 0; at + MIN_BASE64_CHARS <= size; at++) {
    // From the far end of the shortest run: text is words, and most of it is never looked at.
    let far = at + MIN_BASE64_CHARS - 1;
    while (far >= at && BASE64_CLASS[bytes[far]!] !== OTHER) far -= 1;
    if (far >= at) {
      at = far;
      continue;
    }
    let seen = 0;
    const start = at;
    let lineStart = at;
    for (; at < size; at++) {
      const kind = BASE64_CLASS[bytes[at]!]!;
      if (kind !== OTHER) {
        seen |= kind;
        continue;
      }
      const next = at + (bytes[at] === 0x0d ? 2 : 1);
      if ((bytes[at] !== 0x0a && bytes[at] !== 0x0d) || at - lineStart < MIN_WRAPPED_CHARS) break;
      let after = next;
      while (after < size && after < next + 40 && (bytes[after] === 0x20 || bytes[after] === 0x09)) after += 1;
      if (after >= size || BASE64_CLASS[bytes[after]!] === OTHER) break;
      lineStart = after;
      at = after;
    }
    // Base64 of text has upper and lower case; words and hexadecimal have not.
    if ((seen & UPPER) !== 0 && (seen & LOWER) !== 0) yield [start, at];
  }
}
