/** Error codes of the audit log. */
import type { ErrorTable } from './table.ts';

export const AUDIT_ERRORS = {} as const satisfies ErrorTable;
