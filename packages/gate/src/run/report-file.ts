/**
 * The file in which a command leaves its report: removed before the run, so that what is there
 * afterwards was written by it, and read as what a stranger left there.
 */
import { constants } from 'node:fs';
import { type FileHandle, open, realpath, unlink } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import { findGit, Git } from '../source/git.ts';

/** More than the largest report that is kept whole. */
export const MAX_REPORT_BYTES = 64 * 1024 * 1024;

export type ReportFile =
  | { readonly status: 'read'; readonly bytes: Uint8Array }
  | { readonly status: 'missing' | 'too-large' };

/**
 * Removes an earlier report. Never a directory, and never what git tracks or keeps for itself: a gate
 * file with a wrong path must not cost anybody a file, and what is left is too old for `readReport`.
 */
export async function discardReport(root: string, path: string, signal: AbortSignal): Promise<void> {
  const inside = await pathInside(root, path);
  if (inside === null || path.split('/').includes('.git')) return;
  const git = new Git(findGit(process.env['PATH'] ?? ''), dirname(inside));
  const tracked = await git
    .run(['ls-files', '-z', '--', `:(literal)${basename(inside)}`], { signal })
    .catch(() => null);
  if (tracked?.length === 0) await unlink(inside).catch(() => undefined); // not there, or too old for `readReport`
}

/**
 * Reads it. Symlinks, pipes, devices and what lies outside the root are `missing`, as is a file that
 * was there before: `notBeforeMs` is when the command started.
 */
export async function readReport(root: string, path: string, notBeforeMs: number): Promise<ReportFile> {
  const inside = await pathInside(root, path);
  if (inside === null) return { status: 'missing' };
  let file: FileHandle;
  try {
    // O_NONBLOCK: opening a pipe that nobody writes to would wait for ever.
    file = await open(inside, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return { status: 'missing' };
  }
  await using opened = file;
  const stats = await opened.stat();
  if (!stats.isFile() || stats.ctimeMs < notBeforeMs - CLOCK_GRANULARITY_MS) return { status: 'missing' };
  if (stats.size > MAX_REPORT_BYTES) return { status: 'too-large' };
  const bytes = Buffer.alloc(stats.size);
  const { bytesRead } = await opened.read(bytes, 0, bytes.length, 0);
  return { status: 'read', bytes: bytes.subarray(0, bytesRead) };
}

/** Kernels stamp files with the time of the last timer tick: 10 ms at 100 Hz. */
const CLOCK_GRANULARITY_MS = 20;

/** The path with its directory's symlinks resolved, if that is still below the root. */
async function pathInside(root: string, path: string): Promise<string | null> {
  const target = join(root, path);
  try {
    const directory = await realpath(dirname(target));
    const base = await realpath(root);
    return directory === base || directory.startsWith(base + sep)
      ? join(directory, target.slice(dirname(target).length + 1))
      : null;
  } catch {
    return null; // no such directory
  }
}
