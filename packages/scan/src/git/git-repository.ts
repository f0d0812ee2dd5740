/**
 * A repository as a scanner sees it: the files of the work tree, and every object that any ref, tag
 * or stash reaches. Reads only, through `git` (see git-process.ts). Objects that only a reflog or
 * nothing reaches are not part of it: clones do not carry them, and they vanish by themselves.
 */
import { realpath } from 'node:fs/promises';

import { HoldfastError } from '@holdfast/core';

import { readGit, splitOutput, streamGit } from './git-process.ts';

const NUL = 0;
const NEWLINE = 10;
const GITLINK_MODE = '160000';
const SYMLINK_MODE = '120000';

/** A file that belongs to the work tree: tracked, or new and not ignored. */
export interface TreeFile {
  readonly path: string;
  /** The staged blob; `null` for a file that is not tracked. */
  readonly blob: string | null;
  readonly kind: 'file' | 'symlink' | 'submodule' | 'repository';
}

export interface Ref {
  readonly name: string;
  readonly object: string;
  readonly type: string;
}

/** Where a blob appears first: the oldest commit that brought it, and its path there. */
export interface BlobPlace {
  readonly commit: string | null;
  readonly path: string;
}

export interface History {
  /** Oldest first. */
  readonly commits: readonly string[];
  /** Blobs by id, in the order in which they appeared. */
  readonly blobs: ReadonlyMap<string, BlobPlace>;
}

export interface GitObject {
  readonly id: string;
  readonly type: string;
  readonly sizeBytes: number;
  /** `null` when it is larger than asked for, or missing (`type` is then `missing`). */
  readonly bytes: Buffer | null;
}

export interface GitRepository {
  /** Absolute, without symlinks. */
  readonly root: string;
  readonly objectFormat: 'sha1' | 'sha256';
  /** The history ends at a shallow boundary. */
  readonly shallow: boolean;
  /** A filter left objects out when it was cloned. */
  readonly partial: boolean;
  listTree(signal: AbortSignal): Promise<readonly TreeFile[]>;
  listRefs(signal: AbortSignal): Promise<readonly Ref[]>;
  listHistory(signal: AbortSignal): Promise<History>;
  /** Reads objects in the order asked for; those over `maxBytes` come without their bytes. One process for all. */
  readObjects(ids: Iterable<string>, maxBytes: number, signal: AbortSignal): AsyncIterable<GitObject>;
}

/** @throws `ERR_SCAN_INPUT` when `directory` is in no work tree, or git is not there */
export async function openGitRepository(directory: string, signal: AbortSignal): Promise<GitRepository> {
  const from = await realpath(directory).catch((cause: unknown) => {
    throw new HoldfastError('the directory cannot be read', {
      code: 'ERR_SCAN_INPUT',
      fields: { reason: 'the directory does not exist or cannot be read' },
      cause,
    });
  });
  const facts = (
    await readGit(from, ['rev-parse', '--show-toplevel', '--is-shallow-repository', '--show-object-format'], signal)
  )
    .trimEnd()
    .split('\n');
  const root = await realpath(facts[0] ?? '');
  // `core.worktree` of a hostile repository may point anywhere; only a tree around `directory` was asked for.
  if (from !== root && !from.startsWith(`${root}/`)) {
    throw new HoldfastError('the repository names another work tree', {
      code: 'ERR_SCAN_INPUT',
      fields: { reason: 'core.worktree points outside the directory' },
    });
  }
  return new CommandLineRepository(
    root,
    facts[2] === 'sha256' ? 'sha256' : 'sha1',
    facts[1] === 'true',
    await isPartial(root, signal),
  );
}

async function isPartial(root: string, signal: AbortSignal): Promise<boolean> {
  for await (const key of splitOutput(streamGit(root, ['config', '-z', '--name-only', '--list'], null, signal), NUL)) {
    if (/^extensions\.partialclone$|^remote\..*\.(?:promisor|partialclonefilter)$/i.test(key)) return true;
  }
  return false;
}

class CommandLineRepository implements GitRepository {
  readonly root: string;
  readonly objectFormat: 'sha1' | 'sha256';
  readonly shallow: boolean;
  readonly partial: boolean;

