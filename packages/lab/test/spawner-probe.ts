/**
 * Stands in for the spawner in its unit: makes one sandbox with everything that sandboxes are made
 * of, tries what the spawner must not be able to do, writes down how each went, and waits to be stopped.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';

const SOCKET = '/run/holdfast/spawner.sock';
const MEMORY = '/sys/fs/cgroup/memory';
const outcomes: Record<string, string> = {};

async function attempt(name: string, action: () => unknown): Promise<void> {
  try {
    await action();
    outcomes[name] = 'ok';
  } catch (error) {
    outcomes[name] = error instanceof Error ? error.message.slice(0, 200) : 'failed';
  }
}

function sandboxUser(): number {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith('holdfast-sandbox:'));
  return Number(line?.split(':')[2]);
}

/** Every namespace, a fresh /proc, a device directory, a name and a loopback of its own. */
const BWRAP = [
  '--unshare-user --unshare-pid --unshare-net --unshare-ipc --unshare-uts --unshare-cgroup',
  '--die-with-parent --new-session --cap-drop ALL --hostname sandbox',
  '--ro-bind /usr /usr --symlink usr/lib /lib --symlink usr/lib64 /lib64',
  '--proc /proc --dev /dev --tmpfs /tmp --remount-ro / -- /usr/bin/true',
].flatMap((options) => options.split(' '));

await attempt('listen on the socket', async () => {
  rmSync(SOCKET, { force: true }); // of one that was killed
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  createServer().once('error', reject).listen(SOCKET, resolve);
  await promise;
});
await attempt('keep state', () => writeFileSync('/var/lib/holdfast/spawner/probe', 'x'));
await attempt('make a sandbox as its user', () => {
  const id = sandboxUser();
  execFileSync('/usr/bin/bwrap', BWRAP, { uid: id, gid: id, stdio: 'pipe', env: {}, cwd: '/' });
});
await attempt('limit memory in a group of its own', () => {
  if (!existsSync(join(MEMORY, 'cgroup.procs'))) return; // version 2: the unit delegates
  const group = join(MEMORY, 'probe');
  mkdirSync(group);
  writeFileSync(join(group, 'memory.limit_in_bytes'), String(64 * 1024 * 1024));
  rmdirSync(group);
});

await attempt('must not: mount', () => execFileSync('/usr/bin/mount', ['-t', 'tmpfs', 'x', '/mnt'], { stdio: 'pipe' }));
await attempt('must not: write to the system', () => writeFileSync('/etc/holdfast/policy.toml', 'x'));
await attempt('must not: write to a home', () => mkdirSync('/home/probe'));
await attempt('must not: change the packet filter', () =>
  execFileSync('/usr/sbin/nft', ['add', 'table', 'inet', 'probe'], { stdio: 'pipe' }),
);
await attempt('must not: set the time', () => execFileSync('/usr/bin/date', ['--set=2001-01-01'], { stdio: 'pipe' }));
await attempt('must not: make a device', () =>
  execFileSync('/usr/bin/mknod', ['/run/holdfast/probe', 'c', '1', '3'], { stdio: 'pipe' }),
);

outcomes['capabilities'] = /^CapBnd:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';
outcomes['no new privileges'] = /^NoNewPrivs:\s*(\d)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';
writeFileSync(join(dirname(SOCKET), 'spawner-probe.json'), JSON.stringify(outcomes));
setInterval(() => undefined, 60_000);
