/**
 * Files by descriptor: what was opened is what is measured, and a symlink in the last component is
 * never followed. Writing is temporary file, fsync, rename, fsync of the directory.
 */
import { createHash, randomBytes } from 'node:crypto';
import { constants, lstatSync, readlinkSync, type Stats } from 'node:fs';
import { type FileHandle, open, rename, unlink } from 'node:fs/promises';

import { type ErrorCode, HoldfastError } from '@holdfast/core';
import { type FileContent, type FileKind, type Files, type FileState, parseHostPath, parseMode } from '@holdfast/host';

import { MAX_SYMLINKS, openParent, type Parent } from './rooted-path.ts';

/** O_NONBLOCK: opening a pipe that took the place of a file must not wait for its other end. */
const READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const CHUNK_BYTES = 256 * 1024;

const errno = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;
const isSystemError = (error: unknown): boolean => error instanceof Error && 'syscall' in error;

function fail(code: ErrorCode, path: string, cause?: unknown): HoldfastError {
  return new HoldfastError(`${path}: ${code}`, { code, fields: { path }, cause });
}

function kindOf(stats: Stats): FileKind {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  return stats.isSymbolicLink() ? 'symlink' : 'other';
}

const formatMode = (mode: number): string => (mode & 0o7777).toString(8).padStart(4, '0');

export class DescriptorFiles implements Files {
  readonly #root: string;

  /** @param root the directory that `/` of every path means */
  constructor(root = '/') {
    this.#root = root;
  }

