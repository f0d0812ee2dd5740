/** `filestat` and `fdstat` as WASI preview 1 lays them out, and the rules of setting times. */
import { FILETYPE, FSTFLAGS, RIGHTS, SIZE } from '../abi.ts';
import type { FileKind, FileStat } from '../capabilities.ts';
import type { Descriptor } from '../descriptors.ts';
import { refuse } from '../errno.ts';
import type { GuestContext } from '../guest-context.ts';

export const filetypeOf = (kind: FileKind): number => (kind === 'file' ? FILETYPE.REGULAR_FILE : FILETYPE.DIRECTORY);

/** @param stat `null` for a stream: neither a file nor a terminal */
export function writeFilestat(guest: GuestContext, pointer: number, device: bigint, stat: FileStat | null): void {
  const at = guest.memory.check(pointer, SIZE.FILESTAT);
  const { memory } = guest;
  memory.span(at, SIZE.FILESTAT).fill(0);
  memory.setU64(at, device);
  memory.setU64(at + 24, 1n);
  if (stat === null) return;
  memory.setU64(at + 8, stat.inode);
  memory.setU8(at + 16, filetypeOf(stat.kind));
  memory.setU64(at + 32, BigInt(stat.sizeBytes));
  // One time is kept; it answers for access and status change too.
  for (const offset of [40, 48, 56]) memory.setU64(at + offset, stat.modifiedNs);
}

interface Fdstat {
  readonly filetype: number;
  readonly base: bigint;
  readonly inheriting: bigint;
}

function fdstatOf(descriptor: Descriptor): Fdstat {
  switch (descriptor.kind) {
    case 'input':
      return { filetype: FILETYPE.UNKNOWN, base: RIGHTS.STREAM_IN, inheriting: 0n };
    case 'output':
      return { filetype: FILETYPE.UNKNOWN, base: RIGHTS.STREAM_OUT, inheriting: 0n };
    case 'file': {
      const read = descriptor.readable ? RIGHTS.FD_READ : 0n;
      const write = descriptor.writable ? RIGHTS.FILE_WRITE : 0n;
      return { filetype: FILETYPE.REGULAR_FILE, base: RIGHTS.FILE | read | write, inheriting: 0n };
    }
    case 'directory': {
      const inheriting = RIGHTS.DIRECTORY | RIGHTS.FILE | RIGHTS.FD_READ | RIGHTS.FILE_WRITE;
      return { filetype: FILETYPE.DIRECTORY, base: RIGHTS.DIRECTORY, inheriting };
    }
    default:
      return descriptor satisfies never;
  }
}

export function writeFdstat(guest: GuestContext, pointer: number, descriptor: Descriptor): void {
  const { memory } = guest;
  const at = memory.check(pointer, SIZE.FDSTAT);
  const { filetype, base, inheriting } = fdstatOf(descriptor);
  memory.span(at, SIZE.FDSTAT).fill(0);
  memory.setU8(at, filetype);
  memory.setU16(at + 2, descriptor.flags);
  memory.setU64(at + 8, base);
  memory.setU64(at + 16, inheriting);
}

/** The modification time that is asked for; `null` when none is (the time of access is not kept). */
export function wantedModification(guest: GuestContext, modifiedNs: bigint, flags: number): bigint | null {
  const both = (one: number, other: number): boolean => (flags & one) !== 0 && (flags & other) !== 0;
  if ((flags & ~FSTFLAGS.ALL) !== 0) refuse('INVAL');
  if (both(FSTFLAGS.ATIM, FSTFLAGS.ATIM_NOW) || both(FSTFLAGS.MTIM, FSTFLAGS.MTIM_NOW)) refuse('INVAL');
  if ((flags & FSTFLAGS.MTIM_NOW) !== 0) return guest.time.realtimeNs();
  return (flags & FSTFLAGS.MTIM) === 0 ? null : BigInt.asUintN(64, modifiedNs);
}
