/**
 * Which system calls serve which purpose, and which no profile gets. The names are those of
 * both architectures; a name that one of them does not have is left out there.
 */
import type { SyscallPurpose } from '@holdfast/policy';
import {
  ARCH_PRCTL,
  CLONE_PROCESS,
  CLONE_THREAD_ONLY,
  IOCTL,
  MEMFD_NOT_EXECUTABLE,
  MMAP_WITHOUT_CODE_MAKING,
  modeOfNoDevice,
  modeWithoutSetId,
  MPROTECT_WITHOUT_CODE_MAKING,
  openToRead,
  openWithoutSetId,
  PERSONALITY_UNCHANGED,
  PRCTL,
  PRLIMIT_OF_SELF,
  SECCOMP,
  SENDTO_WITHOUT_ADDRESS,
  SHMAT,
  SOCKETPAIR,
} from './argument-rules.ts';
import { ALWAYS, type ArgumentCase, ERRNO } from './call-rule.ts';

export type CallCases = Readonly<Record<string, readonly ArgumentCase[]>>;

function calls(names: string): CallCases {
  return Object.fromEntries(
    names
      .split(/\s+/)
      .filter((name) => name !== '')
      .map((name) => [name, ALWAYS]),
  );
}

/** What may be done with a socket that is there: a standard stream, or one half of a pair. */
const CONNECTED_SOCKETS: CallCases = {
  ...calls('recvfrom recvmsg sendmsg shutdown setsockopt'),
  sendto: SENDTO_WITHOUT_ADDRESS,
  socketpair: SOCKETPAIR,
};

export const PURPOSES: Readonly<Record<SyscallPurpose, CallCases>> = {
  /** A dynamically linked program that reads files and writes to its standard output. */
  base: {
    ...calls(`
      brk munmap mremap madvise msync mincore mlock munlock membarrier
      read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek sendfile
      close close_range dup dup2 dup3 fcntl pipe pipe2 poll ppoll select pselect6
      stat lstat fstat newfstatat statx statfs fstatfs access faccessat faccessat2 readlink readlinkat
      getdents getdents64 getcwd chdir fchdir umask fadvise64 readahead
      getsockname getpeername getsockopt
      getpid getppid gettid getpgid getpgrp getsid getuid geteuid getgid getegid getresuid getresgid getgroups
      capget getpriority getrlimit setrlimit getrusage sysinfo uname
      time gettimeofday clock_gettime clock_getres clock_nanosleep nanosleep times getcpu getrandom
      sched_yield sched_getaffinity set_tid_address set_robust_list get_robust_list rseq
      futex futex_wait futex_wake futex_requeue futex_waitv
      rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack restart_syscall tgkill
      execve exit exit_group
    `),
    open: openToRead(1),
    openat: openToRead(2),
    mmap: MMAP_WITHOUT_CODE_MAKING,
    mprotect: MPROTECT_WITHOUT_CODE_MAKING,
    ioctl: IOCTL,
    prctl: PRCTL,
    arch_prctl: ARCH_PRCTL,
    prlimit64: PRLIMIT_OF_SELF,
    personality: PERSONALITY_UNCHANGED,
  },
  files: {
    ...calls(`
      mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2
      link linkat symlink symlinkat truncate ftruncate fallocate flock fsync fdatasync sync_file_range
      copy_file_range utime utimes utimensat futimesat
      getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr
    `),
    open: openWithoutSetId(1),
    openat: openWithoutSetId(2),
    creat: modeWithoutSetId(1),
    chmod: modeWithoutSetId(1),
    fchmod: modeWithoutSetId(1),
    fchmodat: modeWithoutSetId(2),
    fchmodat2: modeWithoutSetId(2),
    mknod: modeOfNoDevice(1),
    mknodat: modeOfNoDevice(2),
    memfd_create: MEMFD_NOT_EXECUTABLE,
  },
  processes: {
    ...calls('fork vfork wait4 waitid setpgid setsid pidfd_open setpriority'),
    ...CONNECTED_SOCKETS,
    clone: CLONE_PROCESS,
  },
  threads: {
    ...calls(`
      sched_setaffinity sched_getparam sched_getscheduler sched_getattr
      sched_get_priority_max sched_get_priority_min sched_rr_get_interval
    `),
    clone: CLONE_THREAD_ONLY,
  },
  /** Whom a signal reaches is for the pid namespace and Landlock to say. */
  signals: calls(`
    kill tkill rt_sigqueueinfo rt_tgsigqueueinfo pidfd_send_signal
    rt_sigpending rt_sigtimedwait rt_sigsuspend pause signalfd signalfd4
    alarm getitimer setitimer timer_create timer_settime timer_gettime timer_getoverrun timer_delete
  `),
  /** What `socket` itself allows follows from the profile's network. */
  sockets: {
    ...calls('connect bind listen accept accept4 sendto sendmmsg recvmmsg'),
    ...calls('recvfrom recvmsg sendmsg shutdown setsockopt'),
    socketpair: SOCKETPAIR,
  },
  jit: calls('mmap mprotect pkey_alloc pkey_free pkey_mprotect'),
  events: {
    ...calls(`
      epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 eventfd eventfd2
      timerfd_create timerfd_settime timerfd_gettime inotify_init inotify_init1 inotify_add_watch inotify_rm_watch
    `),
    ...CONNECTED_SOCKETS,
  },
};

