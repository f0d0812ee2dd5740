/** Digest, owner and mode of listed files (C-13). */
import { sha256Hex } from '@holdfast/crypto';
import type { Finding } from '@holdfast/evidence';
import type { FileState, HostReader } from '@holdfast/host';
import { z } from 'zod';
import type { Check } from '../check.ts';
import { attempt, fail, pass, unknown } from '../finding.ts';
import { diffLines } from '../line-diff.ts';
import { AbsolutePath, Mode, unique } from '../values.ts';

/** Content that stands in the baseline itself. */
const MAX_INLINE_BYTES = 64 * 1024;
/** A few diffs must fit into one report. */
const MAX_FILE_DIFF_CHARS = 4_000;

const FileEntry = z
  .strictObject({
    path: AbsolutePath,
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
    mode: Mode,
    uid: z.int().min(0).max(4_294_967_294),
    gid: z.int().min(0).max(4_294_967_294),
    /** The content to restore: as text, as base64, or `blob: true` for a copy stored under its digest. */
    text: z.string().nullable().default(null),
    base64: z.base64().nullable().default(null),
    blob: z.boolean().default(false),
  })
  .superRefine((entry, context) => {
    const sources = [entry.text !== null, entry.base64 !== null, entry.blob].filter(Boolean).length;
    if (sources > 1)
      context.addIssue({ code: 'custom', path: [], message: 'has more than one of text, base64 and blob' });
    const content = inlineContent(entry);
    if (content === null) return;
    const path = [entry.text === null ? 'base64' : 'text'];
    if (content.length > MAX_INLINE_BYTES) context.addIssue({ code: 'custom', path, message: 'is larger than 64 KiB' });
    else if (sha256Hex(content) !== entry.sha256) {
      context.addIssue({ code: 'custom', path, message: 'does not have the digest of the entry' });
    }
  });
export type FileEntry = z.infer<typeof FileEntry>;

export const FilesExpectation = z.strictObject({ entries: unique(FileEntry, 500, (entry) => entry.path) });
export type FilesExpectation = z.infer<typeof FilesExpectation>;

export const files: Check<FilesExpectation> = {
  name: 'files',
  title: 'Listed files have the content, owner and mode of the baseline',
  expectation: FilesExpectation,
  timeoutMs: 5_000,

  async run({ entries }, { host }, signal): Promise<readonly Finding[]> {
    return Promise.all(entries.map((entry) => judge(entry, host, signal)));
  },
};

/** The content the baseline carries for a file, or `null`. */
export function inlineContent(entry: Pick<FileEntry, 'text' | 'base64'>): Uint8Array | null {
  if (entry.text !== null) return new TextEncoder().encode(entry.text);
  if (entry.base64 !== null) return new Uint8Array(Buffer.from(entry.base64, 'base64'));
  return null;
}

async function judge(entry: FileEntry, host: HostReader, signal: AbortSignal): Promise<Finding> {
  const { path } = entry;
  const read = await attempt(() => host.files.stat(path, signal), signal);
  if (!read.ok) return unknown('high', 'file-unreadable', path, `${path} cannot be read: ${read.why}`);
  const state = read.value;
  const expected = { sha256: entry.sha256, mode: entry.mode, uid: entry.uid, gid: entry.gid };
  const restorable = entry.blob || inlineContent(entry) !== null;

  if (state.kind === 'missing') {
    const comparison = { observed: { kind: 'missing' }, expected };
    if (restorable) return fail('high', 'file-missing', path, `${path} is missing`, comparison);
    return fail('high', 'file-lost', path, `${path} is missing, and the baseline has no copy`, comparison);
  }
  if (state.kind !== 'file') {
    const comparison = { observed: { kind: state.kind }, expected: { kind: 'file', ...expected } };
    return fail('high', 'file-not-regular', path, `${path} is a ${state.kind}, not a regular file`, comparison);
  }
  if (state.sha256 === null) return unknown('high', 'file-unreadable', path, `The content of ${path} cannot be read`);

  const observed = { sha256: state.sha256, mode: state.mode, uid: state.uid, gid: state.gid };
  const comparison = { observed, expected };
  if (state.sha256 !== entry.sha256) {
    const diff = await contentDiff(entry, host, signal);
    if (restorable) {
      return fail('high', 'file-content-differs', path, `The content of ${path} differs`, { ...comparison, diff });
    }
    const message = `The content of ${path} differs, and the baseline has no copy`;
    return fail('high', 'file-content-lost', path, message, { ...comparison, diff });
  }
  const wrong = attributesThatDiffer(entry, state);
  if (wrong.length === 0) return pass('file-ok', path, `${path} is as in the baseline`, comparison);
  return fail('medium', 'file-attributes-differ', path, `${wrong.join(', ')} of ${path} differs`, comparison);
}

function attributesThatDiffer(entry: FileEntry, state: Exclude<FileState, { kind: 'missing' }>): string[] {
  return (['mode', 'uid', 'gid'] as const).filter((attribute) => entry[attribute] !== state[attribute]);
}

/**
 * Only for files whose text the baseline shows itself: a file that is worth hiding has no content
 * there, and its lines never reach evidence. A content that cannot be read leaves the diff out; the
 * digest has already decided.
 */
async function contentDiff(entry: FileEntry, host: HostReader, signal: AbortSignal): Promise<string | null> {
  const { text } = entry;
  if (text === null) return null;
  const read = await attempt(() => host.files.read(entry.path, 4 * MAX_INLINE_BYTES, signal), signal);
  if (!read.ok) return null;
  return diffLines(text, new TextDecoder().decode(read.value), MAX_FILE_DIFF_CHARS);
}
