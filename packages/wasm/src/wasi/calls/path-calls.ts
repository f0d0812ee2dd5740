/**
 * The calls that name something below an open directory: `path_*` of WASI preview 1. All names come
 * from `resolveGuestPath`; symbolic and hard links do not exist.
 */
import { FDFLAGS, OFLAGS, RIGHTS } from '../abi.ts';
import type { OpenDirectory } from '../descriptors.ts';
import { granted, refuse } from '../errno.ts';
import type { GuestContext } from '../guest-context.ts';
import { type GuestPath, resolveGuestPath } from '../guest-path.ts';
import { HOST_COST } from '../host-cost.ts';
import { wantedModification, writeFilestat } from './file-status.ts';

interface Target extends GuestPath {
  readonly directoryFd: OpenDirectory;
}

function resolve(guest: GuestContext, fd: number, pointer: number, length: number): Target {
  const directoryFd = guest.descriptors.directory(fd);
  const bytes = guest.memory.span(pointer, length);
  // A path that is too long is refused unread, so what is charged is bounded too.
  guest.chargeBytes(Math.min(bytes.length, 4_096));
  const path = resolveGuestPath(directoryFd.names, bytes);
  guest.charge((path.names.length + 1) * HOST_COST.pathName);
  return { ...path, directoryFd };
}

/** For what creates, removes or moves: never the directory that the path starts from. */
function resolveChange(guest: GuestContext, fd: number, pointer: number, length: number): Target {
  const target = resolve(guest, fd, pointer, length);
  guest.charge(HOST_COST.pathChange);
  if (target.self) refuse('INVAL');
  return target;
}

/** The last name says it is a directory; nothing else may be there. */
function expectDirectory({ directory, names, directoryFd: { files } }: Target): void {
  if (directory && granted(files.stat(names)).kind !== 'directory') refuse('NOTDIR');
}

const kindAt = ({ names, directoryFd: { files } }: Target): 'file' | 'directory' | null => {
  const stat = files.stat(names);
  return !stat.ok && stat.error === 'not-found' ? null : granted(stat).kind;
};

function openDirectory(guest: GuestContext, { names, directoryFd }: Target, flags: number, fd: number): void {
  const { files, device } = directoryFd;
  guest.descriptors.put(fd, { kind: 'directory', files, device, names, preopen: null, flags });
}

function openFile(
  guest: GuestContext,
  target: Target,
  oflags: number,
  rights: bigint,
  flags: number,
  fd: number,
): void {
  const { names, directoryFd } = target;
  const create = (oflags & OFLAGS.CREAT) !== 0;
  const truncate = (oflags & OFLAGS.TRUNC) !== 0;
  const write = (rights & RIGHTS.FD_WRITE) !== 0n;
  const exclusive = (oflags & OFLAGS.EXCL) !== 0;
  const existed = kindAt(target) !== null;
  const file = granted(directoryFd.files.open(names, { create, exclusive, truncate, write }));
  if (truncate || (create && !existed)) granted(file.setModified(guest.time.realtimeNs()));
  guest.descriptors.put(fd, {
    kind: 'file',
    file,
    device: directoryFd.device,
    readable: (rights & RIGHTS.FD_READ) !== 0n,
    writable: write,
    position: 0,
    flags,
  });
}

