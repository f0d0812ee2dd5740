/**
 * The disk of a lab host: the machine's own root file system below, a size-capped tmpfs above, and
 * in it the demo content and only those units that a lab host is to run. Whatever else is installed
 * on the machine is masked: a lab host must not start a second copy of the machine's services.
 */
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { requireProgram, runOrThrow } from './commands.ts';
import type { AccountFiles, HostFile } from './demo-content.ts';

/** Everything that may be pulled in by the boot targets; what else is wanted there gets masked. */
const WANTED_UNITS = new Set([
  'dbus.service',
  'dbus.socket',
  'dev-mqueue.mount',
  'nftables.service',
  'demo-web.service',
  'demo-worker.service',
  'systemd-journald.service',
  'systemd-journald.socket',
  'systemd-journald-dev-log.socket',
  'systemd-tmpfiles-setup.service',
  'systemd-tmpfiles-setup-dev.service',
  'systemd-update-utmp.service',
  'systemd-user-sessions.service',
]);

const BOOT_TARGETS = [
  'sysinit',
  'basic',
  'local-fs',
  'sockets',
  'timers',
  'paths',
  'network',
  'network-online',
  'multi-user',
  'getty',
  'remote-fs',
  'machines',
  'graphical',
];

/** Where the checkout stands in every lab host. */
export const CHECKOUT_IN_HOST = '/opt/holdfast';

export interface ImageOptions {
  /** Directory of this host inside the lab directory; the tmpfs is mounted on it. */
  readonly directory: string;
  readonly sizeBytes: number;
  readonly files: readonly HostFile[];
  /** Unit files to be installed but not started. */
  readonly units: readonly { readonly name: string; readonly content: string }[];
  /** Units started at boot. */
  readonly enabled: readonly { readonly unit: string; readonly target: string }[];
}

/** The merged root of a host: what nspawn boots. */
export function rootOf(hostDirectory: string): string {
  return join(hostDirectory, 'root');
}

export function readMachineAccounts(): AccountFiles {
  const [passwd, shadow, group] = ['/etc/passwd', '/etc/shadow', '/etc/group'].map((path) =>
    readFileSync(path, 'utf8'),
  );
  return { passwd: passwd ?? '', shadow: shadow ?? '', group: group ?? '' };
}

/** Mounts the overlay at `<directory>/root` and fills it. On failure the caller unmounts what there is. */
export async function buildImage(options: ImageOptions, signal: AbortSignal): Promise<void> {
  const { directory } = options;
  const mount = requireProgram('mount');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  await runOrThrow(
    [mount, '-t', 'tmpfs', '-o', `size=${options.sizeBytes},mode=0700`, 'holdfast-lab', directory],
    signal,
  );
  const [upper, work, root] = [join(directory, 'upper'), join(directory, 'work'), rootOf(directory)];
  mkdirSync(upper, { mode: 0o755 }); // becomes the mode of the host's own /
  chmodSync(upper, 0o755); // whatever our umask is
  mkdirSync(work);
  mkdirSync(root);
  await runOrThrow(
    [mount, '-t', 'overlay', '-o', `lowerdir=/,upperdir=${upper},workdir=${work}`, 'holdfast-lab', root],
    signal,
  );
  emptyDirectories(root);
  maskUnwanted(root);
  for (const file of options.files) writeInto(root, file);
  for (const { name, content } of options.units) {
    writeInto(root, { path: `/etc/systemd/system/${name}`, mode: 0o644, uid: 0, gid: 0, content });
  }
  for (const { unit, target } of options.enabled) {
    const wants = inRoot(root, `/etc/systemd/system/${target}.wants/${unit}`);
    mkdirSync(dirname(wants), { recursive: true, mode: 0o755 });
    symlinkSync(`/etc/systemd/system/${unit}`, wants);
  }
}

/** Hides what is nobody's business in a host: the machine's journals and its own Holdfast, if it runs one. */
function emptyDirectories(root: string): void {
  for (const path of ['/var/log/journal', '/var/lib/holdfast', '/etc/holdfast', '/var/lib/systemd/timers']) {
    rmSync(inRoot(root, path), { recursive: true, force: true });
  }
  for (const [path, mode] of [
    [CHECKOUT_IN_HOST, 0o755],
    ['/etc/demo-app', 0o755],
    ['/etc/holdfast', 0o755],
    ['/var/lib/holdfast', 0o755],
    ['/usr/local/lib', 0o755],
  ] as const) {
    mkdirSync(inRoot(root, path), { recursive: true, mode });
    chmodSync(inRoot(root, path), mode);
  }
}

function listUnits(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory) : [];
}

function maskUnwanted(root: string): void {
  const local = inRoot(root, '/etc/systemd/system');
  // Links made by `systemctl enable` on the machine go away altogether.
  for (const name of listUnits(local)) {
    if (/\.(wants|requires|d)$/.test(name) || lstatSync(join(local, name)).isSymbolicLink()) {
      rmSync(join(local, name), { recursive: true, force: true });
    }
  }
  const units = BOOT_TARGETS.flatMap((target) =>
    listUnits(join(root, `usr/lib/systemd/system/${target}.target.wants`)),
  );
  for (const unit of new Set([
    ...units,
    'systemd-sysusers.service',
    'systemd-udevd.service',
    'console-getty.service',
  ])) {
    if (WANTED_UNITS.has(unit)) continue;
    const mask = join(local, basename(unit));
    rmSync(mask, { force: true });
    symlinkSync('/dev/null', mask);
  }
}

/** Path of a host's file as seen from the machine, for use before the host runs. Refuses to leave `root` through a link. */
function inRoot(root: string, path: string): string {
  let parent = root;
  for (const part of dirname(path).split('/').filter(Boolean)) {
    parent = join(parent, part);
    if (existsSync(parent)) parent = realpathSync(parent);
    if (parent !== root && !parent.startsWith(`${root}/`)) throw new TypeError(`${path} leads out of the host's root`);
  }
  return join(parent, basename(path));
}

function writeInto(root: string, file: HostFile): void {
  const path = inRoot(root, file.path);
  rmSync(path, { force: true }); // also a link that would lead elsewhere
  writeFileSync(path, file.content, { mode: 0o600, flag: 'wx' });
  chownSync(path, file.uid, file.gid);
  chmodSync(path, file.mode);
}

/** Whether everybody may read this, and enter it if it is a directory, as the agent's user in a lab host has to. */
export function isOpenToAll(path: string): boolean {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return true; // nothing to open
  const wanted = stat.isDirectory() ? 0o005 : 0o004;
  return (stat.mode & wanted) === wanted;
}
