/** Error codes of the guard's policy. */
import type { ErrorTable } from './table.ts';

export const POLICY_ERRORS = {
  ERR_COMMAND_PARAMS: {
    remedy: 'fix-input',
    title: 'The command cannot be built from these parameters',
    text: 'A parameter of an `exec.` command is missing, unknown, of the wrong type, out of its range, or starts with `-` where the template has no `--` before it. Nothing was run.',
  },
  ERR_COMMAND_FAILED: {
    remedy: 'give-up',
    title: 'The command did not succeed',
    text: 'The command ran in its sandbox and ended by itself, with an exit code other than 0 or by a signal. Its evidence has both, and an excerpt of what it wrote.',
  },
  ERR_COMMAND_STOPPED: {
    remedy: 'give-up',
    title: 'The command was stopped at a limit',
    text: 'The command ran in its sandbox and used up its time, its memory or its processor time. The whole tree of processes was ended; what it did until then stays done. Its evidence names the limit.',
  },
  ERR_COMMAND_INTERRUPTED: {
    remedy: 'give-up',
    title: 'The command was interrupted',
    text: 'The guard or the spawner ended while the command ran, and the command was killed with it. What it did until then stays done. It is not run again by itself: look at what it left, and ask for it anew.',
  },
  ERR_COMMAND_SIMULATED: {
    remedy: 'give-up',
    title: 'A simulated host runs no commands',
    text: 'A simulated host is a directory: it has no kernel of its own that could confine a command. Use a lab host or a real one.',
  },
} as const satisfies ErrorTable;
