/** Error codes of the change engine. */
import type { ErrorTable } from './table.ts';

export const CHANGE_ERRORS = {} as const satisfies ErrorTable;
