/**
 * Error numbers of WASI preview 1 (`errno` in the witx of wasi_snapshot_preview1), and the exception
 * by which a call is answered with one. The exceptions are made once, without a stack: a guest that
 * fails on purpose, in a loop, must not cost more than one that does not.
 */
import type { FileError, FileResult } from './capabilities.ts';

export const ERRNO = {
  SUCCESS: 0,
  BADF: 8,
  DQUOT: 19,
  EXIST: 20,
  FAULT: 21,
  FBIG: 22,
  ILSEQ: 25,
  INVAL: 28,
  IO: 29,
  ISDIR: 31,
  MFILE: 33,
  NAMETOOLONG: 37,
  NOENT: 44,
  NOSPC: 51,
  NOSYS: 52,
  NOTDIR: 54,
  NOTEMPTY: 55,
  NOTSOCK: 57,
  NOTSUP: 58,
  OVERFLOW: 61,
  PERM: 63,
  ROFS: 69,
  SPIPE: 70,
  XDEV: 75,
  NOTCAPABLE: 76,
} as const;

export type ErrnoName = keyof typeof ERRNO;

/** Ends a WASI call, not the run: the guest sees the number. */
export class WasiRefusal extends Error {
  readonly errno: number;

  constructor(name: ErrnoName) {
    super(name);
    this.errno = ERRNO[name];
  }
}

const REFUSALS = new Map<ErrnoName, WasiRefusal>();

/** @throws `WasiRefusal`, always the same object for one name */
export function refuse(name: ErrnoName): never {
  let refusal = REFUSALS.get(name);
  if (refusal === undefined) {
    refusal = new WasiRefusal(name);
    REFUSALS.set(name, refusal);
  }
  throw refusal;
}

const FILE_ERRORS: Record<FileError, ErrnoName> = {
  'not-found': 'NOENT',
  exists: 'EXIST',
  'not-a-directory': 'NOTDIR',
  'is-a-directory': 'ISDIR',
  'not-empty': 'NOTEMPTY',
  'read-only': 'ROFS',
  quota: 'NOSPC',
  'too-large': 'FBIG',
  'too-many-files': 'DQUOT',
  'not-permitted': 'PERM',
  invalid: 'INVAL',
  io: 'IO',
};

/** What a file system answered, or its error as the errno. */
export function granted<T>(result: FileResult<T>): T {
  if (!result.ok) refuse(FILE_ERRORS[result.error]);
  return result.value;
}
