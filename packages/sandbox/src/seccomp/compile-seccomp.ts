/** The seccomp layer of a profile as the bytes that the launcher hands to the kernel. */
import type { SandboxProfile } from '@holdfast/policy';
import type { KernelFeatures } from '../plan.ts';
import { assembleFilter } from './assemble-filter.ts';
import { planFilter } from './plan-filter.ts';

/**
 * `struct sock_filter[]`; its length divided by eight is `sock_fprog.len`. Equal profiles and
 * features give equal bytes. To be put on last before `execve`, which it allows.
 *
 * @throws `ERR_SANDBOX_PROFILE` when a listed name is no system call, or one that no profile gets
 */
export function compileSeccomp(profile: SandboxProfile, { architecture }: KernelFeatures): Uint8Array {
  return assembleFilter(planFilter(profile, architecture), architecture);
}
