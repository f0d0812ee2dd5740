/** A profile as this kernel would put it on, in words: what `holdfast sandbox show` prints. */
import type { SandboxProfile } from '@holdfast/policy';
import { compileProfile } from './compile-profile.ts';
import { describePlan } from './plan-job.ts';
import { readLandlockAbi } from './spawner/probe-layers.ts';

/** @throws `ERR_SANDBOX_PROFILE`, `ERR_SANDBOX_MISSING` */
export function describeProfile(profile: SandboxProfile): string {
  const architecture = process.arch === 'arm64' ? 'arm64' : 'x64';
  return describePlan(compileProfile(profile, { architecture, landlockAbi: readLandlockAbi() }));
}