  constructor(root: string, objectFormat: 'sha1' | 'sha256', shallow: boolean, partial: boolean) {
    this.root = root;
    this.objectFormat = objectFormat;
    this.shallow = shallow;
    this.partial = partial;
  }

  async listTree(signal: AbortSignal): Promise<readonly TreeFile[]> {
    const files = new Map<string, TreeFile>();
    for await (const entry of splitOutput(streamGit(this.root, ['ls-files', '-z', '--stage'], null, signal), NUL)) {
      // `<mode> <object> <stage>\t<path>`; of a path in conflict the last stage stays, the others are in history.
      const tab = entry.indexOf('\t');
      const [mode = '', blob = ''] = entry.slice(0, tab).split(' ');
      const path = entry.slice(tab + 1);
      const kind = mode === GITLINK_MODE ? 'submodule' : mode === SYMLINK_MODE ? 'symlink' : 'file';
      files.set(path, { path, blob: kind === 'submodule' ? null : blob, kind });
    }
    const untracked = ['ls-files', '-z', '--others', '--exclude-standard'];
    for await (const path of splitOutput(streamGit(this.root, untracked, null, signal), NUL)) {
      files.set(path, { path, blob: null, kind: path.endsWith('/') ? 'repository' : 'file' });
    }
    return [...files.values()];
  }

  async listRefs(signal: AbortSignal): Promise<readonly Ref[]> {
    const refs: Ref[] = [];
    const args = ['for-each-ref', '--format=%(objectname) %(objecttype) %(refname)'];
    for await (const line of splitOutput(streamGit(this.root, args, null, signal), NEWLINE)) {
      const [object = '', type = '', ...name] = line.split(' ');
      refs.push({ object, type, name: name.join(' ') });
    }
    return refs;
  }

  async listHistory(signal: AbortSignal): Promise<History> {
    const starts = await this.#starts(signal);
    const commits = new Set<string>();
    const blobs = new Map<string, BlobPlace>();
    // Merges are compared with each parent: a merge may bring what no parent has.
    const walk = ['log', '--stdin', '--reverse', '--topo-order', '--format=commit %H'];
    const raw = ['--raw', '-z', '--no-abbrev', '--root', '-m', '--no-renames', '--no-ext-diff', '--no-textconv'];
    let commit = '';
    let blob: string | null = null;
    let pathFollows = false;
    if (starts.commits.length > 0) {
      for await (const token of splitOutput(streamGit(this.root, [...walk, ...raw], starts.commits, signal), NUL)) {
        if (pathFollows) {
          if (blob !== null && !blobs.has(blob)) blobs.set(blob, { commit, path: token });
          pathFollows = false;
          continue;
        }
        const text = token.replace(/^\n+/, '');
        if (text.startsWith(':')) {
          // git-diff-tree(1) "Raw output format": `:<mode> <mode> <object> <object> <status>`
          const [, mode = '', , after = ''] = text.split(' ');
          blob = mode === GITLINK_MODE || /^0+$/.test(after) ? null : after;
          pathFollows = true;
        } else if (text.startsWith('commit ')) {
          commit = text.slice('commit '.length).trim();
          commits.add(commit);
        }
      }
    }
    for (const [id, path] of await this.#blobsOutsideCommits(starts.others, signal)) {
      if (!blobs.has(id)) blobs.set(id, { commit: null, path });
    }
    return { commits: [...commits], blobs };
  }

