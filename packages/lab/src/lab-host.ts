/**
 * One running lab host: booting systemd on its disk in its network namespace, finding that systemd
 * again from any process, and running programs inside.
 */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HoldfastError } from '@holdfast/core';
import type { CommandResult } from '@holdfast/host';
import { becomesTrue } from './becomes-true.ts';
import { requireProgram, runCommand } from './commands.ts';
import { CHECKOUT_IN_HOST, rootOf } from './host-image.ts';
import type { ExecOptions, LabHostState } from './lab.ts';
import { commandName, isLeader, listProcesses } from './remains.ts';

const BOOT_TIMEOUT_MS = 60_000;
const LAUNCHER = fileURLToPath(import.meta.resolve('./launch.ts'));
const CGROUP_ROOT = '/sys/fs/cgroup';

/** Where systemd keeps its units: the hierarchy of version 2, or `systemd` and `unified` of a hybrid layout. */
const UNIT_HIERARCHIES = ['', 'systemd', 'unified'];

/**
 * Controllers of version 1 that limit and account confined commands. A host that is in a group of its
 * own there sees that group as the root, and cannot reach any other.
 */
export const COMMAND_CONTROLLERS = ['memory', 'pids', 'cpu', 'cpuacct', 'blkio'] as const;

/** What the guard needs of root inside the host, besides what nspawn leaves anyway. */
const EXTRA_CAPABILITIES = 'CAP_NET_ADMIN';

/** What sandboxes inside the host are made of and nspawn does not let through by itself. */
const EXTRA_CALLS = 'landlock_create_ruleset landlock_add_rule landlock_restrict_self';

export interface LabHostOptions {
  readonly name: string;
  /** Also the name of its network namespace. */
  readonly machine: string;
  /** Path below each hierarchy, `hf<id>/h<n>`. */
  readonly cgroup: string;
  /** Its directory in the lab directory. */
  readonly directory: string;
  readonly consolePath: string;
  /** What stands at `/opt/holdfast` in the host, read-only. */
  readonly checkout: string;
}

/** Directories of a control group in every hierarchy that a host has a part in. */
export function cgroupDirectories(cgroup: string): string[] {
  return [...UNIT_HIERARCHIES, ...COMMAND_CONTROLLERS]
    .map((hierarchy) => join(CGROUP_ROOT, hierarchy))
    .filter((root) => existsSync(join(root, 'cgroup.procs')))
    .map((root) => join(root, cgroup));
}

/** Starts a detached program in the lab's control group, its output in a file. */
export function launch(cgroup: string, argv: readonly [string, ...string[]], outputPath: string): void {
  const groups = cgroupDirectories(cgroup);
  if (groups.length === 0) {
    throw new HoldfastError('control groups are not mounted', {
      code: 'ERR_LAB_NOT_POSSIBLE',
      fields: { missing: CGROUP_ROOT },
    });
  }
  for (const group of groups) mkdirSync(group, { recursive: true });
  const output = openSync(outputPath, 'a', 0o600);
  try {
    const child = spawn(process.execPath, [LAUNCHER, groups.join(','), ...argv], {
      cwd: '/',
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8' },
      detached: true, // outlives us: a lab ends by `down`
      stdio: ['ignore', output, output],
    });
    child.once('error', () => undefined); // seen as a host that does not boot
    child.unref();
  } finally {
    closeSync(output);
  }
}

export class LabHost {
  readonly name: string;
  readonly #options: LabHostOptions;

  constructor(options: LabHostOptions) {
    this.name = options.name;
    this.#options = options;
  }

