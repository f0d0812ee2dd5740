/**
 * Every attempt of the attack program as data: what refuses it under the default profile, and
 * as whom it works on the same host without a sandbox.
 */
import type { SandboxLayer, SandboxProfile } from '@holdfast/policy';

/** How an attempt is run without the sandbox. */
export type Control =
  /** As the user that confined commands run as. */
  | 'user'
  /** As that user, with an open descriptor more than the standard ones. */
  | 'user-inheriting'
  | 'root'
  /** Root in mount, pid and UTS namespaces made for this one attempt, with a `/proc` that may be written. */
  | 'root-apart';

export interface Attempt {
  readonly name: string;
  /** Each of these alone refuses it; the error says which came first. */
  readonly refusedBy: readonly SandboxLayer[];
  /** Error names, or the signal that ends the process. */
  readonly refusals: readonly string[];
  readonly control: Control;
  /** What the program is told: a port of the runner's listeners, or the pid of a process of the same user. */
  readonly argument?: 'tcp-port' | 'udp-port' | 'victim';
  /** Where the default's limit would take long to reach. */
  readonly limits?: Partial<SandboxProfile['limits']>;
}

/** Not there, not to be looked up, or not to be opened: which of them depends on what a directory shows. */
const HIDDEN = ['ENOENT', 'EACCES', 'EPERM', 'ENOTDIR'];
const READ_ONLY = ['EACCES', 'EROFS', 'ENOENT', 'EPERM'];
const NO_FAMILY = ['EAFNOSUPPORT'];
const REFUSED = ['EPERM'];

const VIEW = ['mount-namespace', 'landlock-files'] as const;

function attempts(
  control: Control,
  refusedBy: readonly SandboxLayer[],
  refusals: readonly string[],
  names: string,
  more: Partial<Attempt> = {},
): Attempt[] {
  return names
    .split(/\s+/)
    .filter((name) => name !== '')
    .map((name) => Object.assign({ name, refusedBy, refusals, control }, more));
}

