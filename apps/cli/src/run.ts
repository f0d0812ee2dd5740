/** Runs one command to its end: prints its result, or its error, and sets the exit code. */
import { type CommandResult, printError, printResult } from './output.ts';

export interface CommonOptions {
  readonly json?: boolean | undefined;
}

/** A signal that ended the command is not an error: 128 + SIGINT, as shells count. */
const EXIT_INTERRUPTED = 130;

export async function run(
  options: CommonOptions,
  signal: AbortSignal,
  command: () => Promise<CommandResult>,
): Promise<void> {
  const asJson = options.json === true;
  try {
    printResult(await command(), asJson);
  } catch (error) {
    if (signal.aborted && error === signal.reason) process.exitCode = EXIT_INTERRUPTED;
    else printError(error, asJson);
  }
}
