/** Error codes of the control plane. */
import type { ErrorTable } from './table.ts';

export const SERVER_ERRORS = {} as const satisfies ErrorTable;
