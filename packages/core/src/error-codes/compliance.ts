/** Error codes of baselines and checks. */
import type { ErrorTable } from './table.ts';

export const COMPLIANCE_ERRORS = {} as const satisfies ErrorTable;
