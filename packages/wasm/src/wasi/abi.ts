/** Constants and sizes of the WASI preview 1 ABI (witx of wasi_snapshot_preview1). No behaviour. */

export const FILETYPE = { UNKNOWN: 0, DIRECTORY: 3, REGULAR_FILE: 4 } as const;

export const OFLAGS = { CREAT: 1, DIRECTORY: 2, EXCL: 4, TRUNC: 8 } as const;

export const FDFLAGS = { APPEND: 1, ALL: 0b1_1111 } as const;

export const FSTFLAGS = { ATIM: 1, ATIM_NOW: 2, MTIM: 4, MTIM_NOW: 8, ALL: 0b1111 } as const;

export const WHENCE = { SET: 0, CUR: 1, END: 2 } as const;

export const CLOCK = { REALTIME: 0, MONOTONIC: 1, PROCESS_CPUTIME: 2, THREAD_CPUTIME: 3 } as const;

export const EVENTTYPE = { CLOCK: 0, FD_READ: 1, FD_WRITE: 2 } as const;

export const SUBCLOCK_ABSTIME = 1;
export const EVENT_HANGUP = 1;

const right = (bit: number): bigint => 1n << BigInt(bit);

const FD_READ = right(1);
const FD_WRITE = right(6);
const POLL_FD_READWRITE = right(27);
const FD_FILESTAT_GET = right(21);
const FDSTAT_SET_FLAGS = right(3);

/**
 * Rights as current runtimes treat them: reading and writing are decided when a file is opened, the
 * rest is reported and never narrowed. What a descriptor may reach is bounded by what it is.
 */
export const RIGHTS = {
  FD_READ,
  FD_WRITE,
  STREAM_IN: FD_READ | POLL_FD_READWRITE | FD_FILESTAT_GET | FDSTAT_SET_FLAGS,
  STREAM_OUT: FD_WRITE | POLL_FD_READWRITE | FD_FILESTAT_GET | FDSTAT_SET_FLAGS,
  /** datasync, seek, set_flags, sync, tell, advise, filestat_get, set_times, poll. */
  FILE: [0, 2, 3, 4, 5, 7, 21, 23, 27].reduce((all, bit) => all | right(bit), 0n),
  /** allocate, filestat_set_size: with `FD_WRITE` only. */
  FILE_WRITE: FD_WRITE | right(8) | right(22),
  /** set_flags, sync and all of `path_*` but set_size: some C libraries look for each, also for those that are refused. */
  DIRECTORY: [3, 4, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 20, 21, 23, 24, 25, 26].reduce(
    (all, bit) => all | right(bit),
    0n,
  ),
} as const;

export const SIZE = {
  IOVEC: 8,
  DIRENT: 24,
  FDSTAT: 24,
  FILESTAT: 64,
  PRESTAT: 8,
  SUBSCRIPTION: 48,
  EVENT: 32,
} as const;
