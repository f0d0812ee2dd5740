/**
 * The file system calls of the audit log, and no others: narrow, so that a test can make each of
 * them fail (P-21).
 */
import { writeSync } from 'node:fs';
import { constants, type FileHandle, mkdir, open, readdir, rename } from 'node:fs/promises';

export interface LogFile {
  sizeBytes(): Promise<number>;
  /** Up to `length` bytes from `position`; fewer only at the end of the file. They stay until the next `read`. */
  read(position: number, length: number): Promise<Uint8Array>;
  /** Writes some of `bytes` at `position` and says how many. Not durable before `datasync`. */
  write(bytes: Uint8Array, position: number): Promise<number>;
  /** fdatasync(2): when it resolves, what was written and the size are on disk. */
  datasync(): Promise<void>;
  truncate(sizeBytes: number): Promise<void>;
  close(): Promise<void>;
}

/** `create` opens what is there, too. */
export type OpenMode = 'read' | 'write' | 'create';

/** Failures are the system's own errors (`ENOSPC`, `EIO`, `ENOENT`, …), with `code`. */
export interface LogFiles {
  /** Makes the directory, mode 0700, unless it is there. */
  makeDirectory(directory: string): Promise<void>;
  list(directory: string): Promise<string[]>;
  open(path: string, mode: OpenMode): Promise<LogFile>;
  rename(from: string, to: string): Promise<void>;
  /** Makes created and renamed names of the directory durable. */
  syncDirectory(directory: string): Promise<void>;
}

const FLAGS: Record<OpenMode, number> = {
  read: constants.O_RDONLY | constants.O_NOFOLLOW,
  write: constants.O_RDWR | constants.O_NOFOLLOW,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW,
};

/** The real file system. */
export const systemLogFiles: LogFiles = {
  async makeDirectory(directory) {
    await mkdir(directory, { recursive: true, mode: 0o700 });
  },
  list: async (directory) => readdir(directory),
  open: async (path, mode) => new SystemLogFile(await open(path, FLAGS[mode], 0o600)),
  rename: async (from, to) => rename(from, to),
  async syncDirectory(directory) {
    const handle = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
};

class SystemLogFile implements LogFile {
  readonly #handle: FileHandle;
  /** One for all reads: the pages of a fresh one each time would cost a scan a tenth of its time. */
  #readBytes = Buffer.alloc(0);

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async sizeBytes(): Promise<number> {
    return (await this.#handle.stat()).size;
  }

  async read(position: number, length: number): Promise<Uint8Array> {
    if (this.#readBytes.length < length) this.#readBytes = Buffer.allocUnsafeSlow(length);
    const bytes = this.#readBytes;
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await this.#handle.read(bytes, filled, length - filled, position + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return bytes.subarray(0, filled);
  }

  async write(bytes: Uint8Array, position: number): Promise<number> {
    // Synchronous: into the page cache it takes microseconds, less than a turn through the thread pool.
    return writeSync(this.#handle.fd, bytes, 0, bytes.length, position);
  }

  datasync = async (): Promise<void> => this.#handle.datasync();
  truncate = async (sizeBytes: number): Promise<void> => this.#handle.truncate(sizeBytes);
  close = async (): Promise<void> => this.#handle.close();
}

/** Writes all of `bytes` at `position`, however often a write is short. */
export async function writeFully(file: LogFile, bytes: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    const count = await file.write(bytes.subarray(written), position + written);
    // A write that takes nothing and says nothing would be tried for ever.
    if (count <= 0) throw Object.assign(new Error('nothing was written'), { code: 'EIO' });
    written += count;
  }
}
