/** Error codes of the agent and its queue. */
import type { ErrorTable } from './table.ts';

export const AGENT_ERRORS = {} as const satisfies ErrorTable;
