export { compileProfile } from './compile-profile.ts';
export { launcherImage } from './launcher/launcher-image.ts';
export { decodeReport, type LauncherEnd, type LauncherReport } from './launcher/report.ts';
export { endpointsOf, type LocalEndpoint } from './namespaces/endpoints.ts';
export { type HostView, readHostView } from './namespaces/host-view.ts';
export { pathsToView, planSlot, type SlotEnvironment } from './namespaces/plan-slot.ts';
export { describePlan } from './describe-plan.ts';
export { describeStep, planJob, type PlannedJob } from './plan-job.ts';
export { compileSeccomp } from './seccomp/compile-seccomp.ts';
export { describeSeccomp } from './seccomp/describe-seccomp.ts';
export type { CompiledProfile, KernelFeatures, LandlockRuleset, SlotPlan } from './plan.ts';
export type { LayerState, Measured, Sandbox, SandboxJob, SandboxResult, SandboxRun, SandboxUsage } from './sandbox.ts';
export { connectSandbox, openSandbox } from './client/open-sandbox.ts';
export { BUILT_IN_PROFILES, LAYERS_THAT_NEED_ROOT } from './built-in-profiles.ts';
export { type Access, serveSpawner, type SpawnerService } from './spawner/serve-spawner.ts';
export { describeProfile } from './describe-profile.ts';
export { formatProposal } from './learn/format-proposal.ts';
export {
  LEARN_DIRECTORY,
  LEARN_SOURCE,
  LEARN_STDIN,
  type LearnReport,
  type LearnRequest,
} from './learn/learn-command.ts';
export { moveObservations } from './learn/observations.ts';
export { type Proposal, proposeProfile } from './learn/propose-profile.ts';
