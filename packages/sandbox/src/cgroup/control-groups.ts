/**
 * The control groups of one spawner: a group per slot in every hierarchy, its limits, what
 * was used in it, and its removal. Version 1 and 2 differ in file names and units only; see
 * `group-files.ts`. Reads and writes are synchronous: they go to the kernel, not to a disk.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Measured } from '../sandbox.ts';
import { CPU_MS, IO_BYTES, LIMITS, OOM_KILLS, parsePids, PEAK_MEMORY_BYTES, SWAP_LIMIT } from './group-files.ts';
import { formatGroupName, parseGroupName, type SpawnerIdentity } from './group-name.ts';
import { type Controller, type Hierarchy, listHierarchies, unifiedNames } from './hierarchies.ts';
import { hasEnded, readIdentity } from './spawner-identity.ts';

const SUBTREE = 'holdfast-spawner';
/** Where a version 2 spawner moves itself: groups with processes cannot have children with controllers. */
const OWN_LEAF = 'holdfast-spawner-self';
/** How long the kernel may take to let go of a group whose last process has just ended. */
const REMOVE_TRIES = 200;
const REMOVE_PAUSE_MS = 5;
/** linux/magic.h: CGROUP_SUPER_MAGIC and CGROUP2_SUPER_MAGIC. */
const FILE_SYSTEM_TYPE = { 1: 0x27_e0eb, 2: 0x6367_7270 } as const;

export interface GroupLimits {
  readonly memoryBytes: number;
  readonly processes: number;
}

export interface GroupUsage {
  readonly cpuMs: Measured<number>;
  readonly peakMemoryBytes: Measured<number>;
  readonly readBytes: Measured<number>;
  readonly writtenBytes: Measured<number>;
  /** Processes the kernel killed because the group was out of memory. */
  readonly oomKills: number;
}

/** A group that exists. It is removed by `remove`, or by a later spawner's `sweep`. */
export interface ControlGroup {
  /** Moves a process, whose later children are then born inside. @throws when the kernel refuses */
  join(pid: number): void;
  /** Whether the kernel lists `pid` as a member where memory and processes are limited. */
  holds(pid: number): boolean;
  /** Everything in it, as pids of our own namespace. */
  processes(): readonly number[];
  usage(): GroupUsage;
  /** Waits for the last process to be gone. @returns false when one stayed */
  remove(): Promise<boolean>;
}

type Location = Readonly<{ version: 1 | 2; directory: string }>;

export class ControlGroups {
  readonly #parents: readonly Hierarchy[];
  readonly #identity: SpawnerIdentity;
  #made = 0;

  private constructor(parents: readonly Hierarchy[], identity: SpawnerIdentity) {
    this.#parents = parents;
    this.#identity = identity;
  }

  /**
   * Finds or makes the subtree in every hierarchy that can be written.
   *
   * @param hierarchies as found by `readHierarchies`, or given for a host whose groups are elsewhere
   * @param typeOf what kind of file system holds a directory; see statfs(2)
   * @returns a reason instead when memory and processes cannot both be limited
   */
  static open(
    hierarchies: readonly Hierarchy[],
    identity = readIdentity(),
    typeOf = (directory: string): number => statfsSync(directory).type,
  ): ControlGroups | { readonly none: string } {
    const parents: Hierarchy[] = [];
    const refused: string[] = [];
    for (const hierarchy of hierarchies) {
      try {
        // Anything else takes our directories and files as well, and limits nothing.
        if (typeOf(hierarchy.directory) !== FILE_SYSTEM_TYPE[hierarchy.version]) {
          refused.push(`${hierarchy.directory} (no control groups of version ${hierarchy.version})`);
          continue;
        }
        parents.push(openSubtree(hierarchy, identity));
      } catch (error) {
        refused.push(`${hierarchy.directory} (${reasonOf(error)})`);
      }
    }
    const controllers = new Set(parents.flatMap((parent) => parent.controllers));
    const missing = (['memory', 'pids'] as const).filter((controller) => !controllers.has(controller));
    if (missing.length === 0) return new ControlGroups(parents, identity);
    const why = refused.length === 0 ? 'is mounted in no hierarchy' : `cannot be used: ${refused.join(', ')}`;
    return { none: `${missing.join(' and ')} ${why}` };
  }

  /** A new, empty group with its limits set. @throws when the kernel refuses; nothing is left then */
  create(limits: GroupLimits): ControlGroup {
    const name = formatGroupName(this.#identity, ++this.#made);
    const locations = new Map<Controller, Location>();
    const made: string[] = [];
    try {
      for (const { version, controllers, directory: parent } of this.#parents) {
        const directory = join(parent, name);
        mkdirSync(directory);
        made.push(directory);
        for (const controller of controllers) locations.set(controller, { version, directory });
      }
      limit(locations, limits);
    } catch (error) {
      for (const directory of made) void removeDirectory(directory);
      throw error;
    }
    return new Group(locations, made);
  }

  /** Ends what killed spawners left running, and removes their groups. @returns how many */
  async sweep(): Promise<number> {
    const left = this.#parents.flatMap(({ directory }) =>
      readdirSync(directory)
        .filter((name) => {
          const owner = parseGroupName(name);
          return owner !== undefined && hasEnded(owner, this.#identity);
        })
        .map((name) => join(directory, name)),
    );
    const gone = await Promise.all(left.map((directory) => removeDirectory(directory, killAll)));
    return gone.filter(Boolean).length;
  }
}

class Group implements ControlGroup {
  readonly #locations: ReadonlyMap<Controller, Location>;
  readonly #directories: readonly string[];

