/**
 * The tree that runbooks are verified against: every file that git tracks, or would, of one work tree.
 * `openCandidate` asks git which; nothing of it ever changes a repository. Whether the tree is the
 * commit that is released is for the caller to know.
 */
import { lstat, readFile, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { HoldfastError } from '@holdfast/core';
import type { CommandRunner } from '@holdfast/host';

export interface Candidate {
  /** Relative paths with `/`, sorted, without those that git ignores. */
  readonly paths: readonly string[];
  /** @returns `null` for what is no regular file of the tree, leads out of it, or is larger than `maxBytes` */
  read(path: string, maxBytes: number): Promise<Uint8Array | null>;
  /** Whether `id`, in full, is a commit of the repository. */
  hasCommit(id: string, signal: AbortSignal): Promise<boolean>;
}

/** 100,000 paths of 300 bytes. */
const MAX_LISTING_BYTES = 32 * 1_024 * 1_024;
const GIT_TIMEOUT_MS = 60_000;

/**
 * @param git absolute path of the git program
 * @param root absolute path of the work tree
 * @throws `ERR_GATE_SOURCE` when `root` is in no work tree or git cannot list it
 */
export async function openCandidate(
  deps: { readonly commands: CommandRunner },
  { git, root }: { readonly git: string; readonly root: string },
  signal: AbortSignal,
): Promise<Candidate> {
  const real = await realpath(root);
  const run = (args: readonly string[], signal: AbortSignal) =>
    deps.commands.run(
      [git, '-c', 'core.fsmonitor=false', '-C', real, ...args],
      {
        timeoutMs: GIT_TIMEOUT_MS,
        maxOutputBytes: MAX_LISTING_BYTES,
        env: { GIT_OPTIONAL_LOCKS: '0', GIT_NO_LAZY_FETCH: '1', LC_ALL: 'C' },
      },
      signal,
    );
  const listed = await run(['ls-files', '-z', '--cached', '--others', '--exclude-standard'], signal);
  if (listed.exitCode !== 0 || listed.truncated) {
    const reason = listed.truncated ? 'too many files' : 'no work tree of git';
    throw new HoldfastError(`The source tree cannot be listed: ${reason}`, {
      code: 'ERR_GATE_SOURCE',
      fields: { reason },
    });
  }
  const paths = new Set(Buffer.from(listed.stdout).toString().split('\0'));
  paths.delete('');
  return {
    paths: [...paths].toSorted(),
    async read(path, maxBytes) {
      if (!paths.has(path)) return null;
      const absolute = join(real, path);
      try {
        const state = await lstat(absolute);
        if (!state.isFile() || state.size > maxBytes) return null;
        // A directory of the path may be a link out of the tree.
        if (!(await realpath(absolute)).startsWith(real + sep)) return null;
        return await readFile(absolute);
      } catch {
        return null; // listed and not there: deleted in the work tree
      }
    },
    async hasCommit(id, signal) {
      return (await run(['cat-file', '-e', `${id}^{commit}`], signal)).exitCode === 0;
    },
  };
}
