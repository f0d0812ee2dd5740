/**
 * Finds and removes everything that a lab put on the machine, by the lab's id and directory alone:
 * it does not matter how its creator ended, nor how far `up` had come (C-42).
 */
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { HoldfastError } from '@holdfast/core';
import { becomesTrue } from './becomes-true.ts';
import { findProgram, runCommand } from './commands.ts';
import { labNames } from './network.ts';

/** How long killed processes may take to be gone, and the kernel to let go of what they held. */
const RELEASE_MS = 5_000;
const CGROUP_ROOT = '/sys/fs/cgroup';
const NAMESPACE_DIRECTORY = '/run/netns';

export interface Remains {
  readonly interfaces: readonly string[];
  readonly namespaces: readonly string[];
  readonly mounts: readonly string[];
  readonly cgroups: readonly string[];
  readonly processes: readonly number[];
}

export function isNothing(remains: Remains): boolean {
  return Object.values(remains).every((list: readonly unknown[]) => list.length === 0);
}

function listDirectory(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return []; // absent: there is nothing in it
  }
}

/** Mount points below `directory`, deepest and latest first: the order in which they can be unmounted. */
export function listMounts(directory: string, mountinfo = readFileSync('/proc/self/mountinfo', 'utf8')): string[] {
  return mountinfo
    .split('\n')
    .map((line) =>
      (line.split(' ')[4] ?? '').replaceAll(/\\(\d{3})/g, (_all, octal: string) =>
        String.fromCharCode(Number.parseInt(octal, 8)),
      ),
    )
    .filter((point) => point.startsWith(`${directory}/`))
    .toReversed();
}

/** Top control groups of the lab: one per mounted hierarchy that has one. */
export function listCgroups(id: string): string[] {
  const { prefix } = labNames(id);
  return ['', ...listDirectory(CGROUP_ROOT)]
    .map((hierarchy) => join(CGROUP_ROOT, hierarchy, prefix))
    .filter((path) => existsSync(path));
}

/** All of a tree of control groups, leaves first. */
function walkCgroup(path: string): string[] {
  const children = listDirectory(path).map((name) => join(path, name));
  return [...children.filter((child) => existsSync(join(child, 'cgroup.procs'))).flatMap(walkCgroup), path];
}

function isZombie(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z');
  } catch {
    return true; // gone altogether
  }
}

/** Living processes in a tree of control groups. One that waits to be reaped by its parent is dead. */
export function listProcesses(cgroups: readonly string[]): number[] {
  const pids = new Set<number>();
  for (const group of cgroups.flatMap(walkCgroup)) {
    try {
      for (const line of readFileSync(join(group, 'cgroup.procs'), 'utf8').split('\n')) {
        if (line !== '') pids.add(Number(line));
      }
    } catch {
      // removed meanwhile, or a threaded group that has no such list of its own
    }
  }
  return [...pids].filter((pid) => pid !== process.pid && !isZombie(pid));
}

function readArguments(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return []; // ended meanwhile
  }
}

/**
 * Processes of a creator that was killed in the middle of `up`: a launcher that has yet to join its
 * control group, or a tool that is still at its one piece of work.
 */
function listStragglers(id: string, directory: string): number[] {
  const { prefix, uplink } = labNames(id);
  const isOurs = (argument: string): boolean =>
    argument.includes(`/${prefix}/`) ||
    argument.startsWith(`${prefix}-`) ||
    argument === uplink ||
    argument.startsWith(`${directory}/`);
  return listDirectory('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      const [program = '', script = '', ...rest] = readArguments(pid);
      const isTool = ['ip', 'mount'].includes(basename(program)) || basename(script) === 'launch.ts';
      return isTool && [script, ...rest].some(isOurs);
    })
    .map(Number);
}

/** What is on the machine of the lab with this id, or under this directory. Reads only. */
export function listRemains(id: string, directory: string): Remains {
  const names = labNames(id);
  const cgroups = listCgroups(id);
  return {
    interfaces: listDirectory('/sys/class/net').filter((name) => name === names.uplink),
    namespaces: listDirectory(NAMESPACE_DIRECTORY).filter((name) => name.startsWith(`${names.prefix}-`)),
    mounts: listMounts(directory),
    cgroups,
    processes: [...new Set([...listProcesses(cgroups), ...listStragglers(id, directory)])].filter(
      (pid) => !isZombie(pid),
    ),
  };
}