  constructor(locations: ReadonlyMap<Controller, Location>, directories: readonly string[]) {
    this.#locations = locations;
    this.#directories = directories;
  }

  join(pid: number): void {
    for (const directory of this.#directories) writeFileSync(join(directory, 'cgroup.procs'), `${pid}`);
  }

  holds(pid: number): boolean {
    return (['memory', 'pids'] as const).every((controller) => {
      const location = this.#locations.get(controller);
      return location !== undefined && readPids(location.directory).includes(pid);
    });
  }

  processes(): readonly number[] {
    const location = this.#locations.get('pids');
    return location === undefined ? [] : readPids(location.directory);
  }

  usage(): GroupUsage {
    const io = this.#read('blkio', IO_BYTES);
    const oomKills = this.#read('memory', OOM_KILLS);
    return {
      cpuMs: this.#read('cpuacct', CPU_MS),
      peakMemoryBytes: this.#read('memory', PEAK_MEMORY_BYTES),
      readBytes: 'unknown' in io ? io : { value: io.value.read },
      writtenBytes: 'unknown' in io ? io : { value: io.value.written },
      oomKills: 'value' in oomKills ? oomKills.value : 0,
    };
  }

  async remove(): Promise<boolean> {
    const gone = await Promise.all(this.#directories.map((directory) => removeDirectory(directory)));
    return gone.every(Boolean);
  }

  #read<T>(
    controller: Controller,
    files: Readonly<Record<1 | 2, readonly [file: string, parse: (text: string) => T]>>,
  ): Measured<T> {
    const location = this.#locations.get(controller);
    if (location === undefined) return { unknown: `this host has no control group for ${controller}` };
    const [file, parse] = files[location.version];
    try {
      const value = parse(readFileSync(join(location.directory, file), 'ascii').trim());
      if (typeof value === 'number' && !Number.isFinite(value)) return { unknown: `${file} has no number` };
      return { value };
    } catch {
      return { unknown: `this kernel has no ${file}` };
    }
  }
}

/** The hierarchies of this process, from /proc. */
export function readHierarchies(): readonly Hierarchy[] {
  try {
    return listHierarchies(
      readFileSync('/proc/self/mountinfo', 'utf8'),
      readFileSync('/proc/self/cgroup', 'utf8'),
      (directory) => {
        const file = join(directory, 'cgroup.controllers');
        return existsSync(file) ? readFileSync(file, 'ascii') : null;
      },
    );
  } catch {
    return []; // no /proc, no groups: the layer counts as missing
  }
}

function openSubtree(hierarchy: Hierarchy, identity: SpawnerIdentity): Hierarchy {
  const directory = join(hierarchy.directory, SUBTREE);
  if (hierarchy.version === 2) delegate(hierarchy.directory, hierarchy.controllers);
  mkdirSync(directory, { recursive: true });
  if (hierarchy.version === 2) delegate(directory, hierarchy.controllers);
  // A group that can be made can be written: whether it can is found out by making one, under a name
  // that `sweep` knows should we be killed right here.
  const trial = join(directory, formatGroupName(identity, 0));
  mkdirSync(trial);
  rmdirSync(trial);
  return { ...hierarchy, directory };
}

/** cgroups(7), "no internal processes": whoever lives in the group moves to a leaf of it first. */
function delegate(directory: string, controllers: readonly Controller[]): void {
  const control = join(directory, 'cgroup.subtree_control');
  const names = unifiedNames(controllers);
  const active = readFileSync(control, 'ascii').split(/\s+/);
  if (names.every((name) => active.includes(name))) return;
  const wanted = names.map((name) => `+${name}`).join(' ');
  try {
    writeFileSync(control, wanted);
  } catch (error) {
    if (!isBusy(error)) throw error;
    const leaf = join(directory, OWN_LEAF);
    mkdirSync(leaf, { recursive: true });
    writeFileSync(join(leaf, 'cgroup.procs'), `${process.pid}`);
    writeFileSync(control, wanted);
  }
}

function limit(locations: ReadonlyMap<Controller, Location>, { memoryBytes, processes }: GroupLimits): void {
  const set = (controller: keyof typeof LIMITS, value: number): void => {
    const location = locations.get(controller);
    if (location !== undefined)
      writeFileSync(join(location.directory, LIMITS[controller][location.version]), `${value}`);
  };
  set('memory', memoryBytes);
  setSwap(locations.get('memory'), memoryBytes);
  set('pids', processes + 1); // and the launcher
}

function setSwap(location: Location | undefined, memoryBytes: number): void {
  if (location === undefined) return;
  const { file, bytes } = SWAP_LIMIT[location.version];
  const path = join(location.directory, file);
  if (existsSync(path)) writeFileSync(path, `${bytes(memoryBytes)}`);
}

function readPids(directory: string): readonly number[] {
  try {
    return parsePids(readFileSync(join(directory, 'cgroup.procs'), 'ascii'));
  } catch {
    return []; // removed by somebody else: nothing is in it
  }
}

/** @param empty called before every try. @returns false when the group stayed */
async function removeDirectory(directory: string, empty?: (directory: string) => void): Promise<boolean> {
  for (let tries = 0; tries < REMOVE_TRIES; tries++) {
    empty?.(directory);
    try {
      rmdirSync(directory);
      return true;
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return true;
      if (!isBusy(error)) return false;
    }
    await delay(REMOVE_PAUSE_MS);
  }
  return false;
}

/** Once is not enough for what forks while it is looked at; process 1 of a sandbox takes all of it along. */
function killAll(directory: string): void {
  for (const pid of readPids(directory)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // ended by itself
    }
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EBUSY';
}

function reasonOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'failed';
}
