/**
 * A stream socket pair over which the other end can hand over descriptors (unix(7), SCM_RIGHTS). Node
 * reads a socket with read(2), which throws descriptors away, so as long as some are expected
 * recvmsg(2) reads in its place, through `node:ffi`; afterwards it is a socket like any other.
 */
import { closeSync } from 'node:fs';
import { dlopen, getRawPointer } from 'node:ffi';
import { Socket } from 'node:net';
import { HoldfastError } from '@holdfast/core';

/** asm-generic/socket.h, linux/socket.h; the same on x86-64 and aarch64. */
const [AF_UNIX, SOCK_STREAM, SOCK_CLOEXEC, SOL_SOCKET, SCM_RIGHTS] = [1, 1, 0o2_000_000, 1, 1];
const [MSG_DONTWAIT, MSG_CMSG_CLOEXEC] = [0x40, 0x4000_0000];
const [MSGHDR_BYTES, IOVEC_BYTES, CMSGHDR_BYTES] = [56, 16, 16];
/** Of one message. A profile lists at most 32 endpoints, all handed over at once. */
const MAX_DESCRIPTORS = 32;
const READ_BYTES = 4_096;
/** The launcher gets there in well below a millisecond. */
const POLL_MS = 1;

export class DescriptorChannel {
  /** To be inherited by the other process, and then left to it by `handOver`. */
  readonly far: number;
  /** The near end, for writing. It reads for itself when `receive` is done, to `onBytes`. */
  readonly socket: Socket;
  readonly #near: number;
  readonly #onBytes: (bytes: Buffer) => void;
  #expected: PromiseWithResolvers<readonly number[]> | null = null;

  /**
   * @param onBytes is given everything that comes, in order, also what came with descriptors
   * @throws `ERR_SANDBOX_START` when there is no descriptor left, or no way to call libc
   */
  constructor(onBytes: (bytes: Buffer) => void) {
    [this.#near, this.far] = openPair();
    this.#onBytes = onBytes;
    const callback = (length: number, buffer: Uint8Array): boolean => {
      onBytes(Buffer.from(buffer.subarray(0, length))); // a copy: the buffer is used again
      return true;
    };
    // Only a socket with a buffer of its own stops reading the moment it is paused.
    this.socket = new Socket({ fd: this.#near, onread: { buffer: Buffer.alloc(READ_BYTES), callback } });
    this.socket.pause();
  }

  handOver(): void {
    closeSync(this.far);
  }

  /** The descriptors of the first message that has any, which are the caller's to close; none when the end comes first. */
  receive(): Promise<readonly number[]> {
    const expected = Promise.withResolvers<readonly number[]>();
    this.#expected = expected;
    this.#poll();
    return expected.promise;
  }

  /** Takes what has come and was not read yet, and closes. To be called when nobody has the other end any more. */
  finish(): void {
    while (this.#take());
    this.#settle([]);
    this.socket.destroy();
  }

  #poll(): void {
    if (this.#expected === null) return;
    if (this.socket.destroyed) this.#settle([]);
    else if (!this.#take() || this.#expected !== null) setTimeout(() => this.#poll(), POLL_MS);
  }

  /** Receives one message. @returns false when none is there, or ever will be */
  #take(): boolean {
    const message = this.socket.destroyed ? null : receiveMessage(this.#near);
    if (message === null) return false;
    const { bytes, descriptors } = message;
    const isEnd = bytes.length === 0;
    if (!isEnd) this.#onBytes(bytes);
    if (this.#expected === null) for (const descriptor of descriptors) closeSync(descriptor); // nobody asked for more
    else if (isEnd || descriptors.length > 0) this.#settle(descriptors);
    return !isEnd;
  }

  #settle(descriptors: readonly number[]): void {
    this.#expected?.resolve(descriptors);
    this.#expected = null;
    this.socket.resume();
  }
}

function load() {
  return dlopen(null, {
    socketpair: { arguments: ['i32', 'i32', 'i32', 'buffer'], return: 'i32' },
    recvmsg: { arguments: ['i32', 'buffer', 'i32'], return: 'i64' },
  }).functions;
}
let libc: ReturnType<typeof load> | undefined;

function openPair(): readonly [near: number, far: number] {
  const pair = Buffer.alloc(8);
  try {
    libc ??= load();
    if (libc.socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) === 0) {
      return [pair.readInt32LE(0), pair.readInt32LE(4)];
    }
  } catch {
    // no such function here: said below
  }
  throw new HoldfastError('no socket pair can be made', { code: 'ERR_SANDBOX_START', fields: { step: 'endpoints' } });
}

/** recvmsg(2), without waiting. `null` when nothing is there; no bytes when the other end is closed. */
function receiveMessage(
  descriptor: number,
): { readonly bytes: Buffer; readonly descriptors: readonly number[] } | null {
  const bytes = Buffer.alloc(READ_BYTES);
  const control = Buffer.alloc(CMSGHDR_BYTES + 4 * MAX_DESCRIPTORS);
  const vector = Buffer.alloc(IOVEC_BYTES);
  vector.writeBigUInt64LE(getRawPointer(bytes), 0);
  vector.writeBigUInt64LE(BigInt(bytes.length), 8);
  // struct msghdr: name, its length, buffers, their count, control, its length, flags.
  const message = Buffer.alloc(MSGHDR_BYTES);
  message.writeBigUInt64LE(getRawPointer(vector), 16);
  message.writeBigUInt64LE(1n, 24);
  message.writeBigUInt64LE(getRawPointer(control), 32);
  message.writeBigUInt64LE(BigInt(control.length), 40);
  const length = Number(libc?.recvmsg(descriptor, message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) ?? -1);
  if (length < 0) return null; // EAGAIN; whatever else it were, the end of the process follows
  const given = control.subarray(0, Number(message.readBigUInt64LE(40)));
  return { bytes: bytes.subarray(0, length), descriptors: decodeRights(given) };
}

/** cmsg(3): length with the header, level, type, then the descriptors. */
function decodeRights(control: Buffer): readonly number[] {
  if (control.length < CMSGHDR_BYTES) return [];
  if (control.readInt32LE(8) !== SOL_SOCKET || control.readInt32LE(12) !== SCM_RIGHTS) return [];
  const end = Math.min(Number(control.readBigUInt64LE(0)), control.length);
  const descriptors: number[] = [];
  for (let at = CMSGHDR_BYTES; at + 4 <= end; at += 4) descriptors.push(control.readInt32LE(at));
  return descriptors;
}
