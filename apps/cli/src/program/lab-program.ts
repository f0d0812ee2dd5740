/** `holdfast lab …` on the command line: names, options and help. */
import type { Command } from '@commander-js/extra-typings';
import { run } from '../run.ts';
import { JSON_FLAG, STATE_FLAG, number, examples } from './options.ts';

export function addLab(program: Command, signal: AbortSignal): void {
  const checks = 'firewall, services, logging, files, ports, accounts, time_sync, certificates';
  const lab = program
    .command('lab')
    .enablePositionalOptions()
    .description('Real multi-host test beds on one machine, made of Linux namespaces');
  lab
    .command('up')
    .description('Build lab hosts; with a control plane running here they are enrolled as well')
    .option('--hosts <number>', 'how many', number, 3)
    .option('--simulated', 'simulated hosts, even where real ones are possible')
    .option(...STATE_FLAG)
    .option(...JSON_FLAG)
    .action((options) => run(options, signal, async () => (await import('../commands/lab.ts')).up(options, signal)));
  lab
    .command('down')
    .description('Remove every lab host and everything that belonged to it')
    .option(...STATE_FLAG)
    .option(...JSON_FLAG)
    .action((options) => run(options, signal, async () => (await import('../commands/lab.ts')).down(options)));
  lab
    .command('status')
    .description('State, address and injected drift of every lab host')
    .option(...STATE_FLAG)
    .option(...JSON_FLAG)
    .action((options) =>
      run(options, signal, async () => (await import('../commands/lab.ts')).status(options, signal)),
    );
  lab
    .command('break')
    .description('Make a lab host drift, for real')
    .argument('<check>', checks)
    .option('--on <host>', 'which host; the first by default')
    .option('--seed <number>', 'which of the ways to break it', number, 1)
    .option(...STATE_FLAG)
    .option(...JSON_FLAG)
    .addHelpText('after', examples('holdfast lab break firewall', 'holdfast lab break files --on web-2 --seed 3'))
    .action((check, options) =>
      run(options, signal, async () => (await import('../commands/lab.ts')).breakCheck(check, options, signal)),
    );
  lab
    .command('mend')
    .description('Put back what the drift generator broke')
    .argument('<check>', checks)
    .option('--on <host>', 'which host; the first by default')
    .option(...STATE_FLAG)
    .option(...JSON_FLAG)
    .action((check, options) =>
      run(options, signal, async () => (await import('../commands/lab.ts')).mend(check, options, signal)),
    );
  lab
    .command('exec')
    .description('Run a program as root inside a lab host')
    .argument('<host>', 'which host')
    .argument('<program...>', 'absolute path and arguments')
    .passThroughOptions()
    .option(...STATE_FLAG)
    .option(...JSON_FLAG)
    .action((host, argv, options) =>
      run(options, signal, async () => (await import('../commands/lab.ts')).exec(host, argv, options, signal)),
    );
}
