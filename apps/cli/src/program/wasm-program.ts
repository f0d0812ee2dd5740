/** `holdfast wasm …` on the command line: names, options and help. */
import type { Command } from '@commander-js/extra-typings';
import { run } from '../run.ts';
import { JSON_FLAG, collect, examples } from './options.ts';

export function addWasm(program: Command, signal: AbortSignal): void {
  const wasm = program
    .command('wasm')
    .enablePositionalOptions()
    .description('Run untrusted WebAssembly (WASI preview 1), confined and metered');
  wasm
    .command('run')
    .description(
      'Run a module; ends with its exit code, or 124 at the deadline, 152 without fuel, 137 for memory, 134 for a trap, 153 for output',
    )
    .argument('<module>', 'the .wasm file; - is standard input')
    .argument('[args...]', 'its arguments, behind --')
    .option('--fuel <units>', 'work it may do: about one unit an instruction', '10000000000')
    .option('--deadline <duration>', 'wall time after which it is killed', '30s')
    .option('--memory <size>', 'linear memory it may have', '128MiB')
    .option(
      '--dir <host::guest>',
      'a directory it sees, read-only (or :ro); with :cow behind it a copy it may change',
      collect,
    )
    .option('--env <name=value>', 'a variable of its environment, as often as needed', collect)
    .option('--stdin <file>', 'its standard input; - is this command’s')
    .option('--entry <name>', 'the exported function to call instead of _start')
    .option('--deterministic', 'the same result every time: time from fuel, seeded randomness')
    .option('--seed <hex>', 'seed of its randomness')
    .option('--commit', 'write changes of :cow directories back when it ends with 0')
    .option('--usage', 'print what it used to standard error')
    .option('--no-process-sandbox', 'for development only: without the wall around V8')
    .option(...JSON_FLAG)
    .addHelpText(
      'after',
      examples(
        'holdfast wasm run hello.wasm',
        'holdfast wasm run count.wasm --dir ./data::/data --deadline 2s --usage -- /data',
      ),
    )
    .action((file, args, options) =>
      run(options, signal, async () => (await import('../commands/wasm.ts')).runModule(file, args, options, signal)),
    );
  wasm
    .command('inspect')
    .description('What a module imports, exports and needs, or why it is refused; nothing of it runs')
    .argument('<module>', 'the .wasm file; - is standard input')
    .option('--no-process-sandbox', 'for development only: decode it without the wall')
    .option(...JSON_FLAG)
    .action((file, options) =>
      run(options, signal, async () => (await import('../commands/wasm.ts')).inspect(file, options, signal)),
    );
}
