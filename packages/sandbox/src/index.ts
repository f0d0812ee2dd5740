export { compileSeccomp } from './seccomp/compile-seccomp.ts';
export { describeSeccomp } from './seccomp/describe-seccomp.ts';
export type { CompiledProfile, KernelFeatures, LandlockRuleset, SlotPlan } from './plan.ts';
export type { LayerState, Measured, Sandbox, SandboxJob, SandboxResult, SandboxRun, SandboxUsage } from './sandbox.ts';
