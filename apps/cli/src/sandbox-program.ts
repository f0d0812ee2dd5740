/** `holdfast sandbox …` and `holdfast spawner` on the command line: names, options and help. */
import type { Command } from '@commander-js/extra-typings';
import { run } from './run.ts';

const JSON_FLAG = ['--json', 'print JSON instead of text'] as const;
const PROFILE = 'default, plain-user, or a TOML file';

export function addSandbox(program: Command, signal: AbortSignal): void {
  const sandbox = program
    .command('sandbox')
    .enablePositionalOptions()
    .description('Run a command behind every layer this kernel has, and see what they are');
  sandbox
    .command('run')
    .description('Run a program confined; its streams and its exit code are passed through')
    .argument('<program...>', 'absolute path and arguments')
    .passThroughOptions()
    .option('--profile <profile>', PROFILE, 'default')
    .option('--timeout <seconds>', 'SIGTERM after this long, and SIGKILL a second later', Number, 60)
    .option(...JSON_FLAG)
    .addHelpText(
      'after',
      [
        '\nExamples:',
        '  holdfast sandbox run -- /bin/id',
        '  holdfast sandbox run --profile plain-user --timeout 5 -- /usr/bin/sha256sum < file',
      ].join('\n'),
    )
    .action((argv, options) =>
      run(options, signal, async () => (await import('./commands/sandbox.ts')).runConfined(argv, options, signal)),
    );
  sandbox
    .command('show')
    .description('What a profile becomes on this kernel: hash, layers, files, system calls, limits, steps')
    .argument('<profile>', PROFILE)
    .option(...JSON_FLAG)
    .addHelpText('after', '\nExamples:\n  holdfast sandbox show default')
    .action((profile, options) =>
      run(options, signal, async () => (await import('./commands/sandbox.ts')).show(profile)),
    );
  sandbox
    .command('layers')
    .description('Which layers this host has, and what to do about the others; exit code 1 when one is missing')
    .option(...JSON_FLAG)
    .addHelpText('after', '\nExamples:\n  holdfast sandbox layers --json')
    .action((options) => run(options, signal, async () => (await import('./commands/sandbox.ts')).layers(signal)));
  program
    .command('spawner')
    .description('Run the process that starts confined commands until SIGTERM (as root; started by its systemd unit)')
    .option('--root <directory>', 'root of the host: /, or the directory of a simulated one', '/')
    .option(...JSON_FLAG)
    .action((options) =>
      run(options, signal, async () => (await import('./commands/spawner.ts')).spawner(options, signal)),
    );
}
