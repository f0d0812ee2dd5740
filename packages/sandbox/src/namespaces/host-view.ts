/** Which of a profile's paths are there on this host, and as what: all that planning a slot needs of it. */
import { lstatSync, readlinkSync, statSync } from 'node:fs';

export type PathKind = 'file' | 'directory' | 'absent';

export interface HostView {
  /** Of what the path leads to. */
  kindOf(path: string): PathKind;
  /** Where the symlink at this path points, or `null` when it is none. */
  linkTarget(path: string): string | null;
}

/** Looks at `paths` once. A path that cannot be looked at counts as absent: it is then not shown. */
export function readHostView(paths: readonly string[]): HostView {
  const kinds = new Map(paths.map((path) => [path, kindOnHost(path)] as const));
  const links = new Map(paths.map((path) => [path, linkOnHost(path)] as const));
  return { kindOf: (path) => kinds.get(path) ?? 'absent', linkTarget: (path) => links.get(path) ?? null };
}

function kindOnHost(path: string): PathKind {
  try {
    return statSync(path).isDirectory() ? 'directory' : 'file';
  } catch {
    return 'absent'; // not there, or behind what even the spawner may not pass
  }
}

function linkOnHost(path: string): string | null {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : null;
  } catch {
    return null; // not there
  }
}
