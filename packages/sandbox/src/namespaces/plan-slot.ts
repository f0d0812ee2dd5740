/**
 * A waiting sandbox: the argv of bubblewrap, and the launcher's first table. All namespaces, and a root of its own that
 * holds what the profile lists and nothing else. What bubblewrap cannot do (noexec, a read-only
 * /proc) the launcher does afterwards, with capabilities it then drops; see `plan-job.ts`.
 */
import { HoldfastError, canonicalJson } from '@holdfast/core';
import { sha256Hex } from '@holdfast/crypto';
import { DEVICES } from '../landlock/compile-landlock.ts';
import type { CompiledProfile, SlotPlan } from '../plan.ts';
import { planSetUp } from '../plan-job.ts';
import { endpointsOf, hasPrivilegedPort, nameFiles } from './endpoints.ts';
import type { HostView } from './host-view.ts';

/** What differs from host to host. */
export interface SlotEnvironment {
  /** Absolute path of bwrap. */
  readonly bubblewrap: string;
  /** Absolute path of the launcher's file; MUST be owned by root and writable by nobody else. */
  readonly launcher: string;
  /** Where `SlotPlan.files` are written; MUST be readable by the sandbox's user and writable by root only. */
  readonly filesDirectory: string;
  /** Of the profile's user. MUST NOT be 0. */
  readonly uid: number;
  readonly gid: number;
  /** Of `pathsToView(profile)`. */
  readonly view: HostView;
  /** True where no control group counts memory: each process is then limited by itself. */
  readonly limitsEachProcess: boolean;
}

/** Where the launcher is inside. No Landlock rule names it: the command can neither read nor execute it. */
const LAUNCHER_INSIDE = '/.launcher';
/** Kept until the launcher has put on what bubblewrap cannot, in a namespace that holds nothing else. */
const LAUNCHER_CAPABILITIES = ['CAP_SYS_ADMIN', 'CAP_SETPCAP'];
const LAST_ARGUMENTS = ['--remount-ro', '/dev', '--remount-ro', '/', '--chdir', '/', '--', LAUNCHER_INSIDE];
/** Directories of the root that are symlinks into /usr where /usr is merged (Filesystem Hierarchy Standard 3, §3.4). */
const MERGED = ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'];
/** Readable by everybody, and about the host rather than the sandbox. */
const HIDDEN_IN_PROC = ['/proc/kallsyms', '/proc/keys', '/proc/key-users', '/proc/modules', '/proc/config.gz'];

/** The paths whose kind on the host decides how a slot is made. */
export function pathsToView({ files }: CompiledProfile['profile']): readonly string[] {
  return [...MERGED, ...HIDDEN_IN_PROC, ...files.readOnly, ...files.writable, ...files.hidden];
}

/** @throws `ERR_SANDBOX_PROFILE` when a writable path is not there, or the user is root */
export function planSlot(compiled: CompiledProfile, environment: SlotEnvironment): SlotPlan {
  const { profile } = compiled;
  if (environment.uid === 0 || environment.gid === 0) refuse('user', profile.user);
  const files = nameFiles(profile).map(({ path, text }) => {
    return { inside: path, path: `${environment.filesDirectory}/${sha256Hex(text)}`, text };
  });
  const argv = [
    environment.bubblewrap,
    ...namespaceArguments(compiled, environment),
    ...viewArguments(compiled, environment),
    ...files.flatMap(({ inside, path }) => ['--ro-bind', path, inside]),
    '--ro-bind',
    environment.launcher,
    LAUNCHER_INSIDE,
    ...LAST_ARGUMENTS,
  ] as const;
  const { uid, gid, limitsEachProcess } = environment;
  // What a slot has put on while it waits is all of its profile.
  const key = sha256Hex(canonicalJson({ argv, uid, gid, files, limitsEachProcess, profile: compiled.hash }));
  return {
    key,
    argv: [...argv],
    files: files.map(({ path, text }) => ({ path, text })),
    endpoints: endpointsOf(profile),
    ...planSetUp(compiled, limitsEachProcess),
  };
}

function namespaceArguments({ profile }: CompiledProfile, { uid, gid }: SlotEnvironment): readonly string[] {
  const capabilities = [...LAUNCHER_CAPABILITIES, ...(hasPrivilegedPort(profile) ? ['CAP_NET_BIND_SERVICE'] : [])];
  return [
    ['--unshare-user', '--unshare-pid', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup'],
    profile.network === 'host' ? [] : ['--unshare-net'],
    ['--die-with-parent', '--new-session', '--as-pid-1', '--hostname', 'sandbox'],
    ['--uid', String(uid), '--gid', String(gid), '--cap-drop', 'ALL'],
    capabilities.flatMap((name) => ['--cap-add', name]),
  ].flat();
}

/** Mounts in an order in which what is below comes after what is above it. */
function viewArguments({ profile: { files } }: CompiledProfile, { view }: SlotEnvironment): readonly string[] {
  const mounts = new Map<string, readonly string[]>([
    ['/proc', ['--proc', '/proc']],
    ['/dev', ['--tmpfs', '/dev']],
  ]);
  for (const device of DEVICES) mounts.set(`/dev/${device}`, ['--dev-bind', `/dev/${device}`, `/dev/${device}`]);
  for (const [at, name] of ['stdin', 'stdout', 'stderr'].entries()) {
    mounts.set(`/dev/${name}`, ['--symlink', `/proc/self/fd/${at}`, `/dev/${name}`]);
  }
  mounts.set('/dev/fd', ['--symlink', '/proc/self/fd', '/dev/fd']);
  if (files.tmpBytes > 0) mounts.set('/tmp', ['--size', String(files.tmpBytes), '--tmpfs', '/tmp']);
  for (const path of files.readOnly) {
    // What the host does not have is an empty directory, so that its Landlock rule has a place.
    mounts.set(path, view.kindOf(path) === 'absent' ? ['--dir', path] : ['--ro-bind', path, path]);
  }
  for (const path of files.writable) {
    if (view.kindOf(path) !== 'directory') refuse('files.writable', path);
    mounts.set(path, ['--bind', path, path]);
  }
  for (const path of [...HIDDEN_IN_PROC, ...files.hidden]) {
    const kind = view.kindOf(path);
    // Without the right to open a device on it, even /dev/null cannot be read.
    if (kind === 'file') mounts.set(path, ['--ro-bind', '/dev/null', path]);
    if (kind === 'directory') mounts.set(path, ['--perms', '0000', '--tmpfs', path, '--remount-ro', path]);
  }
  for (const path of MERGED) {
    const target = view.linkTarget(path);
    if (target !== null && !mounts.has(path)) mounts.set(path, ['--symlink', target, path]);
  }
  return [...mounts].toSorted(([a], [b]) => (a < b ? -1 : 1)).flatMap(([, args]) => args);
}

function refuse(place: string, value: string): never {
  throw new HoldfastError(`the sandbox profile cannot be used here: ${place}`, {
    code: 'ERR_SANDBOX_PROFILE',
    fields: { place, value },
  });
}
