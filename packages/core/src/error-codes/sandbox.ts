/** Error codes of the process sandbox. */
import type { ErrorTable } from './table.ts';

export const SANDBOX_ERRORS = {
  ERR_SANDBOX_MISSING: {
    remedy: 'give-up',
    title: 'A required sandbox layer is missing',
    text: 'The profile requires a sandbox layer that this host does not have, and nothing was run: there is no run with less than was asked for. The fields name the layer; `holdfast doctor` and `holdfast sandbox layers` say why it is missing and what to do.',
  },
  ERR_SANDBOX_PROFILE: {
    remedy: 'fix-input',
    title: 'The sandbox profile cannot be used',
    text: 'The profile does not parse, names a system call, path or user that does not exist here, or gives up a layer that it also requires. The fields name the place. Nothing was run.',
  },
  ERR_SANDBOX_START: {
    remedy: 'fix-input',
    title: 'The command could not be started in its sandbox',
    text: 'Every layer was put on, and then the program could not be executed: it does not exist in the profile’s view of the file system, may not be executed there, or one of the steps before it was refused. The fields name the step and the error number.',
  },
  ERR_SANDBOX_ACCESS: {
    remedy: 'give-up',
    title: 'This user may not run that confined',
    text: 'The agent may have the spawner start the process that hosts WebAssembly, with the profile and arguments of its own release, and nothing else; only root may run other commands. The fields name what differed. Nothing was run. After an update, restart the spawner and the agent together.',
  },
  ERR_SANDBOX_SPAWNER_GONE: {
    remedy: 'retry',
    title: 'The spawner ended',
    text: 'The process that starts confined commands is not running or ended while a command ran. Every command it had started was killed with it. The service starts again by itself.',
  },
  ERR_SANDBOX_DIRECTORY: {
    remedy: 'give-up',
    title: 'The directory of the spawner cannot be used',
    text: 'What every sandbox executes first lies in this directory, so it must belong to the user that runs the spawner, be writable by nobody else, and have room. The fields name the directory and the reason. Nothing was run.',
  },
  ERR_SANDBOX_BUSY: {
    remedy: 'retry',
    title: 'Too many confined commands run at once',
    text: 'The spawner is at its limit of commands. Nothing was run; try again when others have ended.',
  },
  ERR_SANDBOX_LEARN: {
    remedy: 'fix-input',
    title: 'The command could not be observed',
    text: 'A profile is learnt from a command that runs under strace in a lab host. strace is not installed, the program is not an absolute path, the directory could not be copied into the lab host, or observing itself failed there. The fields say which. No profile was proposed, and the lab host is gone.',
  },
} as const satisfies ErrorTable;
