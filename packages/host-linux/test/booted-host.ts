/**
 * A throw-away copy of this machine with a systemd of its own as pid 1: an overlay in memory over the
 * root file system, booted by systemd-nspawn(1) without network. What happens in it stays in it.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const REPOSITORY = resolve(import.meta.dirname, '../../..');
const BOOT_MS = 30_000;
const POLL_MS = 50;

export interface BootedHost extends AsyncDisposable {
  /** Its root file system, from outside. */
  readonly root: string;
  /** Runs a program inside; what it prints is returned with its exit code. */
  run(...argv: readonly [string, ...string[]]): { readonly exitCode: number | null; readonly output: string };
}

async function eventually<T>(what: string, look: () => T | undefined): Promise<T> {
  const deadline = performance.now() + BOOT_MS;
  for (;;) {
    const seen = look();
    if (seen !== undefined) return seen;
    if (performance.now() > deadline) throw new Error(`${what} did not happen`);
    await delay(POLL_MS);
  }
}

/** The one child of nspawn that is pid 1 of the host. */
function leaderOf(nspawn: ChildProcess): number | undefined {
  const pid = String(nspawn.pid);
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ');
    return children.map(Number).find((child) => {
      const status = readFileSync(`/proc/${child}/status`, 'latin1');
      return /^Name:\tsystemd$/m.test(status) && /^NSpid:.*\t1$/m.test(status);
    });
  } catch {
    return undefined; // not there yet
  }
}

/** A group of that name in every hierarchy that systemd keeps its processes in (cgroups(7)). */
function controlGroups(name: string): string[] {
  const mounts = readFileSync('/proc/self/mounts', 'latin1').split('\n');
  return mounts
    .map((line) => line.split(' '))
    .filter(([, , type, flags]) => type === 'cgroup2' || (type === 'cgroup' && flags?.includes('name=systemd')))
    .map(([, directory]) => `${directory}/${name}`);
}

/** Removes a group and those that were made in it; the last processes may still be ending. */
function removeGroups(group: string): void {
  const children = readdirSync(group, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  for (const child of children) removeGroups(`${group}/${child.name}`);
  rmdirSync(group);
}

/** @param prepare changes the root file system before it boots */
export async function bootHost(prepare: (root: string) => void): Promise<BootedHost> {
  await using stack = new AsyncDisposableStack();
  const base = mkdtempSync(`${realpathSync(tmpdir())}/holdfast-booted-`);
  stack.defer(() => rmdirSync(base));
  execFileSync('/usr/bin/mount', ['-t', 'tmpfs', 'tmpfs', base]);
  stack.defer(() => {
    execFileSync('/usr/bin/umount', [base]);
  });
  const [upper, work, root] = [`${base}/upper`, `${base}/work`, `${base}/root`];
  for (const directory of [upper, work, root]) mkdirSync(directory);
  const layers = `lowerdir=/,upperdir=${upper},workdir=${work}`;
  execFileSync('/usr/bin/mount', ['-t', 'overlay', 'overlay', '-o', layers, root]);
  stack.defer(() => {
    execFileSync('/usr/bin/umount', [root]);
  });
  prepare(root);

  const options = ['--quiet', '--register=no', '--keep-unit', '--private-network', '--console=pipe', '--boot'];
  const arguments_ = [
    `--directory=${root}`,
    `--bind-ro=${REPOSITORY}`,
    `--machine=holdfast-booted-${process.pid}`,
    '--resolv-conf=off',
    '--timezone=off',
    '--link-journal=no',
    '--',
    '--unit=basic.target',
  ];
  const groups = controlGroups(`hf-booted-${process.pid}`);
  stack.defer(() => {
    for (const group of groups) removeGroups(group);
  });
  for (const group of groups) mkdirSync(group);
  // Joins the groups, then becomes nspawn: two systemds must not share one control group.
  const launcher = `
    const [groups, program, ...rest] = process.argv.slice(1);
    for (const group of groups.split(',')) fs.appendFileSync(group + '/cgroup.procs', String(process.pid));
    process.execve(program, [program, ...rest], process.env);`;
  const nspawn = spawn(
    process.execPath,
    ['-e', launcher, '--', groups.join(','), '/usr/bin/systemd-nspawn', ...options, ...arguments_],
    { stdio: 'ignore' },
  );
  const ended = once(nspawn, 'close');
  stack.defer(async () => {
    // Without its pid 1 the kernel ends everything in the host; nspawn then ends by itself.
    const leader = leaderOf(nspawn);
    if (leader !== undefined) process.kill(leader, 'SIGKILL');
    else nspawn.kill('SIGKILL');
    await ended;
  });
  const leader = await eventually('the start of systemd', () => leaderOf(nspawn));
  const run: BootedHost['run'] = (...argv) => {
    const entered = ['--target', String(leader), '--all', ...argv];
    // Nothing of the test runner's own environment goes in.
    const options = { encoding: 'utf8', cwd: '/', env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } } as const;
    const { status, stdout, stderr } = spawnSync('/usr/bin/nsenter', entered, options);
    return { exitCode: status, output: stdout + stderr };
  };
  await eventually('the boot', () =>
    existsSync(`/proc/${leader}`) && run('/usr/bin/systemctl', 'is-active', 'basic.target').exitCode === 0
      ? true
      : undefined,
  );
  const kept = stack.move();
  return { root, run, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}
