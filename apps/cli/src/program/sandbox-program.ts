/** `holdfast sandbox …` and `holdfast spawner` on the command line: names, options and help. */
import type { Command } from '@commander-js/extra-typings';
import { run } from '../run.ts';
import { examples, JSON_FLAG, ROOT } from './options.ts';

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
      examples(
        'holdfast sandbox run -- /bin/id',
        'holdfast sandbox run --profile plain-user --timeout 5 -- /usr/bin/sha256sum < file',
      ),
    )
    .action((argv, options) =>
      run(options, signal, async () => (await import('../commands/sandbox.ts')).runConfined(argv, options, signal)),
    );
  sandbox
    .command('show')
    .description('What a profile becomes on this kernel: hash, layers, files, system calls, limits, steps')
    .argument('<profile>', PROFILE)
    .option(...JSON_FLAG)
    .addHelpText('after', examples('holdfast sandbox show default'))
    .action((profile, options) =>
      run(options, signal, async () => (await import('../commands/sandbox.ts')).show(profile)),
    );
  sandbox
    .command('layers')
    .description('Which layers this host has, and what to do about the others; exit code 1 when one is missing')
    .option(...JSON_FLAG)
    .addHelpText('after', examples('holdfast sandbox layers --json'))
    .action((options) => run(options, signal, async () => (await import('../commands/sandbox.ts')).layers(signal)));
  sandbox
    .command('learn')
    .description('Propose a profile from what a program did in a lab host, and verify it there (as root, with strace)')
    .argument('<program...>', 'absolute path and arguments')
    .passThroughOptions()
    .option('--name <name>', 'of the proposed profile', 'learnt')
    .option('--runs <number>', 'how often it is observed; a profile is for all of the runs', Number, 1)
    .option('--dir <directory>', 'copied into the lab host as working directory, anew for each run')
    .option('--stdin <file>', 'given to it as standard input')
    .option('--timeout <seconds>', 'of each run', Number, 60)
    .option(...JSON_FLAG)
    .addHelpText(
      'after',
      examples(
        'holdfast sandbox learn -- /usr/bin/sort /etc/services',
        'holdfast sandbox learn --name build --dir ./project --runs 3 -- /usr/bin/make --jobs=2 > build.toml',
      ),
    )
    .action((argv, options) =>
      run(options, signal, async () => (await import('../commands/sandbox-learn.ts')).learn(argv, options, signal)),
    );
  program
    .command('spawner')
    .description('Run the process that starts confined commands until SIGTERM (as root; started by its systemd unit)')
    .option(...ROOT)
    .option(...JSON_FLAG)
    .action((options) =>
      run(options, signal, async () => (await import('../commands/spawner.ts')).spawner(options, signal)),
    );
}
