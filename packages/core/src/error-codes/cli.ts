/** Error codes of the command line. */
import type { ErrorTable } from './table.ts';

export const CLI_ERRORS = {} as const satisfies ErrorTable;
