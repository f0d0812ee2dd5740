/**
 * Whether bubblewrap can make its namespaces here, found out by making them once: switches in
 * /proc say what is forbidden by them, and nothing of what a security module or a container forbids.
 * They are asked afterwards, for the likely cause.
 */
import { accessSync, constants, readFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import type { SlotOwner } from './sandbox-user.ts';

export const BUBBLEWRAP = '/usr/bin/bwrap';
/** Some 10 ms; this is for a machine that stands still. */
const TRIAL_TIMEOUT_MS = 10_000;
const MAX_SAID_BYTES = 4_096;
const MAX_REASON_CHARS = 200;
/** Every namespace that a slot has, and what it mounts that a container may forbid. */
const TRIAL =
  '--unshare-user --unshare-pid --unshare-net --unshare-ipc --unshare-uts --unshare-cgroup --die-with-parent --as-pid-1 --ro-bind / / --proc /proc -- /usr/bin/true'.split(
    ' ',
  );

export interface Obstacle {
  readonly reason: string;
  readonly fix: string;
}

/** @param owner as whom slots are started; `null` for who we are. @returns `null` when it works. Never throws. */
export function tryNamespaces(owner: SlotOwner | null): Obstacle | null {
  try {
    accessSync(BUBBLEWRAP, constants.X_OK);
  } catch {
    return { reason: `${BUBBLEWRAP} is not there`, fix: 'install the package bubblewrap' };
  }
  const { status, stderr, error } = spawnSync(BUBBLEWRAP, TRIAL, {
    env: {},
    cwd: '/',
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: TRIAL_TIMEOUT_MS,
    killSignal: 'SIGKILL',
    maxBuffer: MAX_SAID_BYTES,
    ...owner,
  });
  if (status === 0) return null;
  return explainFailure(error?.message ?? stderr.toString('utf8'), readText);
}

/**
 * @param said by bubblewrap
 * @param read text of a file of /proc, trimmed; empty when it is not there
 */
export function explainFailure(said: string, read: (file: string) => string): Obstacle {
  const reason = said.trim().slice(0, MAX_REASON_CHARS) || 'bubblewrap failed and said nothing';
  const switches = [
    ['/proc/sys/user/max_user_namespaces', '0', 'sysctl user.max_user_namespaces=10000'],
    ['/proc/sys/kernel/unprivileged_userns_clone', '0', 'sysctl kernel.unprivileged_userns_clone=1'],
    [
      '/proc/sys/kernel/apparmor_restrict_unprivileged_userns',
      '1',
      'give /usr/bin/bwrap an AppArmor profile with the rule "userns,", or sysctl kernel.apparmor_restrict_unprivileged_userns=0',
    ],
  ] as const;
  for (const [file, forbids, fix] of switches) {
    if (read(file) === forbids) return { reason: `${file} is ${forbids}: ${reason}`, fix };
  }
  if (/mount proc/i.test(said)) {
    return {
      reason: `parts of /proc are hidden from this container: ${reason}`,
      fix: 'let the container see the whole of /proc (docker: --security-opt systempaths=unconfined; systemd: no ProtectKernelTunables=)',
    };
  }
  return { reason, fix: 'let the user of confined commands make user namespaces (a container often forbids it)' };
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return ''; // no such switch on this kernel
  }
}
