/** Error codes of the guard's policy. */
import type { ErrorTable } from './table.ts';

export const POLICY_ERRORS = {
  ERR_COMMAND_PARAMS: {
    remedy: 'fix-input',
    title: 'The command cannot be built from these parameters',
    text: 'A parameter of an `exec.` command is missing, unknown, of the wrong type, out of its range, or starts with `-` where the template has no `--` before it. Nothing was run.',
  },
} as const satisfies ErrorTable;
