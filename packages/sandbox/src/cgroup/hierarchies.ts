/**
 * Where control groups can be made: which mounted hierarchy has which controller, and where in it
 * this process is. Pure: reads the text of /proc/self/mountinfo and /proc/self/cgroup, as described
 * in proc_pid_mountinfo(5) and cgroups(7). Hybrid hosts mix both versions; version 1 is taken for a
 * controller that is bound there, because the kernel binds each controller to one hierarchy.
 */

/** What a run is limited and measured by. Without the first two there is no layer `cgroup`. */
export const CONTROLLERS = ['memory', 'pids', 'cpuacct', 'cpu', 'blkio'] as const;
export type Controller = (typeof CONTROLLERS)[number];

/** One directory in which groups can be made, and what they control. */
export interface Hierarchy {
  readonly version: 1 | 2;
  readonly controllers: readonly Controller[];
  /** Of the group this process is in. Groups are made below it, so that limits on us hold for them. */
  readonly directory: string;
}

interface CgroupMount {
  readonly version: 1 | 2;
  readonly controllers: readonly Controller[];
  /** The part of the hierarchy that is mounted, as a path in it. */
  readonly root: string;
  readonly mountPoint: string;
}

/** What version 2 calls the controllers of version 1; `cpu.stat` is there without any. */
const UNIFIED_NAMES: Readonly<Record<Controller, string | null>> = {
  memory: 'memory',
  pids: 'pids',
  cpuacct: null,
  cpu: 'cpu',
  blkio: 'io',
};

/** The names of `controllers` that can be switched on in `cgroup.subtree_control`. */
export function unifiedNames(controllers: readonly Controller[]): readonly string[] {
  return controllers.map((controller) => UNIFIED_NAMES[controller]).filter((name) => name !== null);
}

/**
 * @param mountInfo text of /proc/self/mountinfo
 * @param ownGroups text of /proc/self/cgroup
 * @param unifiedControllers text of `cgroup.controllers` in a directory; `null` where there is none
 */
export function listHierarchies(
  mountInfo: string,
  ownGroups: string,
  unifiedControllers: (directory: string) => string | null,
): readonly Hierarchy[] {
  const own = parseOwnGroups(ownGroups);
  const taken = new Set<Controller>();
  const found: Hierarchy[] = [];
  const mounts = mountInfo.split('\n').flatMap(parseCgroupMount);
  for (const mount of mounts.toSorted((a, b) => a.version - b.version)) {
    const path = own.get(mount.version === 2 ? '' : (mount.controllers[0] ?? ''));
    const directory = path === undefined ? null : directoryOf(mount, path);
    if (directory === null) continue;
    const offered = mount.version === 1 ? mount.controllers : parseUnified(unifiedControllers(directory));
    const controllers = offered.filter((controller) => !taken.has(controller));
    if (controllers.length === 0) continue;
    for (const controller of controllers) taken.add(controller);
    found.push({ version: mount.version, controllers, directory });
  }
  return found;
}

/** Lines `id:controller,controller:path`; version 2 is the one without controllers. */
function parseOwnGroups(text: string): ReadonlyMap<string, string> {
  const groups = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, names, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (names === undefined || path === undefined) continue;
    for (const name of names.split(',')) groups.set(name, path);
  }
  return groups;
}

function parseCgroupMount(line: string): CgroupMount[] {
  const [before = '', after = ''] = line.split(' - ');
  const [, , , root, mountPoint] = before.split(' ').map(unescape);
  const [type, , options = ''] = after.split(' ');
  if (root === undefined || mountPoint === undefined) return [];
  if (type === 'cgroup2') return [{ version: 2, controllers: [], root, mountPoint }];
  if (type !== 'cgroup') return [];
  const named = options.split(',');
  const controllers = CONTROLLERS.filter((controller) => named.includes(controller));
  return controllers.length === 0 ? [] : [{ version: 1, controllers, root, mountPoint }];
}

/** proc(5): space, tab, newline and backslash are written in octal. */
function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCodePoint(Number.parseInt(digits, 8)));
}

/** `null` when the own group lies outside of what is mounted here, or of our cgroup namespace: `/..` is then how its path starts. */
function directoryOf({ root, mountPoint }: CgroupMount, path: string): string | null {
  if (path.split('/').includes('..')) return null;
  const prefix = root === '/' ? '' : root;
  if (path !== prefix && !path.startsWith(`${prefix}/`)) return null;
  const below = path.slice(prefix.length);
  return below === '/' || below === '' ? mountPoint : `${mountPoint}${below}`;
}

function parseUnified(text: string | null): readonly Controller[] {
  const names = (text ?? '').split(/\s+/);
  const offered = CONTROLLERS.filter((controller) => {
    const name = UNIFIED_NAMES[controller];
    return name !== null && names.includes(name);
  });
  // Processor time is always in cpu.stat, and nothing but processor time makes no hierarchy useful.
  return offered.length === 0 ? [] : [...offered, 'cpuacct'];
}
