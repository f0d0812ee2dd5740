/**
 * The lock that every program that changes the password files takes: lckpwdf(3), a POSIX write lock on
 * `/etc/.pwd.lock`, and the lock file of shadow-utils beside the file it protects. Taken together
 * they keep passwd(1), usermod(8), vipw(8) and pam_unix(8) out. The kernel releases the first when
 * we die; the second names our process, and shadow-utils removes it when that is gone.
 */
import { closeSync, constants, linkSync, openSync, readFileSync, statSync, unlinkSync, writeFileSync } from 'node:fs';

import { HoldfastError } from '@holdfast/core';

/** unistd.h */
const F_TLOCK = 2;
/** lockf(3) is fcntl(2) F_SETLK on the whole file: what lckpwdf(3) does, for a path of our choice. */
function tryLock(fd: number): boolean {
  // Loaded when it is needed: most that import this package never lock an account.
  using libc = process.getBuiltinModule('node:ffi').dlopen(null, {
    lockf: { arguments: ['i32', 'i32', 'i64'], return: 'i32' },
  });
  return libc.functions.lockf(fd, F_TLOCK, 0n) === 0;
}

/** POSIX locks do not keep one process from itself. */
const heldHere = new Set<string>();

/**
 * @param directory holds `shadow`; `/etc`
 * @throws `ERR_HOST_ACCOUNTS_BUSY`
 */
export function lockPasswordFiles(directory: string): Disposable {
  if (heldHere.has(directory)) throw busy();
  const fd = openSync(`${directory}/.pwd.lock`, constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  try {
    if (!tryLock(fd)) throw busy();
    const file = `${directory}/shadow.lock`;
    takeLockFile(file);
    heldHere.add(directory);
    return {
      [Symbol.dispose]() {
        heldHere.delete(directory);
        unlinkSync(file);
        closeSync(fd); // releases the POSIX lock
      },
    };
  } catch (cause) {
    closeSync(fd);
    throw cause;
  }
}

/** As shadow-utils' `do_lock_file`: a file that holds our pid, linked to the lock's name. */
function takeLockFile(file: string): void {
  const own = `${file}.${process.pid}`;
  writeFileSync(own, `${process.pid}\0`, { mode: 0o600 });
  try {
    try {
      linkSync(own, file);
    } catch {
      // Somebody has it. If that process is gone it is nobody's, as shadow-utils sees it too.
      if (isHolderAlive(file)) throw busy();
      unlinkSync(file);
      linkSync(own, file);
    }
    if (statSync(own).nlink !== 2) throw busy(); // the link is the lock, also over NFS
  } catch (cause) {
    throw cause instanceof HoldfastError ? cause : busy(cause);
  } finally {
    unlinkSync(own);
  }
}

function isHolderAlive(file: string): boolean {
  const pid = Number.parseInt(readFileSync(file, 'latin1'), 10);
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

const busy = (cause?: unknown): HoldfastError =>
  new HoldfastError('the password files are locked', { code: 'ERR_HOST_ACCOUNTS_BUSY', cause });