  async stat(path: string, signal: AbortSignal): Promise<FileState> {
    signal.throwIfAborted();
    using parent = openParent(this.#root, parseHostPath(path));
    const stats = parent && lstatIn(parent, path);
    if (stats === undefined) return { path, kind: 'missing' };
    if (!stats.isFile()) return describe(path, stats, null);
    await using file = await openFile(parent as Parent, path); // it has just been looked into
    return describe(path, await file.stat(), await digest(file, path, signal));
  }

  async read(path: string, maxBytes: number, signal: AbortSignal): Promise<Uint8Array> {
    signal.throwIfAborted();
    using parent = openParent(this.#root, parseHostPath(path));
    if (parent === undefined) throw fail('ERR_HOST_FILE_MISSING', path);
    return await readOpened(await openFile(parent, path), path, maxBytes, signal);
  }

  /** As `read`, but follows symlinks, also in the last component and never out of the root: as sshd does for keys. */
  async readFollowing(path: string, maxBytes: number, signal: AbortSignal): Promise<Uint8Array> {
    let next = parseHostPath(path);
    for (let symlinks = 0; symlinks <= MAX_SYMLINKS; symlinks += 1) {
      signal.throwIfAborted();
      using parent = openParent(this.#root, next);
      const stats = parent && lstatIn(parent, path);
      if (parent === undefined || !stats?.isSymbolicLink()) {
        if (parent === undefined || stats === undefined) throw fail('ERR_HOST_FILE_MISSING', path);
        return await readOpened(await openFile(parent, path), path, maxBytes, signal);
      }
      const target = readlinkSync(parent.at());
      next = target.startsWith('/') ? target : `${next.slice(0, next.lastIndexOf('/'))}/${target}`;
    }
    throw fail('ERR_HOST_FILE_REFUSED', path);
  }

  async write(path: string, content: FileContent, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const mode = parseMode(content.mode);
    using parent = openParent(this.#root, parseHostPath(path));
    if (parent === undefined) throw fail('ERR_HOST_FILE_MISSING', path);
    refuseOther(parent, path);
    const temporary = parent.at(`.holdfast-${randomBytes(8).toString('hex')}`);
    try {
      await using file = await open(temporary, CREATE, 0o600);
      await file.writeFile(content.bytes);
      await file.chown(content.uid, content.gid);
      await file.chmod(mode); // after chown, which clears the setuid bits
      await file.sync();
      signal.throwIfAborted();
      refuseOther(parent, path);
      await rename(temporary, parent.at());
      await using directory = await open(parent.at('.'), constants.O_RDONLY | constants.O_DIRECTORY);
      await directory.sync();
    } catch (cause) {
      await unlink(temporary).catch(() => {}); // never made, or already renamed
      throw isSystemError(cause) ? fail('ERR_HOST_FILE_UNWRITABLE', path, cause) : cause;
    }
  }

  async remove(path: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    using parent = openParent(this.#root, parseHostPath(path));
    const stats = parent && lstatIn(parent, path);
    if (parent === undefined || stats === undefined) return;
    if (stats.isDirectory()) throw fail('ERR_HOST_FILE_REFUSED', path);
    try {
      await unlink(parent.at());
      await using directory = await open(parent.at('.'), constants.O_RDONLY | constants.O_DIRECTORY);
      await directory.sync();
    } catch (cause) {
      if (errno(cause) !== 'ENOENT') throw fail('ERR_HOST_FILE_UNWRITABLE', path, cause);
    }
  }
}

function describe(path: string, stats: Stats, sha256: string | null): FileState {
  return {
    path,
    kind: kindOf(stats),
    sizeBytes: stats.size,
    mode: formatMode(stats.mode),
    uid: stats.uid,
    gid: stats.gid,
    sha256,
  };
}

function lstatIn(parent: Parent, path: string): Stats | undefined {
  try {
    return lstatSync(parent.at(), { throwIfNoEntry: false });
  } catch (cause) {
    throw fail('ERR_HOST_FILE_UNREADABLE', path, cause);
  }
}

/** What is written over must be a regular file or nothing. */
function refuseOther(parent: Parent, path: string): void {
  const stats = lstatIn(parent, path);
  if (stats !== undefined && !stats.isFile()) throw fail('ERR_HOST_FILE_REFUSED', path);
}

/** Opens a regular file and nothing else. */
async function openFile(parent: Parent, path: string): Promise<FileHandle> {
  let file: FileHandle;
  try {
    file = await open(parent.at(), READ);
  } catch (cause) {
    const code = errno(cause);
    if (code === 'ENOENT') throw fail('ERR_HOST_FILE_MISSING', path);
    // ELOOP: a symlink; ENXIO: a socket.
    if (code === 'ELOOP' || code === 'ENXIO') throw fail('ERR_HOST_FILE_REFUSED', path);
    throw fail('ERR_HOST_FILE_UNREADABLE', path, cause);
  }
  const isFile = await file.stat().then((stats) => stats.isFile());
  if (isFile) return file;
  await file.close();
  throw fail('ERR_HOST_FILE_REFUSED', path);
}

/** Closes `opened` in any case. */
async function readOpened(
  opened: FileHandle,
  path: string,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  await using file = opened;
  // The size is only a first answer: the file may grow, and those of /proc have none.
  if ((await file.stat()).size > maxBytes) throw fail('ERR_HOST_FILE_TOO_LARGE', path);
  const chunks: Uint8Array[] = [];
  let size = 0;
  await eachChunk(file, path, signal, (chunk) => {
    size += chunk.length;
    if (size > maxBytes) throw fail('ERR_HOST_FILE_TOO_LARGE', path);
    chunks.push(Uint8Array.from(chunk));
  });
  return Buffer.concat(chunks);
}

/** Calls `take` with each piece; the bytes are only valid during the call. */
async function eachChunk(
  file: FileHandle,
  path: string,
  signal: AbortSignal,
  take: (chunk: Uint8Array) => void,
): Promise<void> {
  const buffer = new Uint8Array(CHUNK_BYTES);
  for (;;) {
    signal.throwIfAborted();
    const { bytesRead } = await file.read(buffer, 0, buffer.length, null).catch((cause: unknown) => {
      throw fail('ERR_HOST_FILE_UNREADABLE', path, cause);
    });
    if (bytesRead === 0) return;
    take(buffer.subarray(0, bytesRead));
  }
}

async function digest(file: FileHandle, path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  await eachChunk(file, path, signal, (chunk) => {
    hash.update(chunk);
  });
  return hash.digest('hex');
}
