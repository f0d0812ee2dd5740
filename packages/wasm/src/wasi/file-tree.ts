/** The nodes of a file system in memory: a tree of names, with what the quota of a guest pays for. */
import type { FileError, FileKind } from './capabilities.ts';
import { MAX_DEPTH } from './guest-path.ts';

export interface FileNode {
  readonly kind: 'file';
  readonly inode: bigint;
  modifiedNs: bigint;
  /** May be longer than the file. */
  bytes: Uint8Array;
  sizeBytes: number;
  /** Has a name; a file without one lives on while it is open. */
  linked: boolean;
  handles: number;
  /** The bytes are the guest's own copy and count against its quota. */
  owned: boolean;
  /** The guest made the file: it counts as one. */
  created: boolean;
}

export interface DirectoryNode {
  readonly kind: 'directory';
  readonly inode: bigint;
  readonly modifiedNs: bigint;
  readonly created: boolean;
  readonly children: Map<string, Node>;
  parent: DirectoryNode | null;
  /** At least the number of names below it: grows with what is put in, and does not shrink. */
  height: number;
}

export type Node = FileNode | DirectoryNode;

/** The node at `names`, or why there is none. */
export function nodeAt(root: DirectoryNode, names: readonly string[]): Node | FileError {
  let node: Node = root;
  for (const name of names) {
    if (node.kind !== 'directory') return 'not-a-directory';
    const child = node.children.get(name);
    if (child === undefined) return 'not-found';
    node = child;
  }
  return node;
}

/** The directory that holds, or would hold, the last of `names`. */
export function parentOf(root: DirectoryNode, names: readonly string[]): DirectoryNode | FileError {
  const parent = nodeAt(root, names.slice(0, -1));
  if (typeof parent === 'string') return parent;
  return parent.kind === 'directory' ? parent : 'not-a-directory';
}

const heightOf = (node: Node): number => (node.kind === 'directory' ? node.height + 1 : 1);

/** False when the tree would become deeper than paths may be. */
export const fits = (names: readonly string[], node: Node): boolean => names.length - 1 + heightOf(node) <= MAX_DEPTH;

export function attach(parent: DirectoryNode, name: string, node: Node): void {
  parent.children.set(name, node);
  if (node.kind === 'directory') node.parent = parent;
  let height = heightOf(node);
  for (let above: DirectoryNode | null = parent; above !== null && above.height < height; above = above.parent) {
    above.height = height;
    height += 1;
  }
}

/** Every node below `root` with its path, parents first, in the order of names. Not recursive: trees may be deep. */
export function* walk(root: DirectoryNode): Generator<{ readonly path: string; readonly node: Node }> {
  const pending: { readonly path: string; readonly node: Node }[] = [{ path: '', node: root }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { path, node } = next;
    if (node !== root) yield next;
    if (node.kind !== 'directory') continue;
    const below = [...node.children].toSorted(([a], [b]) => (a < b ? 1 : -1));
    for (const [name, child] of below) pending.push({ path: path === '' ? name : `${path}/${name}`, node: child });
  }
}

export interface SnapshotEntry {
  /** Names below the root. */
  readonly path: readonly string[];
  readonly kind: FileKind;
  /** Of a file. Not copied: MUST NOT change while a snapshot uses it, and is never written to. */
  readonly bytes?: Uint8Array;
  readonly modifiedNs?: bigint;
}

/** What became of one path of the snapshot. A path that changed its kind is removed, then created. */
export interface FileChange {
  readonly path: readonly string[];
  readonly kind: FileKind;
  readonly change: 'created' | 'changed' | 'removed';
  /** The new content of a file. */
  readonly bytes: Uint8Array | null;
}
