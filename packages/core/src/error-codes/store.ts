/** Error codes of the database. */
import type { ErrorTable } from './table.ts';

export const STORE_ERRORS = {} as const satisfies ErrorTable;
