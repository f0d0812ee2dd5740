/**
 * The `holdfast` binary: reads the command line, gives the command a signal that aborts on Ctrl-C
 * and SIGTERM, and prints what it came to. Everything else is in `commands/`, loaded when called.
 */
import { watchdogHasNothingToDo } from './watchdog.ts';

// The watchdog asks every 30 s on every host: where a guard answers, nothing else is even loaded.
if (!(await watchdogHasNothingToDo(process.argv.slice(2)))) {
  const [{ createProgram }, { CommanderError }, { EXIT_USAGE }] = await Promise.all([
    import('./program.ts'),
    import('commander'),
    import('./output.ts'),
  ]);
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => stop.abort(new Error(`stopped by ${name}`)));
  }
  // Whoever read has seen enough, as `head` does: what only prints ends, what is being recorded is recorded to its end.
  process.stdout.on('error', (error) => {
    ignoreClosedPipe(error);
    stop.abort(error);
  });
  process.stderr.on('error', ignoreClosedPipe);
  try {
    await createProgram(stop.signal).parseAsync(process.argv);
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Help and version are answers; everything else it throws is a command line that is wrong, and said so.
    process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE;
  }
}

function ignoreClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
}
