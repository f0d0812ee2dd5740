/**
 * Which layers this host has, before any command is started: namespaces are tried once, the
 * others looked up. What is really on is read back from every slot; see `Slot.verified`.
 */
import { readFileSync } from 'node:fs';
import { dlopen } from 'node:ffi';
import { SANDBOX_LAYERS, type SandboxLayer } from '@holdfast/policy';
import type { ControlGroups } from '../cgroup/control-groups.ts';
import { LANDLOCK_LAYER_ABI } from '../landlock/compile-landlock.ts';
import type { LayerState } from '../sandbox.ts';
import type { SandboxUser } from './sandbox-user.ts';
import type { Obstacle } from './try-namespaces.ts';

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
  /** Of profiles that name none. */
  readonly user: SandboxUser;
  readonly namespaces: Obstacle | null;
  /** Layers to be treated as if this host did not have them. */
  readonly masked: readonly SandboxLayer[];
}

type Finding = Omit<LayerState, 'layer'>;
const present = (reason: string): Finding => ({ available: true, reason, fix: null });
const missing = (reason: string, fix: string): Finding => ({ available: false, reason, fix });

export function probeLayers(host: ProbedHost): readonly LayerState[] {
  return SANDBOX_LAYERS.map((layer) => {
    const { available, reason, fix } = host.masked.includes(layer)
      ? missing('masked', 'remove the mask')
      : judge(layer, host);
    return { layer, available, reason, fix };
  });
}

/** Whether commands of `user` run as somebody who is neither root nor us. */
export function judgeUser(user: SandboxUser): Finding {
  return user.owner === null ? missing(user.reason, user.fix) : present(user.says);
}

function judge(layer: SandboxLayer, { landlockAbi, groups, user, namespaces }: ProbedHost): Finding {
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
  if (layer === 'own-user') return judgeUser(user);
  if (layer === 'seccomp') {
    return /^Seccomp_filters:/m.test(readFileSync('/proc/self/status', 'latin1'))
      ? present('the kernel filters system calls')
      : missing('this kernel has no seccomp filters', 'use a kernel with CONFIG_SECCOMP_FILTER');
  }
  if (layer === 'rlimits' || layer === 'no-new-privileges') return present('part of every Linux kernel');
  return namespaces === null ? present('bubblewrap made it') : missing(namespaces.reason, namespaces.fix);
}
