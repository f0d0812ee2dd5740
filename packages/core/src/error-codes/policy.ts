/** Error codes of policies and orders. */
import type { ErrorTable } from './table.ts';

export const POLICY_ERRORS = {} as const satisfies ErrorTable;
