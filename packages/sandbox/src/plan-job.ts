/**
 * What happens between a fresh namespace and the command's first instruction, as data: process
 * 1 finishes the file system view, opens the endpoints and drops every right it has; then the command's
 * process is made and gets rlimits, Landlock, seccomp and execve, in this order. All of it by the
 * launcher, which stops at the first step that does not give what is expected. It comes as two tables:
 * all but the last two steps follow from the profile, so a slot has them behind it while it waits.
 */
import { constants } from 'node:os';
import { landlockSteps } from './landlock/landlock-steps.ts';
import {
  type Argument,
  type Step,
  type TableSteps,
  cString,
  encodeTable,
  pointerArray,
  words,
} from './launcher/job-table.ts';
import { HEADER_BYTES, JOB_TABLE_ADDRESS, RECORD, SLOT_TABLE_ADDRESS } from './launcher/memory.ts';
import { ENDED_BYTES, type FailedStep, RUSAGE_OFFSET, STATUS_OFFSET } from './launcher/report.ts';
import { endpointSteps, hasPrivilegedPort } from './namespaces/endpoints.ts';
import type { CompiledProfile, SlotPlan } from './plan.ts';

/** What a command adds to its profile. */
export interface PlannedJob {
  readonly argv: readonly [string, ...string[]];
  /** @default '/' */
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** What the command's process still does when the filter is on: a filter that refuses one of these starts nothing. */
export const CALLS_BEHIND_FILTER = ['read', 'chdir', 'execve'] as const;
const JOB_STEPS = ['working directory', 'execve'] as const;

/** Where the job's table comes from. Not descriptor 3, on which any byte is SIGTERM by then. */
const JOB_DESCRIPTOR = 4;
/** The first descriptor that is free: 0 to 2 are the command's, 3 and 4 the launcher's. */
const FREE_DESCRIPTOR = 5;
/** In a namespace of its own the first process after process 1 has this number. */
const COMMAND_PID = 2;
const ALL_DESCRIPTORS = 0xffff_ffff;
const CLOSE_RANGE_CLOEXEC = 4;

/** prctl(2). */
const [PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT] = [4, 24, 38, 47];
const PR_CAP_AMBIENT_CLEAR_ALL = 4;
/** capabilities(7), as given by `planSlot`; the right to drop goes last. */
const [CAP_SETPCAP, CAP_NET_BIND_SERVICE, CAP_SYS_ADMIN] = [8, 10, 21];
const CAPABILITY_VERSION_3 = 0x2008_0522;
/** prlimit(2), asm-generic/resource.h. */
const RLIMIT = { CPU: 0, FSIZE: 1, CORE: 4, NPROC: 6, NOFILE: 7, AS: 9, MSGQUEUE: 12 } as const;
/** mount_setattr(2). */
const AT_FDCWD = -100;
const AT_RECURSIVE = 0x8000;
const MOUNT = { readOnly: 1, nosuid: 2, nodev: 4, noexec: 8 } as const;
/** fcntl(2), asm-generic/fcntl.h. */
const [F_SETFL, F_SETOWN, F_SETSIG, O_ASYNC] = [4, 8, 10, 0o20_000];
const SECCOMP_SET_MODE_FILTER = 1;
const WAIT_ALL_KINDS = 0x4000_0000; // wait(2): __WALL, also what was not cloned with SIGCHLD
const RUSAGE_CHILDREN = -1;
const LAST_SIGNAL = 64;

/** The table that a slot gets as soon as it is in its control group. */
export function planSetUp(compiled: CompiledProfile, limitsEachProcess: boolean): Pick<SlotPlan, 'table' | 'steps'> {
  const steps = setUpSteps(compiled, limitsEachProcess);
  return {
    table: encodeTable(steps, compiled.features.architecture, SLOT_TABLE_ADDRESS),
    steps: [...steps.child, ...steps.parent].map(({ name }) => name),
  };
}

/** The table that a waiting slot gets. @throws `ERR_SANDBOX_START` when argv and environment are too long */
export function planJob(compiled: CompiledProfile, job: PlannedJob): Uint8Array {
  const steps = { child: jobSteps(compiled, job), parent: [] };
  return encodeTable(steps, compiled.features.architecture, JOB_TABLE_ADDRESS);
}

/** The name of a step that a report says has failed. */
export function describeStep({ steps }: Pick<SlotPlan, 'steps'>, { table, entry }: FailedStep): string {
  return (table === 'slot' ? steps : JOB_STEPS)[entry] ?? 'unknown step';
}

export function jobSteps({ profile }: CompiledProfile, { argv, cwd = '/', env }: PlannedJob): readonly Step[] {
  const environment = Object.entries({ ...profile.env, ...env }).map(([name, value]) => cString(`${name}=${value}`));
  const [workingDirectory, execve] = JOB_STEPS;
  return [
    step(workingDirectory, 'chdir', [cString(cwd)]),
    step(execve, 'execve', [cString(argv[0]), pointerArray(argv.map(cString)), pointerArray(environment)]),
  ];
}

/** @param limitsEachProcess true where no control group counts memory */
export function setUpSteps(compiled: CompiledProfile, limitsEachProcess: boolean): TableSteps {
  const { profile } = compiled;
  return {
    child: [
      ...standardDescriptorSteps(),
      ...mountSteps(compiled),
      ...endpointSteps(profile, FREE_DESCRIPTOR),
      ...privilegeSteps(hasPrivilegedPort(profile)),
      step('fork', 'clone', [constants.signals.SIGCHLD, 0, 0, 0, 0], 'fork'),
      // A session, and so a process group, of its own; the result proves that the namespace is fresh.
      step('session', 'setsid', [], COMMAND_PID),
      step('descriptors', 'close_range', [3, ALL_DESCRIPTORS, CLOSE_RANGE_CLOEXEC]),
      ...signalSteps(),
      step('umask', 'umask', [0o022], 'success'),
      ...limitSteps(compiled, limitsEachProcess),
      ...(compiled.landlock.handledFiles === 0n ? [] : landlockSteps(compiled.landlock, FREE_DESCRIPTOR)),
      seccompStep(compiled.seccomp),
      step('job', 'read', [JOB_DESCRIPTOR, JOB_TABLE_ADDRESS, HEADER_BYTES], 'table'),
    ],
    parent: parentSteps(),
  };
}

function step(name: string, call: string, args: readonly Argument[], expect: Step['expect'] = 0): Step {
  return { name, call, args, expect };
}

/** The command's come as 5 to 7, out of reach of bubblewrap: see `Slot`. */
function standardDescriptorSteps(): readonly Step[] {
  return [
    ...['stdin', 'stdout', 'stderr'].map((name, at) => step(name, 'dup3', [FREE_DESCRIPTOR + at, at, 0], at)),
    step('descriptors of slot', 'close_range', [FREE_DESCRIPTOR, FREE_DESCRIPTOR + 2, 0]),
  ];
}

/** What bubblewrap has no option for. What is writable is never executed, whoever maps it. */
function mountSteps({ profile: { files } }: CompiledProfile): readonly Step[] {
  const inert = MOUNT.nosuid | MOUNT.nodev | MOUNT.noexec;
  return [
    setMount('/proc', MOUNT.readOnly | inert, 0),
    // Not what is mounted below it: a profile may show a program there, read-only.
    ...(files.tmpBytes > 0 ? [setMount('/tmp', inert, 0)] : []),
    ...files.writable.map((path) => setMount(path, inert, AT_RECURSIVE)),
  ];
}

function setMount(path: string, attributes: number, flags: number): Step {
  const change = words(attributes, 0, 0, 0); // struct mount_attr: to set, to clear, propagation, user namespace
  return step(`mount: ${path}`, 'mount_setattr', [AT_FDCWD, cString(path), flags, change, change.bytes.length]);
}

/** Everything the launcher could do more than any program. Nobody can look into process 1 after this. */
function privilegeSteps(hasBindCapability: boolean): readonly Step[] {
  const given = [CAP_SYS_ADMIN, ...(hasBindCapability ? [CAP_NET_BIND_SERVICE] : []), CAP_SETPCAP];
  // struct __user_cap_header_struct: version and process 0, this one; then three empty sets in two halves.
  const header = words(CAPABILITY_VERSION_3);
  return [
    ...given.map((capability) => step(`capability ${capability}`, 'prctl', [PR_CAPBSET_DROP, capability, 0, 0, 0])),
    step('ambient capabilities', 'prctl', [PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0]),
    step('capabilities', 'capset', [header, words(0, 0, 0)]),
    step('no new privileges', 'prctl', [PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0]),
    step('not dumpable', 'prctl', [PR_SET_DUMPABLE, 0, 0, 0, 0]), // execve makes the command dumpable again
    step('no core', 'prlimit64', [0, RLIMIT.CORE, words(0, 0), 0]),
  ];
}

/** Nothing ignored, nothing blocked, whatever was inherited. */
function signalSteps(): readonly Step[] {
  const none = words(0, 0, 0, 0); // struct kernel_sigaction: SIG_DFL
  const numbers = Array.from({ length: LAST_SIGNAL }, (_, index) => index + 1);
  const fixed = new Set<number>([constants.signals.SIGKILL, constants.signals.SIGSTOP]);
  return [
    ...numbers
      .filter((number) => !fixed.has(number))
      .map((number) => step(`signal ${number}`, 'rt_sigaction', [number, none, 0, 8])),
    step('signal mask', 'rt_sigprocmask', [2, words(0), 0, 8]), // SIG_SETMASK
  ];
}

function limitSteps({ profile: { limits } }: CompiledProfile, limitsEachProcess: boolean): readonly Step[] {
  return [
    limit('CPU', limits.cpuSeconds, limits.cpuSeconds + 1), // SIGXCPU, and a second later SIGKILL
    limit('FSIZE', limits.fileBytes),
    limit('NPROC', limits.processes + 1), // process 1 counts too
    limit('NOFILE', limits.openFiles),
    limit('MSGQUEUE', 0),
    ...(limitsEachProcess ? [limit('AS', limits.memoryBytes)] : []),
  ];
}

function limit(name: keyof typeof RLIMIT, soft: number, hard = soft): Step {
  return step(`limit ${name}`, 'prlimit64', [0, RLIMIT[name], words(soft, hard), 0]);
}

function seccompStep(filter: Uint8Array): Step {
  // struct sock_fprog: the number of instructions, 8 bytes each, and where they are.
  const program = { ...words(filter.length / 8, 0), pointers: [{ at: 8, to: { bytes: filter } }] };
  return step('seccomp', 'seccomp', [SECCOMP_SET_MODE_FILTER, 0, program]);
}

/**
 * Process 1: any byte or the end of the spawner's side becomes SIGTERM to the command's group; it waits
 * for the command, reaping orphans, and reports. RUSAGE_CHILDREN and not wait4's own figures, which
 * would leave out those orphans. When it exits the kernel kills what is left.
 */
function parentSteps(): readonly Step[] {
  const report = { bytes: words(RECORD.ended, ...Array.from({ length: ENDED_BYTES / 8 - 1 }, () => 0)).bytes };
  const inReport = (at: number): Argument => ({ inside: report, at });
  return [
    step('process 1: standard descriptors', 'close_range', [0, 2, 0]),
    step('process 1: descriptor of job', 'close', [JOB_DESCRIPTOR]),
    step('process 1: which signal', 'fcntl', [3, F_SETSIG, constants.signals.SIGTERM]),
    step('process 1: to whom', 'fcntl', [3, F_SETOWN, -COMMAND_PID]),
    step('process 1: when asked', 'fcntl', [3, F_SETFL, O_ASYNC]),
    step('process 1: wait', 'wait4', [-1, inReport(STATUS_OFFSET), WAIT_ALL_KINDS, 0], 'child'),
    step('process 1: usage', 'getrusage', [RUSAGE_CHILDREN, inReport(RUSAGE_OFFSET)]),
    step('process 1: report', 'write', [3, report, ENDED_BYTES], ENDED_BYTES),
    step('process 1: end', 'exit_group', [0]),
  ];
}
