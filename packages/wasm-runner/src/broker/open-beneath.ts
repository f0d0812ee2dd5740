/**
 * openat2(2): opens a name below a directory, resolved by the kernel, which is the only one that can
 * do so while somebody renames. Node has no such call; it goes through `node:ffi`.
 */
import { HoldfastError } from '@holdfast/core';
import { closeSync, constants } from 'node:fs';
import { dlopen, getInt32 } from 'node:ffi';

/** uapi/asm-generic/unistd.h; the same number on every architecture since 5.6. */
const SYS_OPENAT2 = 437n;
/** struct open_how: flags, mode, resolve; 64 bits each (uapi/linux/openat2.h). */
const OPEN_HOW_BYTES = 24;
const RESOLVE_NO_XDEV = 0x01n;
const RESOLVE_NO_MAGICLINKS = 0x02n;
const RESOLVE_NO_SYMLINKS = 0x04n;
const RESOLVE_BENEATH = 0x08n;
const RESOLVE = RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH;
/** Not in Node's constants. Nothing is opened but the name: no device wakes up, no FIFO waits. */
const O_PATH = 0o10_000_000;
const O_CLOEXEC = 0o2_000_000;
const EAGAIN = 11;
const ENOTDIR = 20;
/** The kernel answers EAGAIN when a rename anywhere made the resolution uncertain: a race, not a state. */
const MAX_TRIES = 64;

/** @returns a descriptor that can be looked at and not read, or why there is no such name below */
export type OpenBeneath = (directory: number, path: string) => number | 'not-found' | 'not-a-directory';

/** @throws `ERR_WASM_DIRECTORY` where openat2 cannot be called */
export function loadOpenBeneath(): OpenBeneath {
  const { syscall, errno } = load();
  const how = Buffer.alloc(OPEN_HOW_BYTES);
  how.writeBigUInt64LE(BigInt(O_PATH | O_CLOEXEC | constants.O_NOFOLLOW), 0);
  how.writeBigUInt64LE(RESOLVE, 16);
  return (directory, path) => {
    const name = Buffer.from(`${path}\0`);
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const fd = Number(syscall(SYS_OPENAT2, BigInt(directory), name, how, BigInt(OPEN_HOW_BYTES)));
      if (fd >= 0) return fd;
      const error = errno();
      if (error === ENOTDIR) return 'not-a-directory';
      if (error !== EAGAIN) return 'not-found';
    }
    return 'not-found';
  };
}

/** Whether the kernel knows openat2 and its resolve flags (Linux 5.6). */
export function assertOpenBeneath(open: OpenBeneath, directory: number): void {
  const fd = open(directory, '.');
  if (typeof fd === 'string') throw new HoldfastError('the kernel has no openat2(2)', { code: 'ERR_WASM_DIRECTORY' });
  closeSync(fd);
}

function load() {
  try {
    const { functions } = dlopen(null, {
      syscall: { arguments: ['i64', 'i64', 'buffer', 'buffer', 'i64'], return: 'i64' },
      __errno_location: { arguments: [], return: 'pointer' },
    });
    return { syscall: functions.syscall, errno: () => getInt32(functions.__errno_location()) };
  } catch (cause) {
    throw new HoldfastError('openat2(2) cannot be called', { code: 'ERR_WASM_DIRECTORY', cause });
  }
}
