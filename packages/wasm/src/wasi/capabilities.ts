/**
 * What a guest is given, all of it: nothing is ambient. A guest without capabilities can
 * compute and end.
 */

/** The only clock a guest may have. `fuel`: derived from the work done, so that two runs see the same times. */
export type GuestClock =
  | { readonly kind: 'fuel'; readonly startNs: bigint; readonly fuelPerNs: number }
  /** Host time, rounded down to this many milliseconds, at least 1. */
  | { readonly kind: 'coarse'; readonly resolutionMs: number };

/** `seeded` gives the same bytes in every run. */
export type GuestRandomness = { readonly kind: 'system' } | { readonly kind: 'seeded'; readonly seed: Uint8Array };

export interface GuestDirectory {
  /** Absolute path in the guest, such as `/data`. */
  readonly guestPath: string;
  readonly files: GuestFileSystem;
}

export interface Capabilities {
  /** `argv[0]` first. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: Uint8Array;
  readonly directories: readonly GuestDirectory[];
  readonly clock: GuestClock;
  readonly randomness: GuestRandomness;
}

export type FileKind = 'file' | 'directory';

export interface FileStat {
  readonly kind: FileKind;
  readonly sizeBytes: number;
  /** Unique within the file system. */
  readonly inode: bigint;
  readonly modifiedNs: bigint;
}

/** Errors a file system answers with; WASI's errno follows from them. */
export type FileError =
  | 'not-found'
  | 'exists'
  | 'not-a-directory'
  | 'is-a-directory'
  | 'not-empty'
  | 'read-only'
  | 'quota'
  | 'too-large'
  | 'too-many-files'
  | 'not-permitted'
  | 'invalid'
  | 'io';

export type FileResult<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: FileError };

/**
 * One preopened tree, synchronous because WASI is. Paths are lists of names below the root: no
 * empty name, no `.`, no `..`, no `/`, no NUL; the caller has resolved those lexically and refuses what
 * leaves the root. Implementations MUST NOT follow symbolic links and MUST NOT reach anything
 * outside of the tree, whatever happens to it meanwhile. Bytes go in and out by copy.
 *
 * Implementations: a snapshot in memory (copy-on-write, with quotas), and a broker's client for large
 * read-only trees. Both pass `describeGuestFileSystem`.
 */
export interface GuestFileSystem {
  readonly writable: boolean;
  stat(path: readonly string[]): FileResult<FileStat>;
  list(
    path: readonly string[],
  ): FileResult<readonly { readonly name: string; readonly kind: FileKind; readonly inode: bigint }[]>;
  /** A handle to a file that stays the same file when its name goes. */
  open(
    path: readonly string[],
    options: {
      readonly create: boolean;
      readonly exclusive: boolean;
      readonly truncate: boolean;
      readonly write: boolean;
    },
  ): FileResult<GuestFile>;
  makeDirectory(path: readonly string[]): FileResult<null>;
  /** A file or an empty directory, as `kind` says. */
  remove(path: readonly string[], kind: FileKind): FileResult<null>;
  rename(from: readonly string[], to: readonly string[]): FileResult<null>;
}

export interface GuestFile {
  stat(): FileResult<FileStat>;
  /** At most `buffer.length` bytes from `offset`; 0 at the end. */
  read(buffer: Uint8Array, offset: number): FileResult<number>;
  write(bytes: Uint8Array, offset: number): FileResult<number>;
  resize(sizeBytes: number): FileResult<null>;
  /** A file system has no clock: whoever writes says when. */
  setModified(modifiedNs: bigint): FileResult<null>;
  close(): void;
}
