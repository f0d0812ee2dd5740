/** Error codes of the lab. */
import type { ErrorTable } from './table.ts';

export const LAB_ERRORS = {} as const satisfies ErrorTable;