  /** Starts systemd on the host's disk. Does not wait for it. */
  start(): void {
    const { machine, cgroup, directory, checkout, consolePath } = this.#options;
    const nspawn: [string, ...string[]] = [
      requireProgram('systemd-nspawn'),
      '--quiet',
      '--register=no', // there may be no machined, and a lab is nobody's machine
      '--keep-unit',
      '--boot',
      `--directory=${rootOf(directory)}`,
      `--machine=${machine}`,
      `--network-namespace-path=/run/netns/${machine}`,
      `--capability=${EXTRA_CAPABILITIES}`,
      `--system-call-filter=${EXTRA_CALLS}`,
      `--hostname=${this.name}`,
      '--resolv-conf=off',
      '--timezone=off',
      '--link-journal=no',
      '--console=read-only',
      `--bind-ro=${checkout.replaceAll(':', String.raw`\:`)}:${CHECKOUT_IN_HOST}`,
      // What people keep at home on the machine is no part of a lab host.
      '--tmpfs=/root:mode=0700',
      '--tmpfs=/home:mode=0755',
      'systemd.unit=multi-user.target',
      'systemd.show_status=no',
    ];
    launch(cgroup, nspawn, consolePath);
  }

  /** Living processes of the host and of the nspawn around it. */
  processes(): number[] {
    return listProcesses(cgroupDirectories(this.#options.cgroup).filter((path) => existsSync(path)));
  }

  /** Pid, as the machine counts, of the host's systemd; `undefined` when there is none (yet). */
  leader(): number | undefined {
    return this.processes().find((pid) => isLeader(pid) && commandName(pid) === 'systemd');
  }

  /** @throws `ERR_LAB_HOST_DOWN` */
  exec(argv: readonly [string, ...string[]], signal: AbortSignal, options: ExecOptions = {}): Promise<CommandResult> {
    const leader = this.leader();
    if (leader === undefined) {
      throw new HoldfastError('the lab host is not running', {
        code: 'ERR_LAB_HOST_DOWN',
        fields: { host: this.name },
      });
    }
    return runCommand([requireProgram('nsenter'), '--target', String(leader), '--all', '--', ...argv], signal, options);
  }

  async state(signal: AbortSignal): Promise<LabHostState> {
    if (this.leader() === undefined) return 'down';
    const { stdout } = await this.exec(['/usr/bin/systemctl', 'is-system-running'], signal);
    const word = Buffer.from(stdout).toString('utf8').trim();
    return word === 'running' || word === 'degraded' ? word : 'starting';
  }

  /**
   * Resolves when the boot is over and these units are active.
   *
   * @throws `ERR_LAB_BOOT_FAILED` after a minute, or at once when nspawn has ended
   */
  async waitUntilUp(units: readonly string[], signal: AbortSignal): Promise<void> {
    let seen = false;
    const booted = await becomesTrue(
      async () => {
        const state = await this.state(signal).catch(() => 'down' as const);
        if (state === 'running' || state === 'degraded') return true;
        const alive = this.processes().length > 0;
        if (seen && !alive) throw this.#bootFailed('systemd');
        seen ||= alive;
        return false;
      },
      BOOT_TIMEOUT_MS,
      signal,
    );
    if (!booted) throw this.#bootFailed('systemd');
    const { stdout } = await this.exec(['/usr/bin/systemctl', 'is-active', ...units], signal);
    const states = Buffer.from(stdout).toString('utf8').trim().split('\n');
    const late = units.find((_unit, index) => states[index] !== 'active');
    if (late !== undefined) throw this.#bootFailed(late);
  }

  #bootFailed(unit: string): HoldfastError {
    return new HoldfastError('the lab host did not come up', {
      code: 'ERR_LAB_BOOT_FAILED',
      fields: { host: this.name, unit, console: this.#options.consolePath },
    });
  }

  /** Proportional set size of all processes, which counts shared pages once; `null` when there are none. */
  memoryBytes(): number | null {
    const pids = this.processes();
    if (pids.length === 0) return null;
    return pids.reduce((sum, pid) => sum + proportionalSetSize(pid), 0);
  }
}

function proportionalSetSize(pid: number): number {
  try {
    return Number(/^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    return 0; // ended meanwhile
  }
}
