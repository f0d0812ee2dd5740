/** Error codes of ids, configuration and other input. */
import type { ErrorTable } from './table.ts';

export const CORE_ERRORS = {
  ERR_CONFIG_INVALID: {
    remedy: 'fix-input',
    title: 'The configuration is not valid',
    text: 'A configuration file or environment variable has unknown keys, missing keys or values out of range. Every problem is listed by its path; correct them all and start again.',
  },
  ERR_INPUT_INVALID: {
    remedy: 'fix-input',
    title: 'The input is not valid',
    text: 'A value given on the command line, over a socket or in a file does not have the documented shape. The fields name the path of each problem, never the value.',
  },
  ERR_NOT_CANONICAL: {
    remedy: 'fix-input',
    title: 'The value has no canonical JSON form',
    text: 'RFC 8785 has no form for the value: a number that is not finite, a lone surrogate, or something that is not JSON at all.',
  },
} as const satisfies ErrorTable;
