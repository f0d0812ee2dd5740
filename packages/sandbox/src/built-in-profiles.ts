/** Profiles that can be used by name without a policy. */
import { SANDBOX_LAYERS, type SandboxLayer, type SandboxProfile, SandboxProfileSchema } from '@holdfast/policy';

/** What needs root: another user to run as, and a control group. */
export const LAYERS_THAT_NEED_ROOT: readonly SandboxLayer[] = ['own-user', 'cgroup'];

export const BUILT_IN_PROFILES: readonly SandboxProfile[] = [
  SandboxProfileSchema.parse({
    name: 'default',
    description: 'Programs of the host, nothing else of it: no network, no files but /usr, every layer required.',
  }),
  SandboxProfileSchema.parse({
    name: 'plain-user',
    description: 'As default, for people who are not root: runs as you, with limits for each process alone.',
    require: SANDBOX_LAYERS.filter((layer) => !LAYERS_THAT_NEED_ROOT.includes(layer)),
  }),
];
