/**
 * A directory as a guest sees it, in memory: a snapshot of the host's, read-only or copy-on-write with
 * quotas. The host's directory is not touched; what the guest changed is asked for afterwards.
 * There is no link of any kind, so every file has one name or none.
 */
import type { FileError, FileKind, FileResult, FileStat, GuestFile, GuestFileSystem } from './capabilities.ts';
import {
  attach,
  type DirectoryNode,
  type FileChange,
  type FileNode,
  fits,
  type Node,
  nodeAt,
  parentOf,
  type SnapshotEntry,
  walk,
} from './file-tree.ts';

export interface SnapshotOptions {
  readonly writable: boolean;
  /** Bytes of all files the guest wrote to, whole, those without a name but open among them. */
  readonly quotaBytes: number;
  /** Files and directories the guest made and did not remove. */
  readonly quotaFiles: number;
}

export interface SnapshotFileSystem extends GuestFileSystem {
  /** What is different from the snapshot: removed paths first, deepest first; then the others, parents first. */
  changes(): readonly FileChange[];
}

const ok = <T>(value: T): FileResult<T> => ({ ok: true, value });
const no = (error: FileError): { readonly ok: false; readonly error: FileError } => ({ ok: false, error });
const DONE = ok(null);

const statOf = (node: Node): FileStat => ({
  kind: node.kind,
  sizeBytes: node.kind === 'file' ? node.sizeBytes : 0,
  inode: node.inode,
  modifiedNs: node.modifiedNs,
});

function isName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !name.includes('/') && !name.includes('\0');
}

/** Bytes and files that a guest may still take. */
class Quota {
  bytes: number;
  files: number;

  constructor(options: SnapshotOptions) {
    this.bytes = options.quotaBytes;
    this.files = options.quotaFiles;
  }
}

/** Gives back what a file without a name and without a handle was charged for. */
function releaseIfGone(node: FileNode, quota: Quota): void {
  if (node.linked || node.handles > 0) return;
  if (node.owned) quota.bytes += node.sizeBytes;
  if (node.created) quota.files += 1;
  // The snapshot still knows the node; what it held shall not outlive what was paid for it.
  node.bytes = new Uint8Array(0);
  node.sizeBytes = 0;
}

/** Makes the file `sizeBytes` long in bytes of the guest's own. False when the quota does not allow it. */
function setSize(node: FileNode, sizeBytes: number, quota: Quota): boolean {
  const wanted = node.owned ? sizeBytes - node.sizeBytes : sizeBytes;
  if (wanted > quota.bytes) return false;
  // A file that shrank gives its memory back, or many files in turn would hold the quota many times.
  const wasteful = node.bytes.length > 4 * sizeBytes;
  if (!node.owned || wasteful || sizeBytes > node.bytes.length) {
    // Doubling keeps appending linear; never beyond what the quota could fill.
    const room = Math.min(sizeBytes + quota.bytes - wanted, node.owned && !wasteful ? 2 * sizeBytes : sizeBytes);
    let bytes: Uint8Array;
    try {
      bytes = new Uint8Array(room);
    } catch {
      // The host has less memory than the quota promised.
      return false;
    }
    bytes.set(node.bytes.subarray(0, Math.min(node.sizeBytes, sizeBytes)));
    node.bytes = bytes;
  } else {
    // What was cut off reads as zeros when the file grows over it again.
    node.bytes.fill(0, Math.min(sizeBytes, node.sizeBytes), Math.max(sizeBytes, node.sizeBytes));
  }
  quota.bytes -= wanted;
  node.owned = true;
  node.sizeBytes = sizeBytes;
  return true;
}

class SnapshotFile implements GuestFile {
  readonly #node: FileNode;
  readonly #quota: Quota;
  readonly #writable: boolean;
  #open = true;

  constructor(node: FileNode, quota: Quota, writable: boolean) {
    this.#node = node;
    this.#quota = quota;
    this.#writable = writable;
    node.handles += 1;
  }

