/** The calls on one open descriptor: `fd_*` of WASI preview 1. */
import { FDFLAGS, SIZE, WHENCE } from '../abi.ts';
import type { OpenDirectory, OpenFile } from '../descriptors.ts';
import type { Listing } from '../directory-listings.ts';
import { granted, refuse } from '../errno.ts';
import type { GuestContext } from '../guest-context.ts';
import { HOST_COST } from '../host-cost.ts';
import { filetypeOf, wantedModification, writeFdstat, writeFilestat } from './file-status.ts';
import { parseOffset, readInto, writeFrom } from './transfer.ts';

/** `POSIX_FADV_NOREUSE`, the last kind of advice. */
const MAX_ADVICE = 5;
const DIRECTORY_TAG = 0;

function writable(file: OpenFile): OpenFile {
  if (!file.writable) refuse('BADF');
  return file;
}

function resize(guest: GuestContext, { file }: OpenFile, sizeBytes: number): void {
  const before = granted(file.stat()).sizeBytes;
  granted(file.resize(sizeBytes));
  guest.chargeBytes(Math.abs(sizeBytes - before));
  granted(file.setModified(guest.time.realtimeNs()));
}

/** `.`, `..` and the entries, as of now. */
function takeListing(guest: GuestContext, directory: OpenDirectory): Listing {
  const { files, names } = directory;
  const entries = granted(files.list(names));
  guest.charge((entries.length + 2) * HOST_COST.directoryEntry);
  const self = granted(files.stat(names)).inode;
  const parent = granted(files.stat(names.slice(0, -1))).inode;
  return [
    { name: Buffer.from('.'), kind: 'directory', inode: self },
    { name: Buffer.from('..'), kind: 'directory', inode: parent },
    ...entries.map(({ name, kind, inode }) => ({ name: Buffer.from(name), kind, inode })),
  ];
}

function encodeEntry(next: number, { name, kind, inode }: Listing[number]): Uint8Array {
  const bytes = new Uint8Array(SIZE.DIRENT + name.length);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(next), true);
  view.setBigUint64(8, inode, true);
  view.setUint32(16, name.length, true);
  view.setUint8(20, filetypeOf(kind));
  bytes.set(name, SIZE.DIRENT);
  return bytes;
}

