/**
 * The calls of which a name says too little: which arguments are allowed. The numbers are
 * those of the kernel's uapi headers, named at each.
 */
import { type ArgumentCase, bits, clear, INT, LONG, oneOf } from './call-rule.ts';

/**
 * linux/sched.h: CLONE_NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET; and
 * CLONE_PARENT, with which a command would give its children to the launcher.
 */
const CLONE_REFUSED = 0x80n | 0x2_0000n | 0x7e00_0000n | 0x8000n;
const CLONE_THREAD = 0x1_0000n;

export const CLONE_PROCESS: readonly ArgumentCase[] = [[clear(0, CLONE_REFUSED)]];
export const CLONE_THREAD_ONLY: readonly ArgumentCase[] = [[bits(0, CLONE_THREAD, CLONE_REFUSED)]];

/** asm-generic/mman-common.h */
const [PROT_WRITE, PROT_EXEC] = [2n, 4n];

/** Never writable and executable at once; a file's pages may be mapped executable, as every library is. */
export const MMAP_WITHOUT_CODE_MAKING: readonly ArgumentCase[] = [[clear(2, PROT_WRITE)], [clear(2, PROT_EXEC)]];
/** What was writable once does not become executable. */
export const MPROTECT_WITHOUT_CODE_MAKING: readonly ArgumentCase[] = [[clear(2, PROT_EXEC)]];

/** asm-generic/fcntl.h: O_WRONLY, O_RDWR, O_CREAT and O_TRUNC; O_TMPFILE needs one of the first two. */
const OPEN_TO_WRITE = 0o1n | 0o2n | 0o100n | 0o1000n;

/** `open` has its flags at 1, `openat` at 2. */
export function openToRead(flags: 1 | 2): readonly ArgumentCase[] {
  return [[clear(flags, OPEN_TO_WRITE)]];
}

/** linux/stat.h: S_ISUID and S_ISGID. A program with them runs as its owner. */
const SET_ID_BITS = 0o6000n;

export function modeWithoutSetId(mode: number): readonly ArgumentCase[] {
  return [[clear(mode, SET_ID_BITS)]];
}

/** asm-generic/fcntl.h: O_CREAT and __O_TMPFILE, without which there is no mode. */
const OPEN_WITH_MODE = 0o100n | 0o20_000_000n;

/** `open` has its flags at 1 and its mode at 2, `openat` each one further. */
export function openWithoutSetId(flags: 1 | 2): readonly ArgumentCase[] {
  return [[clear(flags, OPEN_WITH_MODE)], [clear(flags + 1, SET_ID_BITS)]];
}

/**
 * linux/stat.h: nothing, S_IFREG, S_IFIFO and S_IFSOCK under S_IFMT, with no set-id bit. Not a
 * device, of which the kernel wants CAP_MKNOD anyway.
 */
export function modeOfNoDevice(mode: number): readonly ArgumentCase[] {
  return [[oneOf(mode, 0o170_000n | SET_ID_BITS, 0n, 0o100_000n, 0o010_000n, 0o140_000n)]];
}

/** linux/memfd.h: sealed against becoming executable, since executing a memfd passes Landlock by. Not MFD_EXEC. */
export const MEMFD_NOT_EXECUTABLE: readonly ArgumentCase[] = [[bits(1, 0x8n, 0x10n)]];

/** linux/personality.h: Linux as it is, and asking for what is. READ_IMPLIES_EXEC and ADDR_NO_RANDOMIZE are not. */
export const PERSONALITY_UNCHANGED: readonly ArgumentCase[] = [[oneOf(0, INT, 0n, 0xffff_ffffn)]];

/** prlimit64(2) about the caller itself. */
export const PRLIMIT_OF_SELF: readonly ArgumentCase[] = [[oneOf(0, INT, 0n)]];

/** asm/prctl.h of x86: the FS and GS base, of which the C library keeps its thread's data. */
export const ARCH_PRCTL: readonly ArgumentCase[] = [[oneOf(0, INT, 0x1001n, 0x1002n, 0x1003n, 0x1004n)]];

