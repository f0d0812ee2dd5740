/** The whole command line: names, options and help. The commands themselves are loaded only when they run. */
import { Command } from '@commander-js/extra-typings';
import { addBaseline, addCheck, addPolicy } from './program/baseline-program.ts';
import { addAudit, addEvidence } from './program/evidence-program.ts';
import { addGate } from './program/gate-program.ts';
import { addHost } from './program/host-program.ts';
import { addLab } from './program/lab-program.ts';
import { examples, JSON_FLAG, number, ROOT, STATE_FLAG } from './program/options.ts';
import { addSandbox } from './program/sandbox-program.ts';
import { addServer } from './program/server-program.ts';
import { addWasm } from './program/wasm-program.ts';
import { run } from './run.ts';

const VERSION = '0.1.0';

export function createProgram(signal: AbortSignal): Command {
  const program = new Command('holdfast')
    .description('Keeps Linux hosts in a known-good state, fails closed, and proves it.')
    .version(VERSION)
    .enablePositionalOptions()
    // Inherited by every command: `main.ts` decides how the process ends.
    .exitOverride()
    .showHelpAfterError('Run it with --help to see what it takes.')
    .addHelpText(
      'after',
      examples(
        'holdfast up --demo',
        'holdfast status',
        'holdfast lab break firewall',
        'holdfast evidence verify ./kit',
      ),
    );
  addServices(program, signal);
  addServer(program, signal);
  addHost(program, signal);
  addEvidence(program, signal);
  addAudit(program, signal);
  addBaseline(program, signal);
  addPolicy(program, signal);
  addCheck(program, signal);
  addSandbox(program, signal);
  addWasm(program, signal);
  addGate(program, signal);
  addLab(program, signal);
  return program;
}

function addServices(program: Command, signal: AbortSignal): void {
  program
    .command('up')
    .description(
      'Run control plane, guard and agent on this machine until Ctrl-C; with --demo also lab hosts that drift and heal',
    )
    .option('--demo', 'lab hosts instead of this machine, broken and healed before your eyes')
    .option('--hosts <number>', 'how many lab hosts the demo has', number, 3)
    .option('--simulated', 'simulated hosts, even where real ones are possible')
    .option('--no-drift', 'demo hosts without injected drift')
    .option('--heal', 'let the guard change this machine when it drifts (without it: observe and alert)')
    .option('--port <number>', 'port of the console on 127.0.0.1', number, 7070)
    .option(...STATE_FLAG)
    .option(...JSON_FLAG)
    .addHelpText('after', examples('holdfast up --demo', 'holdfast up --demo --hosts 5 --no-drift'))
    .action((options) => run(options, signal, async () => (await import('./commands/up.ts')).up(options, signal)));
  program
    .command('guard')
    .description('Run the guard of this host until SIGTERM (as root; started by its systemd unit)')
    .option(...ROOT)
    .option('--recover', 'end unfinished changes and exit, if no guard is running')
    .option(...JSON_FLAG)
    .action((options) =>
      run(options, signal, async () => (await import('./commands/guard.ts')).guard(options, signal)),
    );
  program
    .command('agent')
    .description('Run the agent of this host until SIGTERM (unprivileged; started by its systemd unit)')
    .option(...ROOT)
    .option(...JSON_FLAG)
    .action((options) =>
      run(options, signal, async () => (await import('./commands/agent.ts')).agent(options, signal)),
    );
}