export const DESCRIPTOR_CALLS = {
  fd_advise(guest: GuestContext, fd: number, offset: bigint, length: bigint, advice: number): void {
    guest.descriptors.file(fd);
    if (advice >>> 0 > MAX_ADVICE || offset < 0n || length < 0n) refuse('INVAL');
  },

  fd_allocate(guest: GuestContext, fd: number, offset: bigint, length: bigint): void {
    const file = writable(guest.descriptors.file(fd));
    if (length === 0n) refuse('INVAL');
    const end = parseOffset(offset) + parseOffset(length);
    if (!Number.isSafeInteger(end)) refuse('FBIG');
    if (end > granted(file.file.stat()).sizeBytes) resize(guest, file, end);
  },

  fd_close(guest: GuestContext, fd: number): void {
    guest.descriptors.close(fd);
  },

  fd_datasync(guest: GuestContext, fd: number): void {
    guest.descriptors.get(fd);
  },

  fd_fdstat_get(guest: GuestContext, fd: number, result: number): void {
    writeFdstat(guest, result, guest.descriptors.get(fd));
  },

  fd_fdstat_set_flags(guest: GuestContext, fd: number, flags: number): void {
    const descriptor = guest.descriptors.get(fd);
    if ((flags & ~FDFLAGS.ALL) !== 0) refuse('INVAL');
    descriptor.flags = flags;
  },

  fd_fdstat_set_rights(guest: GuestContext, fd: number): void {
    guest.descriptors.get(fd);
    refuse('NOTSUP');
  },

  fd_filestat_get(guest: GuestContext, fd: number, result: number): void {
    const descriptor = guest.descriptors.get(fd);
    if (descriptor.kind === 'file') {
      writeFilestat(guest, result, descriptor.device, granted(descriptor.file.stat()));
    } else if (descriptor.kind === 'directory') {
      writeFilestat(guest, result, descriptor.device, granted(descriptor.files.stat(descriptor.names)));
    } else {
      writeFilestat(guest, result, 0n, null);
    }
  },

  fd_filestat_set_size(guest: GuestContext, fd: number, size: bigint): void {
    resize(guest, writable(guest.descriptors.file(fd)), parseOffset(size));
  },

  fd_filestat_set_times(guest: GuestContext, fd: number, _accessed: bigint, modified: bigint, flags: number): void {
    const descriptor = guest.descriptors.get(fd);
    const wanted = wantedModification(guest, modified, flags);
    if (wanted !== null && descriptor.kind === 'file') granted(descriptor.file.setModified(wanted));
  },

  fd_pread(guest: GuestContext, fd: number, iovecs: number, count: number, offset: bigint, result: number): void {
    guest.memory.check(result, 4);
    const moved = readInto(guest, guest.descriptors.get(fd), iovecs, count, parseOffset(offset));
    guest.memory.setU32(result, moved);
  },

  fd_prestat_get(guest: GuestContext, fd: number, result: number): void {
    const descriptor = guest.descriptors.get(fd);
    if (descriptor.kind !== 'directory' || descriptor.preopen === null) return refuse('BADF');
    const at = guest.memory.check(result, SIZE.PRESTAT);
    guest.memory.setU32(at, DIRECTORY_TAG);
    guest.memory.setU32(at + 4, descriptor.preopen.length);
  },

  fd_prestat_dir_name(guest: GuestContext, fd: number, pointer: number, length: number): void {
    const descriptor = guest.descriptors.get(fd);
    if (descriptor.kind !== 'directory' || descriptor.preopen === null) return refuse('BADF');
    if (length >>> 0 < descriptor.preopen.length) refuse('NAMETOOLONG');
    guest.memory.span(pointer, descriptor.preopen.length).set(descriptor.preopen);
  },

  fd_pwrite(guest: GuestContext, fd: number, iovecs: number, count: number, offset: bigint, result: number): void {
    guest.memory.check(result, 4);
    // Positioned writes ignore APPEND (POSIX pwrite).
    const moved = writeFrom(guest, guest.descriptors.get(fd), iovecs, count, parseOffset(offset), false);
    guest.memory.setU32(result, moved);
  },

  fd_read(guest: GuestContext, fd: number, iovecs: number, count: number, result: number): void {
    guest.memory.check(result, 4);
    guest.memory.setU32(result, readInto(guest, guest.descriptors.get(fd), iovecs, count, null));
  },

  fd_readdir(guest: GuestContext, fd: number, pointer: number, length: number, cookie: bigint, result: number): void {
    const directory = guest.descriptors.directory(fd);
    const target = guest.memory.span(pointer, length);
    guest.memory.check(result, 4);
    const { listings } = guest.descriptors;
    const taken = cookie === 0n ? undefined : listings.get(directory);
    const listing = taken ?? listings.keep(directory, takeListing(guest, directory));
    let used = 0;
    // A cookie is the index of the next entry; any other number is past the end.
    for (let index = Number(BigInt.asUintN(64, cookie)); index < listing.length && used < target.length; index += 1) {
      const bytes = encodeEntry(index + 1, listing[index]!);
      const piece = bytes.subarray(0, target.length - used);
      guest.chargeBytes(bytes.length);
      target.set(piece, used);
      used += piece.length;
    }
    guest.memory.setU32(result, used);
  },

  fd_renumber(guest: GuestContext, from: number, to: number): void {
    guest.descriptors.renumber(from, to);
  },

  fd_seek(guest: GuestContext, fd: number, delta: bigint, whence: number, result: number): void {
    const file = guest.descriptors.file(fd);
    guest.memory.check(result, 8);
    let base = 0;
    if (whence === WHENCE.CUR) base = file.position;
    else if (whence === WHENCE.END) base = granted(file.file.stat()).sizeBytes;
    else if (whence !== WHENCE.SET) refuse('INVAL');
    const position = BigInt(base) + delta;
    if (position > BigInt(Number.MAX_SAFE_INTEGER)) refuse('OVERFLOW');
    file.position = parseOffset(position);
    guest.memory.setU64(result, position);
  },

  fd_sync(guest: GuestContext, fd: number): void {
    guest.descriptors.get(fd);
  },

  fd_tell(guest: GuestContext, fd: number, result: number): void {
    const file = guest.descriptors.file(fd);
    guest.memory.setU64(result, BigInt(file.position));
  },

  fd_write(guest: GuestContext, fd: number, iovecs: number, count: number, result: number): void {
    guest.memory.check(result, 4);
    const descriptor = guest.descriptors.get(fd);
    const append = (descriptor.flags & FDFLAGS.APPEND) !== 0;
    guest.memory.setU32(result, writeFrom(guest, descriptor, iovecs, count, null, append));
  },
} as const;