/** linux/prctl.h. Not seccomp, ptracer, securebits, capabilities, memory-map fields. */
export const PRCTL: readonly ArgumentCase[] = [
  [
    oneOf(
      0,
      INT,
      1n, // PR_SET_PDEATHSIG
      2n, // PR_GET_PDEATHSIG
      3n, // PR_GET_DUMPABLE
      4n, // PR_SET_DUMPABLE
      7n, // PR_GET_KEEPCAPS
      15n, // PR_SET_NAME
      16n, // PR_GET_NAME
      21n, // PR_GET_SECCOMP
      23n, // PR_CAPBSET_READ
      29n, // PR_SET_TIMERSLACK
      30n, // PR_GET_TIMERSLACK
      36n, // PR_SET_CHILD_SUBREAPER
      37n, // PR_GET_CHILD_SUBREAPER
      38n, // PR_SET_NO_NEW_PRIVS
      39n, // PR_GET_NO_NEW_PRIVS
      40n, // PR_GET_TID_ADDRESS
      41n, // PR_SET_THP_DISABLE
      42n, // PR_GET_THP_DISABLE
      51n, // PR_SVE_GET_VL
      54n, // PR_PAC_RESET_KEYS
      56n, // PR_GET_TAGGED_ADDR_CTRL
      0x53_56_4d_41n, // PR_SET_VMA: names for /proc/self/maps
    ),
  ],
];

/**
 * asm-generic/ioctls.h and linux/fs.h: terminals as programs ask about them, descriptor flags, and
 * cloning of files. Not TIOCSTI (0x5412) and TIOCLINUX (0x541c), which type for the person at the
 * terminal, and no device's own.
 */
export const IOCTL: readonly ArgumentCase[] = [
  [
    oneOf(
      1,
      INT,
      0x5401n, // TCGETS
      0x5402n, // TCSETS
      0x5403n, // TCSETSW
      0x5404n, // TCSETSF
      0x540bn, // TCFLSH
      0x540en, // TIOCSCTTY
      0x540fn, // TIOCGPGRP
      0x5410n, // TIOCSPGRP
      0x5411n, // TIOCOUTQ
      0x5413n, // TIOCGWINSZ
      0x5414n, // TIOCSWINSZ
      0x541bn, // FIONREAD
      0x5421n, // FIONBIO
      0x5422n, // TIOCNOTTY
      0x5429n, // TIOCGSID
      0x5450n, // FIONCLEX
      0x5451n, // FIOCLEX
      0x5452n, // FIOASYNC
      0x802c_542an, // TCGETS2
      0x8004_5430n, // TIOCGPTN
      0x4004_5431n, // TIOCSPTLCK
      0x5441n, // TIOCGPTPEER
      0x4004_9409n, // FICLONE
      0x4020_940dn, // FICLONERANGE
      0xc020_660bn, // FS_IOC_FIEMAP
      0x8008_6601n, // FS_IOC_GETFLAGS
    ),
  ],
];

/** linux/socket.h */
const [AF_UNIX, AF_INET, AF_INET6, AF_NETLINK] = [1n, 2n, 10n, 16n];
/** linux/net.h: the kind of a socket without SOCK_CLOEXEC and SOCK_NONBLOCK. */
const KIND = 0xfn;
const [SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET] = [1n, 2n, 3n, 5n];
const IPPROTO_TCP = 6n;
const NETLINK_ROUTE = 0n;

/**
 * TCP and nothing else: not UDP, which Landlock does not know, not MPTCP and SCTP, which are
 * streams as well but pass by its rules for TCP.
 */
export const SOCKET_TCP: readonly ArgumentCase[] = [
  [oneOf(0, INT, AF_INET, AF_INET6), oneOf(1, KIND, SOCK_STREAM), oneOf(2, INT, 0n, IPPROTO_TCP)],
];
export const SOCKET_OF_HOST: readonly ArgumentCase[] = [
  [oneOf(0, INT, AF_UNIX)],
  [oneOf(0, INT, AF_INET, AF_INET6), oneOf(1, KIND, SOCK_STREAM, SOCK_DGRAM)],
  [oneOf(0, INT, AF_NETLINK), oneOf(1, KIND, SOCK_DGRAM, SOCK_RAW), oneOf(2, INT, NETLINK_ROUTE)],
];

/** Connected for good. A pair of SOCK_DGRAM could send to any other Unix socket by its name. */
export const SOCKETPAIR: readonly ArgumentCase[] = [
  [oneOf(0, INT, AF_UNIX), oneOf(1, KIND, SOCK_STREAM, SOCK_SEQPACKET)],
];

/** sendto(2) without an address, which is send(2). */
export const SENDTO_WITHOUT_ADDRESS: readonly ArgumentCase[] = [[oneOf(4, LONG, 0n)]];

/** asm-generic/shmparam.h: not SHM_EXEC, with which shared memory is writable and executable. */
export const SHMAT: readonly ArgumentCase[] = [[clear(2, 0o100_000n)]];

/** linux/seccomp.h: a stricter filter, and asking which actions there are. No flags: no listener, no logging. */
export const SECCOMP: readonly ArgumentCase[] = [[oneOf(0, INT, 0n, 1n, 2n), oneOf(1, INT, 0n)]];
