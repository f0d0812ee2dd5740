/**
 * Finds out beforehand whether this machine can run lab hosts, so that whoever starts a demo can
 * take simulated ones instead and say why. Tries the real things; leaves nothing.
 */
import { mkdirSync, rmdirSync } from 'node:fs';
import { HoldfastError, isHoldfastError } from '@holdfast/core';
import { requireProgram, runCommand } from './commands.ts';
import { cgroupDirectories } from './lab-host.ts';

const PROGRAMS = ['systemd-nspawn', 'ip', 'nft', 'mount', 'umount', 'nsenter'] as const;
const PROBE_TIMEOUT_MS = 10_000;

/** @throws `ERR_LAB_NOT_POSSIBLE` when root or a program is missing */
export function requireLinuxLab(uid: number | undefined = process.getuid?.()): void {
  if (process.platform !== 'linux' || uid !== 0) {
    throw new HoldfastError('lab hosts need root on Linux', {
      code: 'ERR_LAB_NOT_POSSIBLE',
      fields: { missing: 'root' },
    });
  }
  PROGRAMS.forEach(requireProgram);
}

function mayMakeCgroups(): boolean {
  const groups = cgroupDirectories(`hfprobe${process.pid}`);
  try {
    for (const group of groups) mkdirSync(group);
    for (const group of groups) rmdirSync(group);
    return groups.length > 0;
  } catch {
    return false; // not mounted, or read-only as in most containers
  }
}

/** Namespaces and an overlay in them; both go with the process that made them. */
async function mayUnshare(signal: AbortSignal): Promise<boolean> {
  const unshare = [requireProgram('unshare'), '--mount', '--net', '--pid', '--fork'] as const;
  const mount = [requireProgram('mount'), '-t', 'overlay', 'holdfast-lab', '-o', 'lowerdir=/etc:/usr', '/tmp'] as const;
  const { exitCode } = await runCommand([...unshare, ...mount], signal, { timeoutMs: PROBE_TIMEOUT_MS });
  return exitCode === 0;
}

/** @returns what is missing, in a few words, or `undefined` when lab hosts can run here */
export async function probeLinuxLab(
  signal: AbortSignal,
  uid: number | undefined = process.getuid?.(),
): Promise<string | undefined> {
  try {
    requireLinuxLab(uid);
    if (!mayMakeCgroups()) return 'permission to make control groups';
    return (await mayUnshare(signal)) ? undefined : 'permission to make namespaces and mounts';
  } catch (error) {
    signal.throwIfAborted();
    if (isHoldfastError(error)) return String(error.fields['missing'] ?? error.message);
    throw error;
  }
}
