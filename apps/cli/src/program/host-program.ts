/** What concerns this host: its state, drift, healing and declared commands. */
import type { Command } from '@commander-js/extra-typings';
import { run } from '../run.ts';
import { JSON_FLAG, ROOT, STATE_FLAG, examples } from './options.ts';

export function addHost(program: Command, signal: AbortSignal): void {
  program
    .command('enroll')
    .description('Give this host an identity at a control plane, with a one-time token (as root)')
    .requiredOption('--server <url>', 'https address of the control plane for hosts')
    .option('--token <token>', 'the token; visible to other users of this machine while the command runs')
    .option('--token-file <file>', 'read the token from this file instead; - is standard input')
    .option('--name <name>', 'name of the host; its host name by default')
    .option('--label <key=value...>', 'labels of the host')
    .option(...ROOT)
    .option(...JSON_FLAG)
    .addHelpText('after', examples('holdfast enroll --server https://holdfast.example.org:7443 --token-file -'))
    .action((options) =>
      run(options, signal, async () => (await import('../commands/enroll.ts')).enroll(options, signal)),
    );
  program
    .command('status')
    .description('This host’s guard and agent, or every host when a control plane runs here')
    .option(...ROOT)
    .option(...STATE_FLAG)
    .option('--host', 'this host only, even when a control plane runs here')
    .option(...JSON_FLAG)
    .action((options) =>
      run(options, signal, async () => (await import('../commands/status.ts')).status(options, signal)),
    );
  program
    .command('drift')
    .description('Run every check now and show what differs from the baseline; exit code 1 when something does')
    .argument('[checks...]', 'only these checks')
    .option(...ROOT)
    .option(...JSON_FLAG)
    .addHelpText('after', examples('holdfast drift', 'holdfast drift firewall files --json'))
    .action((checks, options) =>
      run(options, signal, async () => (await import('../commands/drift.ts')).drift(checks, options, signal)),
    );
  program
    .command('heal')
    .description('Ask the guard to mend what a check found')
    .argument('<check>', 'the check whose findings to mend')
    .option('--dry-run', 'show the steps only; never counted as a fix')
    .option('--reason <text>', 'why; kept in evidence')
    .option(...ROOT)
    .option(...JSON_FLAG)
    .addHelpText('after', examples('holdfast heal firewall --dry-run', 'holdfast heal services'))
    .action((check, options) =>
      run(options, signal, async () => (await import('../commands/heal.ts')).heal(check, options, signal)),
    );
  program
    .command('exec')
    .description('Run a command that the policy of this host declares, in its sandbox; ends with its exit code')
    .argument('[name]', 'the command, with or without `exec.`')
    .argument('[params...]', 'its parameters: key=value, or key:=json for a number')
    .option('--list', 'show the declared commands')
    .option('--dry-run', 'show the argv that would run, and run nothing')
    .option(...ROOT)
    .option(...JSON_FLAG)
    .addHelpText('after', examples('holdfast exec --list', 'holdfast exec backup what=/srv/data'))
    .action((name, params, options) =>
      run(options, signal, async () => (await import('../commands/exec.ts')).exec(name, params, options, signal)),
    );
  program
    .command('unfreeze')
    .description('Free this host after a change that could not be reverted (as root, once you have looked)')
    .requiredOption('--reason <text>', 'what was found and done, 20 characters or more; kept in evidence')
    .option(...ROOT)
    .option(...JSON_FLAG)
    .addHelpText('after', examples("holdfast unfreeze --reason 'disk replaced, /etc/nftables.conf checked by hand'"))
    .action((options) =>
      run(options, signal, async () => (await import('../commands/unfreeze.ts')).unfreeze(options, signal)),
    );
  program
    .command('doctor')
    .description('Show every layer of this host’s protection as active, degraded or missing, with the fix')
    .option(...ROOT)
    .option(...JSON_FLAG)
    .action((options) =>
      run(options, signal, async () => (await import('../commands/doctor.ts')).doctor(options, signal)),
    );
}