export const ATTEMPTS: readonly Attempt[] = [
  // Files
  ...attempts('user', VIEW, HIDDEN, 'read-outside leave-by-dots leave-by-link'),
  ...attempts('root', VIEW, HIDDEN, 'read-shadow list-root-home'),
  ...attempts('root', ['read-only-root', 'landlock-files'], READ_ONLY, 'write-etc write-usr write-root write-program'),
  ...attempts(
    'user',
    VIEW,
    HIDDEN,
    'write-outside truncate-outside unlink-outside rename-outside chmod-outside rename-race',
  ),
  // The name led to the attempt's own file whenever it led anywhere.
  ...attempts('user', VIEW, [...HIDDEN, 'EBADMSG'], 'symlink-race'),
  ...attempts(
    'root-apart',
    ['own-user', 'landlock-files'],
    READ_ONLY,
    'write-sysctl write-core-pattern write-memory-sysctl',
  ),
  ...attempts(
    'root',
    ['landlock-files', 'pid-namespace'],
    HIDDEN,
    'open-memory-of-init open-root-of-init open-maps-of-init read-environment-of-init',
  ),
  ...attempts('root', ['seccomp', 'capabilities'], REFUSED, 'open-by-handle mknod-character mknod-block watch-mount'),
  ...attempts('user', ['seccomp'], REFUSED, 'chmod-setuid create-setuid'),
  ...attempts('root', ['seccomp', 'capabilities'], REFUSED, 'chown-to-root set-file-capability'),

  // Network
  ...attempts('user', ['seccomp', 'network-namespace', 'landlock-tcp'], NO_FAMILY, 'tcp-connect', {
    argument: 'tcp-port',
  }),
  ...attempts('user', ['seccomp', 'network-namespace'], NO_FAMILY, 'mptcp-connect', { argument: 'tcp-port' }),
  ...attempts('user', ['seccomp', 'network-namespace'], NO_FAMILY, 'udp-send', { argument: 'udp-port' }),
  ...attempts('user', ['seccomp', 'landlock-tcp'], NO_FAMILY, 'tcp-listen'),
  ...attempts('user', ['seccomp'], NO_FAMILY, 'tcp-inet6 netlink-socket vsock-socket unix-listen'),
  ...attempts('root', ['seccomp', 'capabilities'], NO_FAMILY, 'raw-socket packet-socket'),
  ...attempts('user', ['seccomp', 'mount-namespace'], NO_FAMILY, 'unix-path unix-pair-sends-to-name'),
  ...attempts('user', ['seccomp', 'network-namespace', 'landlock-scope'], NO_FAMILY, 'unix-abstract'),

  // Other processes
  ...attempts('user', ['seccomp'], REFUSED, 'ptrace-child process-vm-read-self process-vm-write-self pidfd-getfd kcmp'),
  ...attempts('user', ['seccomp', 'pid-namespace'], REFUSED, 'ptrace-victim process-vm-read-victim', {
    argument: 'victim',
  }),
  ...attempts(
    'user',
    ['pid-namespace', 'landlock-scope'],
    ['ESRCH', 'EPERM', 'EINVAL'],
    'signal-victim signal-victim-by-pidfd',
    { argument: 'victim' },
  ),
  ...attempts('root', ['landlock-scope'], REFUSED, 'signal-init'),

  // Namespaces and mounts
  ...attempts('user', ['seccomp'], REFUSED, 'unshare-user clone-user clone-sibling'),
  ...attempts('user', ['seccomp'], ['ENOSYS'], 'clone3-user'),
  ...attempts('root', ['seccomp', 'capabilities'], [...REFUSED, 'EBADF'], 'unshare-mount unshare-network setns'),
  ...attempts(
    'root-apart',
    ['seccomp', 'capabilities', 'landlock-files'],
    REFUSED,
    `mount-tmpfs mount-bind mount-proc remount-root unmount chroot pivot-root open-tree fsopen-move-mount fspick
     mount-setattr sethostname`,
  ),

  // Who one is
  ...attempts('root', ['seccomp', 'capabilities'], REFUSED, 'setresuid setresgid setgroups capset securebits'),
  ...attempts(
    'user',
    ['no-new-privileges', 'user-namespace', 'mount-namespace', 'landlock-files'],
    HIDDEN,
    'exec-setuid',
  ),
  ...attempts('user', ['rlimits', 'capabilities'], REFUSED, 'raise-limit'),
  ...attempts('root', ['seccomp', 'capabilities'], REFUSED, 'real-time'),
  ...attempts('root', ['capabilities'], ['EACCES', 'EPERM'], 'nice'),

  // The kernel
  ...attempts('user', ['seccomp'], REFUSED, 'add-key request-key keyctl filter-with-listener filter-by-prctl'),
  ...attempts(
    'user',
    ['seccomp'],
    REFUSED,
    'io-uring clock-adjust no-randomisation read-implies-exec process-mrelease',
  ),
  ...attempts(
    'root',
    ['seccomp', 'capabilities'],
    REFUSED,
    `userfaultfd bpf perf-event kexec kexec-file load-module load-module-file reboot swapon accounting kernel-log quota`,
  ),
  ...attempts('root', ['seccomp', 'capabilities'], ['ENOTTY'], 'type-at-terminal type-with-high-bits'),

  // Code
  ...attempts('user', ['seccomp'], ['EACCES'], 'map-writable-code make-data-executable make-code-writable'),
  ...attempts('user', ['seccomp'], REFUSED, 'share-executable-memory exec-memfd'),
  ...attempts('user', ['landlock-files', 'mount-namespace'], ['EACCES'], 'exec-dropped exec-dropped-script'),
  ...attempts('user', ['mount-namespace'], ['EPERM'], 'load-dropped map-dropped'),

  // What a sandbox is made of. Its streams are pipes, of which the launcher closes everything else.
  ...attempts('user', [], ['ENOTSOCK'], 'pass-descriptor'),
  ...attempts('root', ['pid-namespace', 'landlock-scope'], ['ENOTSOCK'], 'signal-peer'),
  ...attempts('user-inheriting', [], ['EBADF'], 'use-inherited'),
  ...attempts(
    'root',
    ['landlock-files', 'pid-namespace'],
    HIDDEN,
    'list-descriptors-of-init open-status-channel-of-init',
  ),
  ...attempts(
    'user',
    ['pid-namespace'],
    [...HIDDEN, 'ESRCH'],
    `open-root-of-victim list-descriptors-of-victim open-memory-of-victim read-environment-of-victim
     signal-victim-by-io`,
    { argument: 'victim' },
  ),
  ...attempts('user', VIEW, HIDDEN, 'read-through-own-root read-through-own-cwd open-terminal'),
  ...attempts('root', VIEW, READ_ONLY, 'leave-group make-group'),
  ...attempts('root', VIEW, HIDDEN, 'read-kernel-symbols read-keys'),
  ...attempts('user', ['rlimits', 'capabilities'], REFUSED, 'raise-core-limit'),

  // Too much
  ...attempts('user', ['rlimits', 'cgroup'], ['EAGAIN'], 'fork-bomb thread-bomb'),
  ...attempts('user', ['rlimits', 'cgroup'], ['ENOMEM', 'SIGKILL'], 'memory-bomb shared-memory-bomb'),
  ...attempts('user', ['rlimits'], ['SIGXCPU', 'SIGKILL'], 'cpu-bomb', { limits: { cpuSeconds: 1 } }),
  ...attempts('user', ['rlimits'], ['EFBIG', 'ENOSPC'], 'file-bomb'),
  ...attempts('user', ['mount-namespace'], ['ENOSPC', 'EFBIG'], 'disk-bomb'),
  ...attempts('user', ['rlimits'], ['EMFILE'], 'descriptor-bomb'),
  ...attempts('user', [], ['truncated'], 'output-bomb'),
];

/** What only a 64-bit x86 machine has. */
export const X64_ATTEMPTS: readonly Attempt[] = [
  ...attempts('user', ['seccomp'], ['SIGSYS'], 'call-i386 call-x32'),
  ...attempts('user', ['seccomp'], REFUSED, 'modify-ldt'),
  ...attempts('root', ['seccomp', 'capabilities'], REFUSED, 'io-ports'),
];