export const PATH_CALLS = {
  path_create_directory(guest: GuestContext, fd: number, pointer: number, length: number): void {
    const { names, self, directoryFd } = resolve(guest, fd, pointer, length);
    guest.charge(HOST_COST.pathChange);
    if (self) refuse('EXIST');
    granted(directoryFd.files.makeDirectory(names));
  },

  path_filestat_get(
    guest: GuestContext,
    fd: number,
    _lookup: number,
    pointer: number,
    length: number,
    result: number,
  ): void {
    const target = resolve(guest, fd, pointer, length);
    const stat = granted(target.directoryFd.files.stat(target.names));
    if (target.directory && stat.kind !== 'directory') refuse('NOTDIR');
    writeFilestat(guest, result, target.directoryFd.device, stat);
  },

  path_filestat_set_times(
    guest: GuestContext,
    fd: number,
    _lookup: number,
    pointer: number,
    length: number,
    _accessed: bigint,
    modified: bigint,
    flags: number,
  ): void {
    const target = resolve(guest, fd, pointer, length);
    const wanted = wantedModification(guest, modified, flags);
    expectDirectory(target);
    const { names, directoryFd } = target;
    // Directories keep no time of their own.
    if (granted(directoryFd.files.stat(names)).kind === 'directory' || wanted === null) return;
    const file = granted(
      directoryFd.files.open(names, { create: false, exclusive: false, truncate: false, write: true }),
    );
    const result = file.setModified(wanted);
    file.close();
    granted(result);
  },

  path_link(
    guest: GuestContext,
    fromFd: number,
    _lookup: number,
    from: number,
    fromLength: number,
    toFd: number,
    to: number,
    toLength: number,
  ): void {
    resolve(guest, fromFd, from, fromLength);
    resolve(guest, toFd, to, toLength);
    refuse('NOTSUP');
  },

  path_open(
    guest: GuestContext,
    fd: number,
    _lookup: number,
    pointer: number,
    length: number,
    oflags: number,
    rights: bigint,
    _inheriting: bigint,
    flags: number,
    result: number,
  ): void {
    guest.memory.check(result, 4);
    const target = resolve(guest, fd, pointer, length);
    guest.charge(HOST_COST.pathChange);
    const opened = guest.descriptors.vacancy();
    const create = (oflags & OFLAGS.CREAT) !== 0;
    const wantsDirectory = (oflags & OFLAGS.DIRECTORY) !== 0;
    if ((flags & ~FDFLAGS.ALL) !== 0 || (create && wantsDirectory)) refuse('INVAL');
    const kind = kindAt(target);
    if (kind === 'directory') {
      if (create && (oflags & OFLAGS.EXCL) !== 0) refuse('EXIST');
      const changes = create || (oflags & OFLAGS.TRUNC) !== 0 || (rights & RIGHTS.FD_WRITE) !== 0n;
      if (changes) refuse('ISDIR');
      openDirectory(guest, target, flags, opened);
    } else {
      if (kind === 'file' && (wantsDirectory || target.directory)) refuse('NOTDIR');
      if (kind === null && target.directory) refuse(create ? 'ISDIR' : 'NOENT');
      openFile(guest, target, oflags, rights, flags, opened);
    }
    guest.io.opens += 1;
    guest.memory.setU32(result, opened);
  },

  path_readlink(
    guest: GuestContext,
    fd: number,
    pointer: number,
    length: number,
    buffer: number,
    size: number,
    result: number,
  ): void {
    guest.memory.span(buffer, size);
    guest.memory.check(result, 4);
    const { names, directoryFd } = resolve(guest, fd, pointer, length);
    granted(directoryFd.files.stat(names));
    refuse('INVAL');
  },

  path_remove_directory(guest: GuestContext, fd: number, pointer: number, length: number): void {
    const { names, directoryFd } = resolveChange(guest, fd, pointer, length);
    granted(directoryFd.files.remove(names, 'directory'));
  },

  path_rename(
    guest: GuestContext,
    fromFd: number,
    from: number,
    fromLength: number,
    toFd: number,
    to: number,
    toLength: number,
  ): void {
    const source = resolveChange(guest, fromFd, from, fromLength);
    const target = resolveChange(guest, toFd, to, toLength);
    if (source.directoryFd.files !== target.directoryFd.files) refuse('XDEV');
    expectDirectory(source);
    if (target.directory && kindAt(source) !== 'directory') refuse('NOTDIR');
    granted(source.directoryFd.files.rename(source.names, target.names));
  },

  path_symlink(
    guest: GuestContext,
    target: number,
    targetLength: number,
    fd: number,
    pointer: number,
    length: number,
  ): void {
    guest.memory.span(target, targetLength);
    resolve(guest, fd, pointer, length);
    refuse('NOTSUP');
  },

  path_unlink_file(guest: GuestContext, fd: number, pointer: number, length: number): void {
    const target = resolveChange(guest, fd, pointer, length);
    expectDirectory(target);
    granted(target.directoryFd.files.remove(target.names, 'file'));
  },
} as const;
