/**
 * The digest of a commit's sources: SHA-256 over path, mode and content of every tracked file outside
 * the gate's records. Contents are hashed by us, so that it does not rest on SHA-1 (submodules apart,
 * which git knows by their commit only). Two commits with the same sources share it.
 */
import { createHash } from 'node:crypto';
import { sha256Hex } from '@holdfast/crypto';
import { type Git, sourceError } from './git.ts';

const NUL = 0;
const TAB = 0x09;
const NEWLINE = 0x0a;

interface TreeEntry {
  readonly path: Buffer;
  /** `100644`, `100755`, `120000` for symlinks, `160000` for submodules. */
  readonly mode: string;
  /** Git's own id of the content, or of the submodule's commit. */
  readonly id: string;
}

/** Splits output of `-z` into its parts, without the empty one at the end. */
export function splitNul(bytes: Buffer): readonly Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0, end = bytes.indexOf(NUL); end !== -1; at = end + 1, end = bytes.indexOf(NUL, at)) {
    parts.push(bytes.subarray(at, end));
  }
  return parts;
}

/**
 * What the gate itself writes into the records' directory: per gate the log, its head and objects, and what
 * keeps git's hands off them, and summaries of verdicts for other tools; beside them reviews while they are written.
 */
const RECORD_FILE =
  /^(?:[a-z0-9][a-z0-9._-]{0,63}\/)?(?:log\.jsonl|checkpoint|lock(?:-journal)?|\.gitignore|\.gitattributes|review-[a-z0-9._-]{1,64}\.yaml|summaries\/[0-9]{6,12}-[0-9a-f]{12}\.vsa\.json|(?:objects\/[0-9a-f]{2}\/)?(?:[0-9a-f]{62}|\.[0-9a-f]{16}\.tmp))$/;

/**
 * Whether `path` is a record, which is no part of the sources; bytes, because names need not be UTF-8.
 * Whatever else lies among the records is source: code that nobody's digest covers could be changed unseen.
 */
export function isRecord(path: Buffer, records: Buffer): boolean {
  const { length } = records;
  if (!path.subarray(0, length).equals(records) || path[length] !== 0x2f) return false;
  return RECORD_FILE.test(path.toString('latin1', length + 1));
}

/** Digests of contents by git's id, kept for the life of the process. */
export type BlobDigests = Map<string, string>;

export async function treeDigest(
  git: Git,
  commit: string,
  exclude: Buffer,
  known: BlobDigests,
  signal: AbortSignal,
): Promise<string> {
  const listing = await git.run(['ls-tree', '-r', '-z', '--full-tree', commit], { signal });
  const entries = splitNul(listing)
    .map(parseEntry)
    .filter(({ path, mode }) => mode !== '100644' || !isRecord(path, exclude))
    .toSorted((a, b) => a.path.compare(b.path));
  const missing = new Set(entries.filter(({ mode, id }) => mode !== '160000' && !known.has(id)).map(({ id }) => id));
  await hashBlobs(git, missing, known, signal);
  const hash = createHash('sha256');
  for (const { path, mode, id } of entries) {
    hash.update(path).update(`\0${mode}\0${mode === '160000' ? id : (known.get(id) ?? '')}\0`);
  }
  return hash.digest('hex');
}

/** `<mode> <type> <id>\t<path>` */
function parseEntry(line: Buffer): TreeEntry {
  const tab = line.indexOf(TAB);
  const [mode = '', , id = ''] = line.subarray(0, tab).toString('latin1').split(' ');
  return { path: line.subarray(tab + 1), mode, id };
}

/** Hashes the contents of `ids` in one stream of `git cat-file`. */
async function hashBlobs(git: Git, ids: ReadonlySet<string>, known: BlobDigests, signal: AbortSignal): Promise<void> {
  if (ids.size === 0) return;
  const reader = new BatchReader(known);
  const input = [...ids].map((id) => `${id}\n`).join('');
  await git.run(['cat-file', '--batch'], { signal, input, onOutput: (chunk) => reader.push(chunk) });
  if ([...ids].some((id) => !known.has(id))) {
    throw sourceError('object-missing', 'the clone does not have all files of its commit: fetch them first');
  }
}

/** No header line is longer: an id, a type and a size. */
const MAX_HEADER_BYTES = 200;

/** Reads `<id> <type> <size>\n<content>\n`, over and over; `<id> missing\n` leaves the id out. */
class BatchReader {
  readonly #digests: BlobDigests;
  #header = '';
  #id = '';
  #left = 0;
  #hash: ReturnType<typeof createHash> | null = null;

  constructor(digests: BlobDigests) {
    this.#digests = digests;
  }

  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) at = this.#hash === null ? this.#readHeader(chunk, at) : this.#readContent(chunk, at);
  }

  #readHeader(chunk: Buffer, at: number): number {
    const end = chunk.indexOf(NEWLINE, at);
    this.#header += chunk.subarray(at, end === -1 ? undefined : end).toString('latin1');
    // What is no header names no object; the objects that stay unread are missed by the caller.
    if (this.#header.length > MAX_HEADER_BYTES) this.#header = '';
    if (end === -1) return chunk.length;
    const [id = '', type, size] = this.#header.split(' ');
    this.#header = '';
    if (type === 'blob') {
      this.#id = id;
      this.#left = Number(size);
      this.#hash = createHash('sha256');
      if (this.#left === 0) this.#digests.set(id, sha256Hex(''));
    }
    return end + 1;
  }

  #readContent(chunk: Buffer, at: number): number {
    if (this.#left === 0) {
      this.#hash = null; // and this byte is the newline after the content
      return at + 1;
    }
    const part = chunk.subarray(at, at + this.#left);
    this.#hash?.update(part);
    this.#left -= part.length;
    if (this.#left === 0) this.#digests.set(this.#id, this.#hash?.digest('hex') ?? '');
    return at + part.length;
  }
}
