/** Error codes of the guard. */
import type { ErrorTable } from './table.ts';

export const GUARD_ERRORS = {} as const satisfies ErrorTable;