/** Calls in no purpose that a profile may list, but not with every argument. */
export const LISTED_WITH_CASES: CallCases = { shmat: SHMAT, seccomp: SECCOMP };

/**
 * Calls that no profile gets, since with any of them the other layers would not hold or the kernel
 * would be open to its least hardened parts: other processes, kernel code, names and mounts,
 * namespaces, identities, keys, machine-wide state.
 */
export const NEVER: ReadonlySet<string> = new Set(
  Object.keys(
    calls(`
      ptrace process_vm_readv process_vm_writev process_madvise pidfd_getfd kcmp userfaultfd uretprobe uprobe
      bpf perf_event_open io_uring_setup io_uring_enter io_uring_register
      kexec_load kexec_file_load init_module finit_module delete_module create_module query_module get_kernel_syms
      mount umount2 pivot_root chroot mount_setattr open_tree open_tree_attr move_mount fsopen fsconfig fsmount fspick
      unshare setns clone3 name_to_handle_at open_by_handle_at fanotify_init
      setuid setgid setreuid setregid setresuid setresgid setfsuid setfsgid setgroups capset
      add_key request_key keyctl lsm_set_self_attr
      reboot swapon swapoff acct syslog quotactl quotactl_fd sethostname setdomainname vhangup
      settimeofday clock_settime clock_adjtime adjtimex iopl ioperm modify_ldt nfsservctl uselib
    `),
  ),
);

/**
 * Refusals by which a program goes another way: the C library makes threads with `clone` when there
 * is no `clone3`, and executes `/proc/self/fd` when there is no `execveat`; `openat2` hides its mode
 * behind a pointer; who asks a descriptor for what it is not learns just that. An error that says "forbidden" would end the program.
 */
export const REFUSALS: Readonly<Record<string, number>> = {
  clone3: ERRNO.ENOSYS,
  execveat: ERRNO.ENOSYS,
  openat2: ERRNO.ENOSYS,
  splice: ERRNO.ENOSYS,
  tee: ERRNO.ENOSYS,
  vmsplice: ERRNO.ENOSYS,
  ioctl: ERRNO.ENOTTY,
  mmap: ERRNO.EACCES,
  mprotect: ERRNO.EACCES,
  pkey_mprotect: ERRNO.EACCES,
  socket: ERRNO.EAFNOSUPPORT,
  socketpair: ERRNO.EAFNOSUPPORT,
};