  stat(): FileResult<FileStat> {
    return ok(statOf(this.#node));
  }

  read(buffer: Uint8Array, offset: number): FileResult<number> {
    const { bytes, sizeBytes } = this.#node;
    const piece = bytes.subarray(Math.min(offset, sizeBytes), Math.min(offset + buffer.length, sizeBytes));
    buffer.set(piece);
    return ok(piece.length);
  }

  write(bytes: Uint8Array, offset: number): FileResult<number> {
    if (!this.#writable) return no('not-permitted');
    if (bytes.length === 0) return ok(0);
    const end = Math.max(offset + bytes.length, this.#node.sizeBytes);
    if (!setSize(this.#node, end, this.#quota)) return no('quota');
    this.#node.bytes.set(bytes, offset);
    return ok(bytes.length);
  }

  resize(sizeBytes: number): FileResult<null> {
    if (!this.#writable) return no('not-permitted');
    return setSize(this.#node, sizeBytes, this.#quota) ? DONE : no('quota');
  }

  setModified(modifiedNs: bigint): FileResult<null> {
    this.#node.modifiedNs = modifiedNs;
    return DONE;
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#node.handles -= 1;
    releaseIfGone(this.#node, this.#quota);
  }
}

class Snapshot implements SnapshotFileSystem {
  readonly writable: boolean;
  readonly #root: DirectoryNode;
  readonly #quota: Quota;
  readonly #original = new Map<string, { readonly node: Node; readonly modifiedNs: bigint }>();
  #inodes = 1n;

  constructor(entries: readonly SnapshotEntry[], options: SnapshotOptions) {
    this.writable = options.writable;
    this.#quota = new Quota(options);
    this.#root = this.#newDirectory(false, 0n);
    // Parents before what is in them.
    for (const entry of entries.toSorted((a, b) => a.path.length - b.path.length)) this.#load(entry);
    for (const { path, node } of walk(this.#root)) this.#original.set(path, { node, modifiedNs: node.modifiedNs });
  }

  #load({ path, kind, bytes = new Uint8Array(0), modifiedNs = 0n }: SnapshotEntry): void {
    const name = path.at(-1);
    const parent = parentOf(this.#root, path);
    if (name === undefined || !path.every(isName) || typeof parent === 'string' || parent.children.has(name)) {
      throw new TypeError('a snapshot entry needs its directory before it, a proper name, and that only once');
    }
    const node = kind === 'file' ? this.#newFile(bytes, modifiedNs, false) : this.#newDirectory(false, modifiedNs);
    if (!fits(path, node)) throw new TypeError('a snapshot entry lies too deep');
    attach(parent, name, node);
  }

  #newFile(bytes: Uint8Array, modifiedNs: bigint, created: boolean): FileNode {
    const inode = this.#inodes++;
    const sizeBytes = bytes.length;
    return { kind: 'file', inode, modifiedNs, bytes, sizeBytes, linked: true, handles: 0, owned: created, created };
  }

  #newDirectory(created: boolean, modifiedNs: bigint): DirectoryNode {
    const inode = this.#inodes++;
    return { kind: 'directory', inode, modifiedNs, created, children: new Map(), parent: null, height: 0 };
  }

  stat(path: readonly string[]): FileResult<FileStat> {
    const node = nodeAt(this.#root, path);
    return typeof node === 'string' ? no(node) : ok(statOf(node));
  }

  list(
    path: readonly string[],
  ): FileResult<readonly { readonly name: string; readonly kind: FileKind; readonly inode: bigint }[]> {
    const node = nodeAt(this.#root, path);
    if (typeof node === 'string') return no(node);
    if (node.kind !== 'directory') return no('not-a-directory');
    const entries = Array.from(node.children, ([name, { kind, inode }]) => ({ name, kind, inode }));
    // By name, so that the order in which the host listed its directory does not show.
    return ok(entries.toSorted((a, b) => (a.name < b.name ? -1 : 1)));
  }

  open(path: readonly string[], options: Parameters<GuestFileSystem['open']>[1]): FileResult<GuestFile> {
    const found = nodeAt(this.#root, path);
    let file: FileNode;
    if (typeof found === 'string') {
      if (found !== 'not-found' || !options.create) return no(found);
      const created = this.#createFile(path);
      if (typeof created === 'string') return no(created);
      file = created;
    } else {
      if (options.create && options.exclusive) return no('exists');
      if (found.kind === 'directory') return no('is-a-directory');
      if ((options.write || options.truncate) && !this.writable) return no('read-only');
      file = found;
      if (options.truncate) setSize(file, 0, this.#quota);
    }
    return ok(new SnapshotFile(file, this.#quota, options.write));
  }

  #createFile(path: readonly string[]): FileNode | FileError {
    const parent = parentOf(this.#root, path);
    if (typeof parent === 'string') return parent;
    if (!this.writable) return 'read-only';
    if (this.#quota.files < 1) return 'too-many-files';
    this.#quota.files -= 1;
    const file = this.#newFile(new Uint8Array(0), 0n, true);
    attach(parent, path.at(-1)!, file); // `nodeAt` found the root for an empty path
    return file;
  }

  makeDirectory(path: readonly string[]): FileResult<null> {
    const found = nodeAt(this.#root, path);
    if (typeof found !== 'string') return no('exists');
    const parent = parentOf(this.#root, path);
    if (typeof parent === 'string') return no(parent);
    if (!this.writable) return no('read-only');
    if (this.#quota.files < 1) return no('too-many-files');
    const directory = this.#newDirectory(true, 0n);
    if (!fits(path, directory)) return no('invalid');
    this.#quota.files -= 1;
    attach(parent, path.at(-1)!, directory); // the root exists
    return DONE;
  }

  remove(path: readonly string[], kind: FileKind): FileResult<null> {
    const node = nodeAt(this.#root, path);
    if (typeof node === 'string') return no(node);
    if (node === this.#root) return no('not-permitted');
    if (node.kind !== kind) return no(kind === 'file' ? 'is-a-directory' : 'not-a-directory');
    if (node.kind === 'directory' && node.children.size > 0) return no('not-empty');
    if (!this.writable) return no('read-only');
    this.#drop(path, node);
    return DONE;
  }

  #drop(path: readonly string[], node: Node): void {
    const parent = parentOf(this.#root, path);
    if (typeof parent === 'string') throw new TypeError('a node was dropped that has no parent');
    parent.children.delete(path.at(-1)!); // not the root, which has no name
    if (node.kind === 'file') {
      node.linked = false;
      releaseIfGone(node, this.#quota);
    } else if (node.created) {
      this.#quota.files += 1;
    }
  }

  /** POSIX rename: replaces a file by a file, an empty directory by a directory. */
  rename(from: readonly string[], to: readonly string[]): FileResult<null> {
    const node = nodeAt(this.#root, from);
    if (typeof node === 'string') return no(node);
    const parent = parentOf(this.#root, to);
    if (typeof parent === 'string') return no(parent);
    const target = nodeAt(this.#root, to);
    if (node === this.#root || target === this.#root) return no('not-permitted');
    if (node === target) return this.writable ? DONE : no('read-only');
    if (node.kind === 'directory' && from.every((name, index) => name === to[index])) return no('invalid');
    if (typeof target !== 'string') {
      if (target.kind === 'directory' && node.kind === 'file') return no('is-a-directory');
      if (target.kind === 'file' && node.kind === 'directory') return no('not-a-directory');
      if (target.kind === 'directory' && target.children.size > 0) return no('not-empty');
    }
    if (!this.writable) return no('read-only');
    if (!fits(to, node)) return no('invalid');
    const oldParent = parentOf(this.#root, from);
    if (typeof oldParent === 'string') return no(oldParent);
    if (typeof target !== 'string') this.#drop(to, target);
    oldParent.children.delete(from.at(-1)!); // not the root, which has no name
    attach(parent, to.at(-1)!, node);
    return DONE;
  }

  changes(): readonly FileChange[] {
    const now = new Map(Array.from(walk(this.#root), ({ path, node }) => [path, node]));
    const removed: FileChange[] = [];
    for (const [path, { node }] of this.#original) {
      if (now.get(path)?.kind === node.kind) continue;
      removed.push({ path: path.split('/'), kind: node.kind, change: 'removed', bytes: null });
    }
    const others: FileChange[] = [];
    for (const [path, node] of now) {
      const before = this.#original.get(path);
      const kept = before?.node.kind === node.kind;
      if (kept && (node.kind === 'directory' || (before.node === node && !node.owned))) continue;
      const bytes = node.kind === 'file' ? node.bytes.slice(0, node.sizeBytes) : null;
      others.push({ path: path.split('/'), kind: node.kind, change: kept ? 'changed' : 'created', bytes });
    }
    return [...removed.toReversed(), ...others];
  }
}

/**
 * A file system of `entries`, in memory.
 *
 * @throws `TypeError` when the entries are no tree: a name that is none, twice, or in nothing
 */
export function snapshotFileSystem(entries: readonly SnapshotEntry[], options: SnapshotOptions): SnapshotFileSystem {
  return new Snapshot(entries, options);
}
