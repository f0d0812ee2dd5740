/**
 * From the text of a guest's path to names below a preopened root. Purely lexical: `..` takes
 * away the name before it, and a path that leaves the directory it starts from is refused, whatever
 * lies behind it. Guest file systems have no symbolic links, so the names mean the same afterwards.
 */
import { refuse } from './errno.ts';

/** NAME_MAX and PATH_MAX of Linux (limits.h), in bytes; what leaves the sandbox must be storable there. */
const MAX_NAME_BYTES = 255;
const MAX_PATH_BYTES = 4_096;
/** Names between a root and a file: bounds the work for one path, and the longest path that is exported. */
export const MAX_DEPTH = 255;

/** A byte order mark is part of a name like any other character. */
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export interface GuestPath {
  readonly names: readonly string[];
  /** It is written as one of a directory: it ends in `/`, `.` or `..`. */
  readonly directory: boolean;
  /** It is the directory it starts from. */
  readonly self: boolean;
}

const isAscii = (text: string, bytes: number): boolean => text.length === bytes;

function decode(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    // Not UTF-8: paths are Unicode in WASI.
    return refuse('ILSEQ');
  }
}

/**
 * @param base the directory descriptor's own names; `..` never goes above it
 * @throws `WasiRefusal`: NOENT (empty), NAMETOOLONG, ILSEQ (not UTF-8), INVAL (NUL), NOTCAPABLE (absolute, or leaves `base`)
 */
export function resolveGuestPath(base: readonly string[], bytes: Uint8Array): GuestPath {
  if (bytes.length === 0) refuse('NOENT');
  if (bytes.length > MAX_PATH_BYTES) refuse('NAMETOOLONG');
  const text = decode(bytes);
  if (text.includes('\0')) refuse('INVAL');
  if (text.startsWith('/')) refuse('NOTCAPABLE');
  const parts = text.split('/');
  const names = [...base];
  for (const part of parts) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      if (names.length === base.length) refuse('NOTCAPABLE');
      names.pop();
      continue;
    }
    if (part.length > MAX_NAME_BYTES) refuse('NAMETOOLONG');
    if (!isAscii(text, bytes.length) && Buffer.byteLength(part) > MAX_NAME_BYTES) refuse('NAMETOOLONG');
    if (names.length === MAX_DEPTH) refuse('NAMETOOLONG');
    names.push(part);
  }
  const last = parts.at(-1);
  return {
    names,
    directory: last === '' || last === '.' || last === '..',
    self: names.length === base.length,
  };
}
