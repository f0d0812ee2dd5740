/** Error codes of evidence. */
import type { ErrorTable } from './table.ts';

export const EVIDENCE_ERRORS = {} as const satisfies ErrorTable;
