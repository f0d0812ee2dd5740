/**
 * What a confined command may see and use, as data. A profile is part of a policy; it is
 * compiled by `@holdfast/sandbox`, which knows the kernel, and hashed with the policy, which does
 * not. Everything not listed is refused: no file, no network, no environment.
 */
import { z } from 'zod';

const ProfileName = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,63}$/);
const ProfilePath = z
  .string()
  .max(1_024)
  .regex(/^\/(?!.*\/\/)(?!.*(^|\/)\.{1,2}(\/|$))[^\0]*$/, 'an absolute path without //, . and ..');

/**
 * Every layer there is, in the order in which they are put on. Evidence and
 * `sandbox show` name them so; a profile requires all of them unless it lists fewer.
 */
export const SANDBOX_LAYERS = [
  'own-user',
  'user-namespace',
  'pid-namespace',
  'mount-namespace',
  'network-namespace',
  'ipc-namespace',
  'uts-namespace',
  'cgroup-namespace',
  'read-only-root',
  'capabilities',
  'no-new-privileges',
  'cgroup',
  'rlimits',
  /** Files, by path and right. ABI 1. */
  'landlock-files',
  /** Bind and connect, by port. ABI 4. */
  'landlock-tcp',
  /** Abstract sockets and signals. ABI 6. */
  'landlock-scope',
  'seccomp',
] as const;
export type SandboxLayer = (typeof SANDBOX_LAYERS)[number];

/** Sets of system calls by what they are for. `base` is what a C library needs to start, read, write and end. */
export const SYSCALL_PURPOSES = [
  'base',
  'files',
  'processes',
  'threads',
  'signals',
  'sockets',
  'jit',
  'events',
] as const;
export type SyscallPurpose = (typeof SYSCALL_PURPOSES)[number];

const SyscallName = z.string().regex(/^[a-z_][a-z0-9_]{1,40}$/);
const KIB = 1_024;
const MIB = 1_024 * KIB;
const GIB = 1_024 * MIB;

/** A TCP service the command may reach, under the name it has on the host. Nothing else of the network exists for it. */
const EndpointSchema = z.strictObject({
  host: z.string().regex(/^(?=.{1,253}$)[a-zA-Z0-9]([a-zA-Z0-9.:-]*[a-zA-Z0-9])?$/),
  port: z.int().min(1).max(65_535),
});
export type SandboxEndpoint = z.infer<typeof EndpointSchema>;

export const SandboxProfileSchema = z.strictObject({
  name: ProfileName,
  description: z.string().max(300).default(''),
  files: z
    .strictObject({
      /** Seen and read. Directories with everything below. */
      readOnly: z.array(ProfilePath).max(200).default(['/usr', '/etc/ld.so.cache', '/etc/alternatives']),
      /** Seen, read and written, never executed. They must be writable for `user`. */
      writable: z.array(ProfilePath).max(50).default([]),
      /** Empty and unreadable, although below something that is seen. */
      hidden: z.array(ProfilePath).max(200).default([]),
      /** Programs and shared libraries may be executed from here only. */
      executable: z.array(ProfilePath).max(200).default(['/usr']),
      /** A private `/tmp` of this size that ends with the run; 0 for none. */
      tmpBytes: z
        .int()
        .min(0)
        .max(16 * GIB)
        .default(64 * MIB),
    })
    .prefault({}),
  /** `host` shares the host's network and drops two layers, which must then not be required. */
  network: z
    .union([
      z.literal('none'),
      z.literal('host'),
      z.strictObject({ endpoints: z.array(EndpointSchema).min(1).max(32) }),
    ])
    .default('none'),
  syscalls: z
    .strictObject({
      purposes: z
        .array(z.enum(SYSCALL_PURPOSES))
        .min(1)
        .default(['base', 'files', 'processes', 'threads', 'signals', 'events']),
      allow: z.array(SyscallName).max(100).default([]),
      deny: z.array(SyscallName).max(400).default([]),
    })
    .prefault({}),
  limits: z
    .strictObject({
      /** Of each process, and of all together where a control group counts. */
      cpuSeconds: z.int().min(1).max(86_400).default(60),
      /** Of everything it runs together, where a control group counts; of each process otherwise. */
      memoryBytes: z
        .int()
        .min(4 * MIB)
        .max(1_024 * GIB)
        .default(256 * MIB),
      processes: z.int().min(1).max(32_768).default(64),
      openFiles: z.int().min(8).max(1_048_576).default(256),
      /** Largest file it may write. */
      fileBytes: z
        .int()
        .min(0)
        .max(1_024 * GIB)
        .default(64 * MIB),
      /** Of standard output and standard error each; what comes after is dropped and said so. */
      outputBytes: z
        .int()
        .min(KIB)
        .max(64 * MIB)
        .default(MIB),
    })
    .prefault({}),
  /** The whole environment, unless the command passes more. */
  env: z
    .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/), z.string().max(4_096))
    .default({ PATH: '/usr/bin:/bin', LANG: 'C.UTF-8' }),
  /** A user of the host that exists for this, never root. */
  user: z
    .string()
    .regex(/^[a-z_][a-z0-9_-]{0,31}$/)
    .default('holdfast-sandbox'),
  /** What is missing on the host and listed here denies the run. */
  require: z.array(z.enum(SANDBOX_LAYERS)).default([...SANDBOX_LAYERS]),
});
export type SandboxProfile = Readonly<z.infer<typeof SandboxProfileSchema>>;

/** The profile `default`, which every policy has without saying so: all layers, no network, nothing writable but a private `/tmp`. */
export const DEFAULT_SANDBOX_PROFILE: SandboxProfile = SandboxProfileSchema.parse({
  name: 'default',
  description: 'Reads /usr, writes a private /tmp, reaches nothing else.',
});
