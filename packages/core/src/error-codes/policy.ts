/** Error codes of the guard's policy. */
import type { ErrorTable } from './table.ts';

export const POLICY_ERRORS = {
  ERR_POLICY_INVALID: {
    remedy: 'fix-input',
    title: 'The policy is not valid',
    text: 'The policy file has lint findings of severity ERROR: unknown keys, duplicate names, references to principals that do not exist, grants of everything, or patterns that do not compile. It is not loaded; the guard goes on with the last good policy, or without one denies everything but `status`. `holdfast policy lint` lists every finding with its path.',
  },
  ERR_COMMAND_PARAMS: {
    remedy: 'fix-input',
    title: 'The command cannot be built from these parameters',
    text: 'A parameter of an `exec.` command is missing, unknown, of the wrong type, out of its range, or starts with `-` where the template has no `--` before it. Nothing was run.',
  },
} as const satisfies ErrorTable;
