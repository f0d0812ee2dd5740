/** A profile as this host would put it on, in words: what `holdfast sandbox show` prints. Nothing is started. */
import type { SandboxProfile } from '@holdfast/policy';
import { compileProfile } from './compile-profile.ts';
import { describePlan } from './describe-plan.ts';
import { readHostView } from './namespaces/host-view.ts';
import { pathsToView, planSlot } from './namespaces/plan-slot.ts';
import { describeSeccomp } from './seccomp/describe-seccomp.ts';
import { readLandlockAbi } from './spawner/probe-layers.ts';
import { findSandboxUser } from './spawner/sandbox-user.ts';
import { BUBBLEWRAP } from './spawner/try-namespaces.ts';

interface ProfileDescription {
  /** Hash, layers, files, limits, and the launcher's steps. */
  readonly plan: string;
  /** The calls that are allowed, with their arguments, and what becomes of the others. */
  readonly seccomp: string;
  /** How the namespaces and the view of the files are made. */
  readonly bubblewrap: readonly string[];
}

/** @throws `ERR_SANDBOX_PROFILE`, `ERR_SANDBOX_MISSING` */
export function describeProfile(profile: SandboxProfile): ProfileDescription {
  const features = {
    architecture: process.arch === 'arm64' ? 'arm64' : 'x64',
    landlockAbi: readLandlockAbi(),
  } as const;
  const compiled = compileProfile(profile, features);
  const { owner } = findSandboxUser(profile.user, { users: {}, standInForMissing: true });
  const { argv } = planSlot(compiled, {
    bubblewrap: BUBBLEWRAP,
    launcher: 'LAUNCHER',
    filesDirectory: 'FILES',
    uid: owner?.uid ?? process.getuid?.() ?? 0,
    gid: owner?.gid ?? process.getgid?.() ?? 0,
    view: readHostView(pathsToView(profile)),
    limitsEachProcess: false,
  });
  return { plan: describePlan(compiled), seccomp: describeSeccomp(profile, features), bubblewrap: argv };
}