/** Name of a process as the kernel has it, at most 15 characters. */
export function commandName(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return ''; // ended meanwhile
  }
}

/** Whether `pid` is pid 1 of a process namespace directly inside ours. */
export function isLeader(pid: number): boolean {
  try {
    const numbers = /^NSpid:\t(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]?.split('\t') ?? [];
    return numbers.length === 2 && numbers[1] === '1';
  } catch {
    return false; // ended meanwhile
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // ended meanwhile
  }
}

/**
 * Ends all processes in these groups. The first process of a host takes all others of the host with
 * it, and lets systemd-nspawn tidy up and end by itself; who is left after that is killed.
 */
export async function killProcesses(cgroups: () => readonly string[]): Promise<void> {
  for (const pid of listProcesses(cgroups())) {
    if (isLeader(pid) || commandName(pid) !== 'systemd-nspawn') kill(pid);
  }
  if (await becomesTrue(() => listProcesses(cgroups()).length === 0, RELEASE_MS / 2)) return;
  await becomesTrue(() => {
    const left = listProcesses(cgroups());
    left.forEach(kill);
    return left.length === 0;
  }, RELEASE_MS);
}

async function removeMounts(directory: string, umount: string | undefined, signal: AbortSignal): Promise<void> {
  if (umount === undefined) return;
  await becomesTrue(async () => {
    for (const point of listMounts(directory)) await runCommand([umount, point], signal);
    return listMounts(directory).length === 0;
  }, RELEASE_MS);
  // Someone outside the lab has a file open in it, such as a shell that stands there: it keeps what it has, nobody else sees it.
  for (const point of listMounts(directory)) await runCommand([umount, '--lazy', point], signal);
}

/** Unmounts all that is mounted below `directory`. */
export async function unmountAll(directory: string, signal: AbortSignal): Promise<void> {
  await removeMounts(directory, findProgram('umount'), signal);
}

/**
 * Removes everything of the lab. Does nothing when there is nothing.
 *
 * Not abortable on purpose: half a removal is what it is there to prevent. Every step is bounded.
 *
 * @throws `ERR_LAB_NOT_REMOVED` when something is still there afterwards
 */
export async function removeRemains(id: string, directory: string): Promise<void> {
  const names = labNames(id);
  const { signal } = new AbortController();
  await becomesTrue(() => {
    const stragglers = listStragglers(id, directory);
    stragglers.forEach(kill);
    return stragglers.every(isZombie);
  }, RELEASE_MS);
  await killProcesses(() => listCgroups(id));
  const before = listRemains(id, directory);
  const ip = findProgram('ip');
  if (ip !== undefined) {
    for (const name of before.interfaces) await runCommand([ip, 'link', 'delete', 'dev', name], signal);
    for (const name of before.namespaces) await removeNamespace(ip, name, signal);
  }
  await unmountAll(directory, signal);
  await becomesTrue(() => {
    for (const group of listCgroups(id).flatMap(walkCgroup)) {
      try {
        rmdirSync(group);
      } catch {
        // EBUSY while its last process is on its way out: the next round finds it empty
      }
    }
    return listCgroups(id).length === 0;
  }, RELEASE_MS);
  for (const kind of ['propagate', 'unix-export']) {
    for (const name of listDirectory(`/run/systemd/nspawn/${kind}`)) {
      if (name.startsWith(`${names.prefix}-`))
        rmSync(join('/run/systemd/nspawn', kind, name), { recursive: true, force: true });
    }
  }
  const remains = listRemains(id, directory);
  if (!isNothing(remains)) {
    throw new HoldfastError('something of the lab could not be removed', {
      code: 'ERR_LAB_NOT_REMOVED',
      fields: { id, remains: JSON.stringify(remains) },
    });
  }
}

/** Ends whoever was started in the namespace from outside, then removes it. */
async function removeNamespace(ip: string, name: string, signal: AbortSignal): Promise<void> {
  const { stdout } = await runCommand([ip, 'netns', 'pids', name], signal);
  for (const line of Buffer.from(stdout).toString('utf8').split('\n')) {
    if (/^[1-9]\d*$/.test(line) && Number(line) !== process.pid) kill(Number(line));
  }
  await runCommand([ip, 'netns', 'delete', name], signal);
}
