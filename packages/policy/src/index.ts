export { bucketOf, hashDocument, namesOf, type Policy } from './compiled-policy.ts';
export { decide, decideRead, type Decision, isDisruptionAllowed, type PolicyRequest } from './decide.ts';
export { DEFAULT_AGENT_POLICY, formatAgentPolicy } from './default-policy.ts';
export type { FindingSeverity, PolicyFinding } from './finding.ts';
export { MAX_POLICY_CHARS, type ParsedPolicy, parsePolicy, policyHash } from './parse-policy.ts';
export {
  type Bucket,
  type Command,
  DEFAULT_MUTATION_BUCKET,
  DEFAULT_SEAL_BUCKET,
  type Effect,
  type PolicyDocument,
  type ReadName,
  READS,
} from './policy-schema.ts';
export { type Caller, formatCaller } from './principal.ts';
export {
  type Admission,
  DEFAULT_REPLAY_CAPACITY,
  DEFAULT_REPLAY_WINDOW_MS,
  MAX_AHEAD_MS,
  ReplayGuard,
  type SeenNonce,
} from './replay-guard.ts';
export { resolveArgv } from './resolve-argv.ts';
export { TokenBuckets } from './token-bucket.ts';
export {
  DEFAULT_SANDBOX_PROFILE,
  SANDBOX_LAYERS,
  type SandboxEndpoint,
  type SandboxLayer,
  type SandboxProfile,
  SandboxProfileSchema,
  SYSCALL_PURPOSES,
  type SyscallPurpose,
} from './sandbox-profile.ts';
export { parseSandboxProfile } from './parse-sandbox-profile.ts';
