export {
  type Baseline,
  type BaselineException,
  type BaselineSection,
  formatProblems,
  MAX_BASELINE_BYTES,
  type ParsedBaseline,
  parseBaseline,
  requireBaseline,
  REMEDIATION_POLICIES,
  type RemediationPolicy,
  remediationPolicyOf,
} from './baseline.ts';
export { captureBaseline, type CaptureOptions } from './capture-baseline.ts';
export type { Check, CheckContext, CheckResult } from './check.ts';
export { CHECKS } from './checks.ts';
export { type ClockVerdict, judgeClock, MAX_SKEW_MS, MAX_TIME_SOURCES, MIN_TIME_ANSWERS } from './clock-sanity.ts';
export { complianceOperations } from './compliance-operations.ts';
export { FRAMEWORKS } from './control-mapping.ts';
export {
  type CheckModules,
  checkModuleFileName,
  openCheckModules,
  signCheckModule,
  verifyCheckModule,
} from './custom/check-module.ts';
export {
  checksOf,
  type CustomCheckOutcome,
  type CustomCheckRunner,
  type CustomCheckTask,
  documentFor,
} from './custom/custom-check.ts';
export type { CustomCheck } from './custom/declaration.ts';
export { diffBaselines } from './diff-baselines.ts';
export { listBaselineFiles, listCustomCheckFiles } from './list-baseline-files.ts';
export type { ComplianceOperationDeps } from './operations/deps.ts';
export { type RunContext, runChecks } from './run-checks.ts';
export {
  BASELINE_PAYLOAD_TYPE,
  type BaselineKey,
  type LoadedBaseline,
  loadBaseline,
  signBaseline,
  verifyBaseline,
} from './signed-baseline.ts';
export type { Problem } from './strict-yaml.ts';
