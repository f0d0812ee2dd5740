/**
 * Reading and writing through iovecs (WASI preview 1: `iovec`, `ciovec`). Every iovec is checked
 * before the first byte moves. Bytes cross by copy, in pieces, each charged: pointers may overlap, and
 * a file system never holds a view of guest memory.
 */
import type { GuestFile } from '../capabilities.ts';
import { SIZE } from '../abi.ts';
import type { Descriptor, OpenFile } from '../descriptors.ts';
import { granted, refuse, WasiRefusal } from '../errno.ts';
import type { GuestContext } from '../guest-context.ts';
import { HOST_COST } from '../host-cost.ts';

/** IOV_MAX of Linux. More is no error: a transfer may be shorter than asked for (POSIX readv, writev). */
const MAX_IOVECS = 1_024;
/** `ssize_t` of wasm32 cannot say more was moved. */
const MAX_TRANSFER_BYTES = 0x7fff_ffff;
/** The largest file offset that JavaScript holds exactly. */
const MAX_OFFSET = BigInt(Number.MAX_SAFE_INTEGER);

/** An unsigned 64-bit offset from the guest, which sees it as signed. */
export function parseOffset(offset: bigint): number {
  if (offset < 0n) refuse('INVAL');
  if (offset > MAX_OFFSET) refuse('FBIG');
  return Number(offset);
}

function buffersOf(guest: GuestContext, iovecs: number, count: number): readonly Uint8Array[] {
  const { memory } = guest;
  const looked = Math.min(count >>> 0, MAX_IOVECS);
  guest.charge(looked * HOST_COST.iovec);
  const start = memory.check(iovecs, (count >>> 0) * SIZE.IOVEC);
  const buffers: Uint8Array[] = [];
  let total = 0;
  for (let at = start; at < start + looked * SIZE.IOVEC; at += SIZE.IOVEC) {
    const buffer = memory.span(memory.u32(at), memory.u32(at + 4));
    total += buffer.length;
    if (total > MAX_TRANSFER_BYTES) break;
    if (buffer.length > 0) buffers.push(buffer);
  }
  return buffers;
}

/**
 * Moves buffer after buffer until one is not moved whole; the bytes moved. An error after the first
 * byte is a short transfer, as in POSIX: the next call meets it again.
 */
function transfer(buffers: readonly Uint8Array[], move: (buffer: Uint8Array, done: number) => number): number {
  let done = 0;
  for (const buffer of buffers) {
    let moved: number;
    try {
      moved = move(buffer, done);
    } catch (error) {
      if (done > 0 && error instanceof WasiRefusal) return done;
      throw error;
    }
    done += moved;
    if (moved < buffer.length) break;
  }
  return done;
}

const readFile = (guest: GuestContext, file: GuestFile, offset: number, buffers: readonly Uint8Array[]): number =>
  transfer(buffers, (buffer, done) => {
    const moved = granted(file.read(buffer, offset + done));
    guest.chargeBytes(moved);
    return moved;
  });

function writeFile(guest: GuestContext, file: GuestFile, offset: number, buffers: readonly Uint8Array[]): number {
  const written = transfer(buffers, (buffer, done) => {
    guest.chargeBytes(buffer.length);
    return granted(file.write(buffer, offset + done));
  });
  if (written > 0) granted(file.setModified(guest.time.realtimeNs()));
  return written;
}

const endOf = (file: OpenFile): number => granted(file.file.stat()).sizeBytes;

/** @param at `null` for the descriptor's own position, which then moves */
export function readInto(
  guest: GuestContext,
  descriptor: Descriptor,
  iovecs: number,
  count: number,
  at: number | null,
): number {
  const buffers = buffersOf(guest, iovecs, count);
  let moved: number;
  if (descriptor.kind === 'file') {
    if (!descriptor.readable) refuse('BADF');
    moved = readFile(guest, descriptor.file, at ?? descriptor.position, buffers);
    if (at === null) descriptor.position += moved;
  } else if (descriptor.kind === 'input') {
    if (at !== null) refuse('SPIPE');
    moved = transfer(buffers, (buffer) => {
      const piece = descriptor.bytes.subarray(descriptor.position, descriptor.position + buffer.length);
      guest.chargeBytes(piece.length);
      buffer.set(piece);
      descriptor.position += piece.length;
      return piece.length;
    });
  } else {
    return refuse(descriptor.kind === 'directory' ? 'ISDIR' : 'BADF');
  }
  guest.io.reads += 1;
  guest.io.readBytes += moved;
  return moved;
}

/** @param at `null` for the descriptor's own position (or the end, with APPEND), which then moves */
export function writeFrom(
  guest: GuestContext,
  descriptor: Descriptor,
  iovecs: number,
  count: number,
  at: number | null,
  append: boolean,
): number {
  const buffers = buffersOf(guest, iovecs, count);
  let moved: number;
  if (descriptor.kind === 'file') {
    if (!descriptor.writable) refuse('BADF');
    const offset = append ? endOf(descriptor) : (at ?? descriptor.position);
    moved = writeFile(guest, descriptor.file, offset, buffers);
    if (at === null) descriptor.position = offset + moved;
  } else if (descriptor.kind === 'output') {
    if (at !== null) refuse('SPIPE');
    moved = transfer(buffers, (buffer) => {
      guest.chargeBytes(buffer.length);
      descriptor.buffer.append(buffer);
      return buffer.length;
    });
  } else {
    return refuse(descriptor.kind === 'directory' ? 'ISDIR' : 'BADF');
  }
  guest.io.writes += 1;
  guest.io.writtenBytes += moved;
  return moved;
}
