export { type Candidate, openCandidate } from './candidate/candidate.ts';
export type { Person } from './document/contact.ts';
export { parseRunbook, type Runbook, type RunbookProblem } from './document/parse-runbook.ts';
export { type Phase, PHASES, STEP_TYPES } from './document/step-schema.ts';
export { type DrilledStep, drillRunbook, type DrillOptions, type DrillReport } from './drill/drill-runbook.ts';
export {
  type PassedDrill,
  RUNBOOK_RULES,
  type RunbookFinding,
  type RunbookReport,
  verifyRunbooks,
  type VerifyOptions,
} from './verify/verify-runbooks.ts';
