/** Error codes of the host ports and their adapters. */
import type { ErrorTable } from './table.ts';

export const HOST_ERRORS = {} as const satisfies ErrorTable;
