/**
 * What a profile and a job become before anything is started: data, printed by `sandbox show`, put
 * into evidence by digest. Made by `compileProfile`, `planSlot` and `planJob`, carried out by the spawner.
 */
import type { SandboxLayer, SandboxProfile } from '@holdfast/policy';
import type { LocalEndpoint } from './namespaces/endpoints.ts';

/** The kernel as far as compiling depends on it; read once per spawner. */
export interface KernelFeatures {
  readonly architecture: 'x64' | 'arm64';
  /** 0 when there is no Landlock. */
  readonly landlockAbi: number;
}

/** A profile, compiled for one kernel. Deterministic: the same profile and features give the same bytes. */
export interface CompiledProfile {
  readonly profile: SandboxProfile;
  readonly features: KernelFeatures;
  /** SHA-256 over the canonical JSON of everything below. */
  readonly hash: string;
  /** `struct sock_filter[]` in the byte order of the machine. */
  readonly seccomp: Uint8Array;
  readonly landlock: LandlockRuleset;
  /** Layers this plan puts on; what the profile gives up (network: host) is not among them. */
  readonly layers: readonly SandboxLayer[];
}

/** landlock(7): what is handled is refused unless a rule allows it. Numbers are the kernel's bits. */
export interface LandlockRuleset {
  readonly handledFiles: bigint;
  readonly handledNetwork: bigint;
  readonly scoped: bigint;
  readonly files: readonly { readonly path: string; readonly allowed: bigint }[];
  readonly ports: readonly { readonly port: number; readonly allowed: bigint }[];
}

/**
 * How a waiting slot is made: bubblewrap's argv ending in the launcher. Descriptor 3 of the process is
 * one end of a socket pair: the launcher reads its table from it and writes its report to it. From
 * descriptor 4 it reads its job when it has one; 5 to 7 are the standard streams of the command.
 */
export interface SlotPlan {
  /** Equal for slots that can stand in for one another. */
  readonly key: string;
  readonly argv: readonly [string, ...string[]];
  /** Files on the host that the argv binds; named after their content, so that writing one twice is harmless. */
  readonly files: readonly { readonly path: string; readonly text: string }[];
  /** Whose listening sockets the launcher hands over when it has its table. */
  readonly endpoints: readonly LocalEndpoint[];
  /** What the launcher does before it waits. MUST be handed over in the control group, and not before. */
  readonly table: Uint8Array;
  /** The names of the table's entries. Safe to log. */
  readonly steps: readonly string[];
}