  /** Commits to walk from (all refs, HEAD, every stash), and what refs name that is no commit. */
  async #starts(signal: AbortSignal): Promise<{ commits: string[]; others: string[] }> {
    const refs = await this.listRefs(signal);
    const names = new Set(refs.map((ref) => ref.object));
    const head = await readGit(this.root, ['rev-parse', '--quiet', '--verify', 'HEAD'], signal).catch(() => '');
    if (head !== '') names.add(head.trim());
    if (refs.some((ref) => ref.name === 'refs/stash')) {
      // Older stashes live in the reflog of the newest alone.
      const stashes = await readGit(this.root, ['reflog', 'show', '--format=%H', 'refs/stash'], signal);
      for (const id of stashes.split('\n')) if (id !== '') names.add(id);
    }
    const commits: string[] = [];
    const others: string[] = [];
    // `^{}` peels tags of tags of anything.
    const peel = ['cat-file', '--batch-check=%(objectname) %(objecttype)'];
    const asked = [...names].map((name) => `${name}^{}`);
    for await (const line of splitOutput(streamGit(this.root, peel, asked, signal), NEWLINE)) {
      const [id = '', type = ''] = line.split(' ');
      if (type === 'commit') commits.push(id);
      else others.push(id);
    }
    return { commits, others };
  }

  async #blobsOutsideCommits(objects: readonly string[], signal: AbortSignal): Promise<Map<string, string>> {
    const paths = new Map<string, string>();
    if (objects.length === 0) return paths;
    const walk = ['rev-list', '--objects', '--stdin'];
    for await (const line of splitOutput(streamGit(this.root, walk, objects, signal), NEWLINE)) {
      const space = line.indexOf(' ');
      paths.set(space < 0 ? line : line.slice(0, space), space < 0 ? '' : line.slice(space + 1));
    }
    const check = ['cat-file', '--batch-check=%(objectname) %(objecttype)'];
    for await (const line of splitOutput(streamGit(this.root, check, [...paths.keys()], signal), NEWLINE)) {
      const [id = '', type = ''] = line.split(' ');
      if (type !== 'blob') paths.delete(id);
    }
    return paths;
  }

  async *readObjects(ids: Iterable<string>, maxBytes: number, signal: AbortSignal): AsyncGenerator<GitObject> {
    const check = ['cat-file', '--buffer', '--batch-check=%(objectname) %(objecttype) %(objectsize)'];
    const wanted: string[] = [];
    for await (const line of splitOutput(streamGit(this.root, check, ids, signal), NEWLINE)) {
      const [id = '', type = '', size = '0'] = line.split(' ');
      if (type !== 'missing' && Number(size) <= maxBytes) wanted.push(id);
      else yield { id, type, sizeBytes: Number(size) || 0, bytes: null };
    }
    if (wanted.length === 0) return;
    const output = new OutputReader(streamGit(this.root, ['cat-file', '--buffer', '--batch'], wanted, signal));
    try {
      for (const _ of wanted) {
        const [id = '', type = '', size = ''] = (await output.readLine()).split(' ');
        const sizeBytes = Number(size);
        const bytes = await output.readBytes(sizeBytes);
        await output.readBytes(1); // the newline after the content
        yield { id, type, sizeBytes, bytes };
      }
    } finally {
      await output.close();
    }
  }
}

/** Takes lines and counted bytes from a stream of chunks. */
class OutputReader {
  readonly #chunks: AsyncGenerator<Buffer, void, undefined>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(chunks: AsyncGenerator<Buffer, void, undefined>) {
    this.#chunks = chunks;
  }

  async readLine(): Promise<string> {
    let at = this.#rest.indexOf(NEWLINE);
    while (at < 0) {
      this.#rest = Buffer.concat([this.#rest, await this.#next()]);
      at = this.#rest.indexOf(NEWLINE);
    }
    const line = this.#rest.toString('latin1', 0, at);
    this.#rest = this.#rest.subarray(at + 1);
    return line;
  }

  async readBytes(count: number): Promise<Buffer> {
    if (this.#rest.length < count) {
      const parts = [this.#rest];
      for (let have = this.#rest.length; have < count;) {
        const chunk = await this.#next();
        parts.push(chunk);
        have += chunk.length;
      }
      this.#rest = Buffer.concat(parts);
    }
    const bytes = this.#rest.subarray(0, count);
    this.#rest = this.#rest.subarray(count);
    return bytes;
  }

  async #next(): Promise<Buffer> {
    const { value, done } = await this.#chunks.next();
    if (done !== true) return value;
    throw new HoldfastError('git ended before it had answered', {
      code: 'ERR_SCAN_INPUT',
      fields: { subcommand: 'cat-file', reason: 'objects are missing or damaged: see `git fsck`' },
    });
  }

  async close(): Promise<void> {
    await this.#chunks.return();
  }
}
