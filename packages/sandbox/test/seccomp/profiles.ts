/** The profiles that the filter tests compile: the default, and one for each thing that changes a filter. */
import { type SandboxProfile, SandboxProfileSchema, SYSCALL_PURPOSES } from '@holdfast/policy';

export function profileWith(part: Record<string, unknown>): SandboxProfile {
  return SandboxProfileSchema.parse({ name: 'test', ...part });
}

export const PROFILES: Readonly<Record<string, SandboxProfile>> = {
  default: profileWith({}),
  'base only': profileWith({ syscalls: { purposes: ['base'] } }),
  'threads without processes': profileWith({ syscalls: { purposes: ['base', 'threads'] } }),
  'every purpose, network of the host': profileWith({
    syscalls: { purposes: [...SYSCALL_PURPOSES] },
    network: 'host',
    require: [],
  }),
  endpoints: profileWith({ network: { endpoints: [{ host: 'db.example', port: 5432 }] } }),
  'allowed and denied by name': profileWith({
    syscalls: { allow: ['shmat', 'seccomp', 'fchown', 'sched_setscheduler'], deny: ['kill', 'ioctl', 'open'] },
  }),
};
