/** Which arguments of a system call name files, and what the call does with them: the manual pages, section 2. */

/** `look`: attributes only; `change`: a name made, removed or given another inode, or an attribute written. */
export type NamedUse = 'look' | 'change' | 'execute';

export interface NamedPath {
  /** The argument that holds the directory of a relative name; the working directory when left out. */
  readonly directory?: number;
  readonly path: number;
  readonly use: NamedUse;
}

function at(use: NamedUse, ...places: readonly (readonly [directory: number, path: number])[]): readonly NamedPath[] {
  return places.map(([directory, path]) => ({ directory, path, use }));
}

function plain(use: NamedUse, ...paths: readonly number[]): readonly NamedPath[] {
  return paths.map((path) => ({ path, use }));
}

function each(names: string, paths: readonly NamedPath[]): Readonly<Record<string, readonly NamedPath[]>> {
  return Object.fromEntries(names.split(' ').map((name) => [name, paths]));
}

/** All but those that open: these say by their flags what they are for. */
export const NAMED_PATHS: ReadonlyMap<string, readonly NamedPath[]> = new Map(
  Object.entries({
    ...each('stat lstat access readlink statfs chdir getxattr lgetxattr listxattr llistxattr', plain('look', 0)),
    ...each('newfstatat statx faccessat faccessat2 readlinkat', at('look', [0, 1])),
    ...each('mkdir rmdir unlink truncate chmod chown lchown mknod utime utimes', plain('change', 0)),
    ...each('setxattr lsetxattr removexattr lremovexattr', plain('change', 0)),
    ...each('mkdirat unlinkat mknodat utimensat futimesat fchmodat fchmodat2 fchownat', at('change', [0, 1])),
    ...each('rename link', plain('change', 0, 1)),
    ...each('renameat renameat2 linkat', at('change', [0, 1], [2, 3])),
    symlink: plain('change', 1),
    symlinkat: at('change', [1, 2]),
    execve: plain('execute', 0),
    execveat: at('execute', [0, 1]),
  }),
);

/** Of the calls that open: where directory, path and flags are. */
export const OPENING: ReadonlyMap<
  string,
  { readonly directory?: number; readonly path: number; readonly flags: number }
> = new Map(
  Object.entries({
    open: { path: 0, flags: 1 },
    openat: { directory: 0, path: 1, flags: 2 },
    openat2: { directory: 0, path: 1, flags: 2 },
    creat: { path: 0, flags: -1 },
  }),
);
