/**
 * What a guest's descriptor numbers stand for. A descriptor is the capability itself: nothing is
 * reachable but through one, and the numbers may be closed, reused and renumbered at will without
 * anything becoming reachable that was not.
 */
import type { Capabilities, GuestFile, GuestFileSystem } from './capabilities.ts';
import { DirectoryListings } from './directory-listings.ts';
import { refuse } from './errno.ts';
import type { OutputBuffer } from './output-buffer.ts';

export interface InputStream {
  readonly kind: 'input';
  readonly bytes: Uint8Array;
  position: number;
  flags: number;
}

export interface OutputStream {
  readonly kind: 'output';
  readonly buffer: OutputBuffer;
  flags: number;
}

export interface OpenFile {
  readonly kind: 'file';
  readonly file: GuestFile;
  /** Number of the preopened tree, as `st_dev`. */
  readonly device: bigint;
  readonly readable: boolean;
  readonly writable: boolean;
  position: number;
  flags: number;
}

export interface OpenDirectory {
  readonly kind: 'directory';
  readonly files: GuestFileSystem;
  readonly device: bigint;
  /** Below the root of `files`; paths through this descriptor never go above it. */
  readonly names: readonly string[];
  /** Guest path, when it was given and not opened. */
  readonly preopen: Uint8Array | null;
  flags: number;
}

export type Descriptor = InputStream | OutputStream | OpenFile | OpenDirectory;

export class DescriptorTable {
  readonly #slots: (Descriptor | null)[];
  readonly #limit: number;
  readonly listings = new DirectoryListings();

  /** @param openFiles how many more than it starts with */
  constructor(capabilities: Capabilities, stdout: OutputBuffer, stderr: OutputBuffer, openFiles: number) {
    this.#slots = [
      { kind: 'input', bytes: capabilities.stdin, position: 0, flags: 0 },
      { kind: 'output', buffer: stdout, flags: 0 },
      { kind: 'output', buffer: stderr, flags: 0 },
    ];
    for (const [index, { guestPath, files }] of capabilities.directories.entries()) {
      this.#slots.push({
        kind: 'directory',
        files,
        device: BigInt(index + 1),
        names: [],
        preopen: Buffer.from(guestPath),
        flags: 0,
      });
    }
    this.#limit = this.#slots.length + openFiles;
  }

  get(fd: number): Descriptor {
    return this.#slots[fd >>> 0] ?? refuse('BADF');
  }

  file(fd: number): OpenFile {
    const descriptor = this.get(fd);
    if (descriptor.kind === 'directory') refuse('BADF');
    if (descriptor.kind !== 'file') refuse('SPIPE');
    return descriptor;
  }

  directory(fd: number): OpenDirectory {
    const descriptor = this.get(fd);
    if (descriptor.kind !== 'directory') refuse('NOTDIR');
    return descriptor;
  }

  /** The lowest number that is free; asked for before anything is opened. */
  vacancy(): number {
    const hole = this.#slots.indexOf(null);
    const fd = hole === -1 ? this.#slots.length : hole;
    if (fd >= this.#limit) refuse('MFILE');
    return fd;
  }

  put(fd: number, descriptor: Descriptor): void {
    this.#slots[fd] = descriptor;
  }

  close(fd: number): void {
    const descriptor = this.get(fd);
    this.#slots[fd >>> 0] = null;
    if (descriptor.kind === 'file') descriptor.file.close();
    if (descriptor.kind === 'directory') this.listings.drop(descriptor);
  }

  /** `from` takes the place of `to`; both must be open, so no number out of range is ever made. */
  renumber(from: number, to: number): void {
    const moved = this.get(from);
    this.get(to);
    if (from >>> 0 === to >>> 0) return;
    this.close(to);
    this.#slots[from >>> 0] = null;
    this.#slots[to >>> 0] = moved;
  }

  closeAll(): void {
    for (const [fd, descriptor] of this.#slots.entries()) if (descriptor?.kind === 'file') this.close(fd);
  }
}
