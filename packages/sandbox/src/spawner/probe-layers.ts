/**
 * Which layers this host has, before anything is started: looked up, not tried, so that asking
 * costs nothing. What is really on is read back from every slot; see `Slot.verified`.
 */
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { dlopen } from 'node:ffi';
import { SANDBOX_LAYERS, type SandboxLayer } from '@holdfast/policy';
import type { ControlGroups } from '../cgroup/control-groups.ts';
import { LANDLOCK_LAYER_ABI } from '../landlock/compile-landlock.ts';
import type { LayerState } from '../sandbox.ts';

export const BUBBLEWRAP = '/usr/bin/bwrap';
/** asm-generic/unistd.h, the same on every architecture we know. */
const LANDLOCK_CREATE_RULESET = 444n;
const LANDLOCK_CREATE_RULESET_VERSION = 1n;

/** 0 when there is no Landlock. */
export function readLandlockAbi(): number {
  const { functions } = dlopen(null, { syscall: { arguments: ['i64', 'i64', 'i64', 'i64'], return: 'i64' } });
  const abi = Number(functions.syscall(LANDLOCK_CREATE_RULESET, 0n, 0n, LANDLOCK_CREATE_RULESET_VERSION));
  return Math.max(0, abi);
}

export interface ProbedHost {
  readonly landlockAbi: number;
  readonly groups: ControlGroups | { readonly none: string };
  /** Layers to be treated as if this host did not have them. */
  readonly masked: readonly SandboxLayer[];
}

export function probeLayers({ landlockAbi, groups, masked }: ProbedHost): readonly LayerState[] {
  const namespaces = whyNoNamespaces();
  const state = (layer: SandboxLayer): { reason: string; fix: string | null; available: boolean } => {
    const missing = (reason: string, fix: string) => ({ available: false, reason, fix });
    const present = (reason: string) => ({ available: true, reason, fix: null });
    if (masked.includes(layer)) return missing('masked', 'remove the mask');
    const abi = (LANDLOCK_LAYER_ABI as Partial<Record<SandboxLayer, number>>)[layer];
    if (abi !== undefined) {
      const found = `Landlock ABI ${landlockAbi}, needs ${abi}`;
      return landlockAbi >= abi ? present(found) : missing(found, 'use a newer kernel, with lsm=landlock');
    }
    if (layer === 'cgroup') {
      return 'none' in groups
        ? missing(groups.none, 'run the spawner as root, or delegate a control group to it')
        : present('memory and processes can be limited');
    }
    if (layer === 'own-user' && process.getuid?.() !== 0) {
      return missing('only root can start a command as another user', 'run the spawner as root');
    }
    if (layer === 'seccomp') {
      return /^Seccomp_filters:/m.test(readText('/proc/self/status'))
        ? present('the kernel filters system calls')
        : missing('this kernel has no seccomp filters', 'use a kernel with CONFIG_SECCOMP_FILTER');
    }
    if (layer === 'rlimits' || layer === 'no-new-privileges') return present('part of every Linux kernel');
    return namespaces === null ? present('bubblewrap and user namespaces') : missing(...namespaces);
  };
  return SANDBOX_LAYERS.map((layer) => ({ layer, ...state(layer) }));
}

function whyNoNamespaces(): readonly [reason: string, fix: string] | null {
  try {
    accessSync(BUBBLEWRAP, constants.X_OK);
  } catch {
    return [`${BUBBLEWRAP} is not there`, 'install the package bubblewrap'];
  }
  const switches = [
    ['/proc/sys/user/max_user_namespaces', (value: string) => value === '0', 'sysctl user.max_user_namespaces=10000'],
    [
      '/proc/sys/kernel/unprivileged_userns_clone',
      (value: string) => value === '0',
      'sysctl kernel.unprivileged_userns_clone=1',
    ],
  ] as const;
  for (const [file, isOff, fix] of switches) {
    if (isOff(readText(file))) return [`${file} forbids user namespaces`, fix];
  }
  return existsSync('/proc/self/ns/user')
    ? null
    : ['this kernel has no user namespaces', 'use a kernel with CONFIG_USER_NS'];
}

/** Empty when it is not there: no such switch on this kernel. */
function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
}
