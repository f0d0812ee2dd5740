export type { Check, CheckContext, CheckResult } from './check.ts';
