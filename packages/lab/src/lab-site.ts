/**
 * What all hosts of a lab share: the router's network, the checkout they run Holdfast from, the
 * project's unit files and the time sources.
 */
import { chmodSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HoldfastError } from '@holdfast/core';
import { becomesTrue } from './becomes-true.ts';
import { requireProgram, runOrThrow } from './commands.ts';
import { isOpenToAll } from './host-image.ts';
import { COMMAND_CONTROLLERS, launch } from './lab-host.ts';
import { timeControlPath } from './lab-record.ts';
import { type LabNames, timeSourceAddresses } from './network.ts';

const RESPONDER = fileURLToPath(import.meta.resolve('./sntp-main.ts'));
const RESPONDER_TIMEOUT_MS = 10_000;

export async function runIp(plan: readonly (readonly string[])[], signal: AbortSignal): Promise<void> {
  const ip = requireProgram('ip');
  for (const args of plan) await runOrThrow([ip, ...args], signal);
}

/** Metadata of every file of a checkout, when all of it has to be opened. */
const CHECKOUT_LAYER_BYTES = 256 * 1024 * 1024;

/** What the agent's user has to get at, from the outside in. */
const NEEDED = ['', 'package.json', 'packages', 'packages/core/src/index.ts', 'node_modules', 'node_modules/.bin/node'];

/**
 * What hosts see at `/opt/holdfast`. The agent is not root, so a checkout that is closed to others
 * (made in a private temporary directory, or under umask 077) gets an open layer laid over it; the
 * checkout itself is left as it is.
 */
export async function prepareCheckout(repositoryRoot: string, directory: string, signal: AbortSignal): Promise<string> {
  const closed = NEEDED.filter((path) => !isOpenToAll(join(repositoryRoot, path)));
  if (closed.length === 0) return repositoryRoot;
  const mount = requireProgram('mount');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const size = `size=${CHECKOUT_LAYER_BYTES},mode=0755`;
  await runOrThrow([mount, '-t', 'tmpfs', '-o', size, 'holdfast-lab', directory], signal);
  const [upper, work, merged] = [join(directory, 'upper'), join(directory, 'work'), join(directory, 'merged')];
  for (const path of [upper, work, merged]) mkdirSync(path);
  chmodSync(upper, 0o755); // becomes the mode of the merged root
  // With `metacopy` a change of mode copies no content (kernel documentation, overlayfs).
  const layers = `lowerdir=${repositoryRoot},upperdir=${upper},workdir=${work},metacopy=on,redirect_dir=on`;
  await runOrThrow([mount, '-t', 'overlay', '-o', layers, 'holdfast-lab', merged], signal);
  if (closed.some((path) => path !== '')) {
    await runOrThrow([requireProgram('chmod'), '--recursive', 'a+rX', merged], signal, { timeoutMs: 120_000 });
  }
  return merged;
}

/**
 * nspawn shows controllers of version 1 read-only; this makes the host's own part of them writable for
 * its spawner. Where there are none (version 2 alone) units delegate, and this does nothing.
 */
export const CGROUP_UNIT = {
  name: 'lab-cgroup.service',
  content: [
    '[Unit]',
    'Description=Writable control groups of a lab host',
    'DefaultDependencies=no',
    '[Service]',
    'Type=oneshot',
    'RemainAfterExit=yes',
    ...COMMAND_CONTROLLERS.map(
      (controller) => `ExecStart=-/usr/bin/mount -o remount,bind,rw /sys/fs/cgroup/${controller}`,
    ),
    '',
  ].join('\n'),
};

/** The unit files that hosts get installed: the project's own, and the lab's. */
export function readUnits(repositoryRoot: string): { name: string; content: string }[] {
  const directory = join(repositoryRoot, 'packaging', 'systemd');
  const shipped = readdirSync(directory)
    .filter((name) => /^holdfast-[a-z-]+\.(service|timer)$/.test(name))
    .map((name) => ({ name, content: readFileSync(join(directory, name), 'utf8') }));
  return [...shipped, CGROUP_UNIT];
}

/**
 * Starts the time source process in the router's namespace and waits until it answers on every
 * address.
 *
 * @throws `ERR_LAB_BOOT_FAILED`
 */
export async function startTimeSources(
  site: { readonly names: LabNames; readonly net: string; readonly directory: string },
  signal: AbortSignal,
): Promise<void> {
  const { names, net, directory } = site;
  const sources = timeSourceAddresses(net);
  const inRouter = [requireProgram('ip'), 'netns', 'exec', names.routerNamespace] as const;
  launch(
    `${names.prefix}/router`,
    [...inRouter, process.execPath, RESPONDER, timeControlPath(directory), ...sources],
    join(directory, 'time-sources.log'),
  );
  const bound = async (): Promise<boolean> => {
    const table = await runOrThrow([...inRouter, requireProgram('cat'), '/proc/net/udp'], signal);
    return table.split('\n').filter((line) => / [0-9A-F]{8}:007B /.test(line)).length >= sources.length; // port 123
  };
  if (await becomesTrue(bound, RESPONDER_TIMEOUT_MS, signal)) return;
  throw new HoldfastError('the time sources of the lab did not start', {
    code: 'ERR_LAB_BOOT_FAILED',
    fields: { unit: 'time-sources' },
  });
}
