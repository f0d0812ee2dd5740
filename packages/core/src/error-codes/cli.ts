/** Error codes of the command line. */
import type { ErrorTable } from './table.ts';

export const CLI_ERRORS = {
  ERR_CLI_USAGE: {
    remedy: 'fix-input',
    title: 'The command was not called as its help says',
    text: 'An option, an argument or a combination of them is not one the command takes. `holdfast <command> --help` shows what it does take, with examples.',
  },
  ERR_CLI_NEEDS_ROOT: {
    remedy: 'reauthenticate',
    title: 'Only root can do this',
    text: 'The guard, enrolment of a real host and lab hosts with a kernel of their own need root. Run the command as root, or use `--simulated` where the command offers it.',
  },
  ERR_CLI_NOT_SET_UP: {
    remedy: 'fix-input',
    title: 'Nothing is set up here',
    text: 'The command looks for files that enrolment or `holdfast up` writes and found none under the given root. Enrol the host, start `holdfast up`, or name another `--root`.',
  },
  ERR_CLI_SERVER_UNREACHABLE: {
    remedy: 'retry',
    title: 'The control plane cannot be reached',
    text: 'Nothing answers at the address in `HOLDFAST_SERVER` or in the state directory. Is `holdfast up` or `holdfast server` running? Hosts go on healing meanwhile, and upload later.',
  },
  ERR_CLI_SERVER_REFUSED: {
    remedy: 'reauthenticate',
    title: 'The control plane refused',
    text: 'The control plane answered with a problem; its code stands in `reason`. With 401 or 403 the token is missing, expired or not allowed to do this.',
  },
  ERR_CLI_DRIFT: {
    remedy: 'fix-input',
    title: 'Nothing can be healed',
    text: 'The check asked for does not exist, does not differ from the baseline, or has no automatic remediation: a person has to look at the findings.',
  },
} as const satisfies ErrorTable;
