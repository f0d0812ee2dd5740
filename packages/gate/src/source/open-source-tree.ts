/**
 * The source tree under test, as git knows it. Nothing here changes the repository: reading
 * takes no lock and refreshes no index, and checkouts are repositories of their own that borrow the
 * objects.
 */
import { chmod, mkdtemp, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';
import type { Source } from '../records/run-record.ts';
import type { SourceTree } from '../run/runner.ts';
import { findGit, Git, GitExit, sourceError } from './git.ts';
import { type BlobDigests, isRecord, splitNul, treeDigest } from './tree-digest.ts';

/**
 * Opens the work tree that `directory` is in.
 *
 * @throws `ERR_GATE_SOURCE` when there is none, git is missing, or refuses another user's repository
 */
export async function openSourceTree(directory: string): Promise<SourceTree> {
  const git = new Git(findGit(process.env['PATH'] ?? ''), await realpath(directory).catch(notADirectory));
  const signal = AbortSignal.timeout(OPEN_TIMEOUT_MS);
  const root = await git.run(['rev-parse', '--show-toplevel'], { signal }).catch(explain);
  const asked = ['rev-parse', '--path-format=absolute', '--git-path', 'index'] as const;
  const index = await git.run(asked, { signal }).catch(explain);
  return new GitSourceTree(git.in(withoutNewline(root)), withoutNewline(index));
}

/** For one look at a directory. */
const OPEN_TIMEOUT_MS = 30_000;

class GitSourceTree implements SourceTree {
  readonly root: string;
  readonly #git: Git;
  readonly #index: string;
  #hidden: { readonly index: string; readonly files: readonly Buffer[] } | null = null;
  /** What was hashed once has that digest for ever. */
  readonly #blobs: BlobDigests = new Map();
  readonly #trees = new Map<string, Promise<string>>();

  constructor(git: Git, index: string) {
    this.#git = git;
    this.#index = index;
    this.root = git.directory;
  }

  async read(exclude: string, signal: AbortSignal): Promise<Source> {
    const records = recordsPath(exclude);
    const status = ['status', '--porcelain=v2', '--branch', '-z', '--untracked-files=all'] as const;
    const [state, hidden] = await Promise.all([
      this.#git.run([...status, '--no-renames', '--ignore-submodules=none'], { signal }).catch(explain),
      this.#hiddenFiles(signal),
    ]);
    const { commit, dirty } = parseStatus(splitNul(state), records);
    for (const path of hidden) if (!isRecord(path, records)) dirty.add(path.toString('latin1'));
    return { commit, tree: await this.#treeOf(commit, records, signal), dirtyFiles: dirty.size };
  }

  /** Flags stand in the index alone, so they are read again when it was written again. */
  async #hiddenFiles(signal: AbortSignal): Promise<readonly Buffer[]> {
    const stats = await stat(this.#index, { bigint: true }).catch(() => null); // no index before the first `git add`
    const index = stats === null ? '' : [stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join(' ');
    if (this.#hidden?.index !== index) {
      const listing = await this.#git.run(['ls-files', '-v', '-z'], { signal }).catch(explain);
      this.#hidden = { index, files: hiddenFiles(splitNul(listing)) };
    }
    return this.#hidden.files;
  }

  /** A commit's digest never changes, so each is taken once. */
  async #treeOf(commit: string, records: Buffer, signal: AbortSignal): Promise<string> {
    const key = `${commit} ${records.toString('latin1')}`;
    const digest = this.#trees.get(key) ?? treeDigest(this.#git, commit, records, this.#blobs, signal).catch(explain);
    this.#trees.set(key, digest);
    try {
      return await digest;
    } catch (error) {
      this.#trees.delete(key);
      throw error;
    }
  }

  async changedFiles(
    from: string | null,
    to: string,
    exclude: string,
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    const records = recordsPath(exclude);
    const end = await this.resolve(to, signal);
    const args: [string, ...string[]] =
      from === null
        ? ['ls-tree', '-r', '-z', '--full-tree', '--name-only', end]
        : [
            'diff-tree',
            '-r',
            '-z',
            '--no-renames',
            '--name-only',
            '--no-ext-diff',
            await this.resolve(from, signal),
            end,
          ];
    const paths = splitNul(await this.#git.run(args, { signal }).catch(explain));
    return paths
      .filter((path) => !isRecord(path, records))
      .map(pathText)
      .toSorted();
  }

  async authors(from: string | null, to: string, exclude: string, signal: AbortSignal): Promise<readonly string[]> {
    const records = recordsPath(exclude);
    const end = await this.resolve(to, signal);
    const range = from === null ? end : `${await this.resolve(from, signal)}..${end}`;
    const format = ['--full-history', '--no-mailmap', '-z', '--format=%ae%n%ce%n%B'] as const;
    const paths = ['--', ':(top)', ...RECORDS.map((path) => `:(top,exclude,glob)${records.toString()}/${path}`)];
    const log = await this.#git.run(['log', ...format, range, ...paths], { signal }).catch(explain);
    const commits = `${log.toString()}\0`.split('\0');
    return [...new Set(commits.flatMap(addressesOf))].toSorted();
  }

  async resolve(name: string, signal: AbortSignal): Promise<string> {
    // A name that looks like an option is none that git would have made.
    if (name.startsWith('-')) throw unknownCommit();
    const args = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${name}^{commit}`] as const;
    try {
      return withoutNewline(await this.#git.run(args, { signal }));
    } catch (error) {
      throw error instanceof GitExit ? unknownCommit(error) : error;
    }
  }

  async checkout(commit: string, signal: AbortSignal): Promise<AsyncDisposable & { readonly path: string }> {
    const id = await this.resolve(commit, signal);
    const asked = ['rev-parse', '--path-format=absolute', '--git-path'] as const;
    const objects = withoutNewline(await this.#git.run([...asked, 'objects'], { signal }).catch(explain));
    const shallow = withoutNewline(await this.#git.run([...asked, 'shallow'], { signal }).catch(explain));
    const path = await mkdtemp(join(await realpath(tmpdir()), 'holdfast-gate-'));
    const remove = (): Promise<void> => rm(path, { recursive: true, force: true, maxRetries: 3 });
    try {
      const git = this.#git.in(path);
      // Nobody's configuration: a filter there could fetch from the network, or write something else.
      const options = { signal, env: { GIT_CONFIG_GLOBAL: '/dev/null' } };
      const format = id.length === 64 ? 'sha256' : 'sha1';
      await git.run(['init', '--quiet', '--template=', `--object-format=${format}`], options);
      // gitrepository-layout(5): a path in double quotes may hold any character.
      await writeFile(join(path, '.git/objects/info/alternates'), `${JSON.stringify(objects)}\n`);
      const boundary = await readFile(shallow).catch(() => null); // most clones are not shallow
      if (boundary !== null) await writeFile(join(path, '.git/shallow'), boundary);
      await git.run(['checkout', '--quiet', '--detach', id], options);
      // As open as the work tree: a command that runs as another user may read one like the other.
      await chmod(path, (await stat(this.root)).mode & 0o777);
    } catch (error) {
      await remove();
      return explain(error);
    }
    return { path, [Symbol.asyncDispose]: remove };
  }
}

/** What `isRecord` knows, in the words of gitglossary(7), "pathspec". */
const RECORDS = [
  '**/log.jsonl',
  '**/checkpoint',
  '**/objects/**',
  '**/.gitignore',
  '**/.gitattributes',
  'review-*.yaml',
];

const unknownCommit = (cause?: GitExit): Error =>
  sourceError('unknown-commit', 'no commit of that name is in the repository', cause);

/** git ends a path it prints with one newline; others belong to the path. */
const withoutNewline = (bytes: Buffer): string => bytes.toString().replace(/\n$/, '');

function notADirectory(cause: unknown): never {
  throw sourceError('not-a-work-tree', 'the directory does not exist', cause);
}

function explain(error: unknown): never {
  if (!(error instanceof GitExit)) throw error;
  if (error.stderr.includes('dubious ownership')) {
    throw sourceError(
      'owned-by-another-user',
      'the repository belongs to another user; if you trust it: git config --global --add safe.directory <its path>',
      error,
    );
  }
  if (/not a git repository|must be run in a work tree|cannot change to/.test(error.stderr)) {
    throw sourceError(
      'not-a-work-tree',
      'the directory is not in a work tree of git, and a gate judges commits: `git init` makes one',
      error,
    );
  }
  throw sourceError('git-failed', error.message, error);
}

/** The records' directory in the one spelling that git uses. @throws `ERR_GATE_SOURCE` for the root itself */
function recordsPath(exclude: string): Buffer {
  const path = posix.normalize(exclude).replace(/\/$/, '');
  if (path === '.' || path.startsWith('..') || path.startsWith('/')) {
    throw sourceError('records-directory', 'records lie in a directory below the root of the repository');
  }
  return Buffer.from(path);
}

/** git-status(1), "Porcelain Format Version 2" with -z. */
function parseStatus(lines: readonly Buffer[], records: Buffer): { commit: string; dirty: Set<string> } {
  const dirty = new Set<string>();
  let commit = '';
  for (const line of lines) {
    const text = line.toString('latin1'); // one character a byte
    if (text.startsWith('# branch.oid ')) commit = text.slice('# branch.oid '.length);
    if (text.startsWith('#')) continue;
    const path = Buffer.from(text.split(' ').slice(fieldsBeforePath(text)).join(' '), 'latin1');
    if (!isRecord(path, records)) dirty.add(path.toString('latin1'));
  }
  if (commit === '' || commit === '(initial)') {
    throw sourceError(
      'no-commit',
      'the repository has no commit yet, and a gate judges commits: `git add` the sources and `git commit` them first',
    );
  }
  return { commit, dirty };
}

function fieldsBeforePath(line: string): number {
  if (line.startsWith('1 ')) return 8; // changed: XY sub mH mI mW hH hI
  if (line.startsWith('u ')) return 10; // unmerged: XY sub m1 m2 m3 mW h1 h2 h3
  return 1; // untracked
}

/**
 * Files that git was told not to look at: `assume-unchanged` prints its tag in lower case,
 * `skip-worktree` (also of a sparse checkout) prints S. What is not looked at is not known to be clean.
 */
function hiddenFiles(lines: readonly Buffer[]): readonly Buffer[] {
  return lines.filter((line) => /^[a-zS] /.test(line.toString('latin1', 0, 2))).map((line) => line.subarray(2));
}

/** Bytes that are no UTF-8 are shown as `\xNN`, so that two names never become one. */
function pathText(path: Buffer): string {
  const text = path.toString();
  if (Buffer.from(text).equals(path)) return text;
  return path
    .toString('latin1')
    .replaceAll(/[^ -~]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

/** Lines anywhere in the message, because squash merges leave trailers in its middle. */
const CO_AUTHOR = /^co-authored-by:[^<\n]{0,500}<([^<>\n]{1,320})>/gim;

/** Author, committer and co-authors of one commit as `git log` prints it. */
function addressesOf(commit: string): readonly string[] {
  const [author = '', committer = '', ...message] = commit.replace(/^\n/, '').split('\n');
  const coAuthors = [...message.join('\n').matchAll(CO_AUTHOR)].map(([, address = '']) => address);
  return [author, committer, ...coAuthors].map((address) => address.trim().toLowerCase()).filter((a) => a !== '');
}
