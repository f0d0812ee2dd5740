/** `holdfast gate verdict|status|board|report|export|verify|pins` on the command line. */
import type { Command } from '@commander-js/extra-typings';
import { run } from '../run.ts';
import { AT_FLAG, withGate, withKey } from './gate-options.ts';
import { examples, JSON_FLAG } from './options.ts';

export function addGateVerdict(gate: Command, signal: AbortSignal): void {
  withKey(gate.command('verdict'))
    .description('Judge this commit and sign the verdict, with a SLSA verification summary beside it')
    .option('--dry-run', 'judge, and record nothing')
    .action((options) =>
      run(options, signal, async () => (await import('../commands/gate/verdict.ts')).verdict(options, signal)),
    );
  withKey(gate.command('status'))
    .description('Say what is, what it is worth now, and what you can do next; ends as the verdict that stands')
    .option(...AT_FLAG)
    .action((options) =>
      run(options, signal, async () => (await import('../commands/gate/status.ts')).status(options, signal)),
    );
  withGate(gate.command('board'))
    .description('The packets: states, people, evidence')
    .option(...AT_FLAG)
    .action((options) =>
      run(options, signal, async () => (await import('../commands/gate/status.ts')).board(options, signal)),
    );
  withGate(gate.command('report'))
    .description('Write everything down for people (text, html) or for other tools (sarif, junit)')
    .option('--format <format>', 'text, html, sarif or junit', 'text')
    .option('--out <file>', 'write it there instead of printing it')
    .option(...AT_FLAG)
    .addHelpText('after', examples('holdfast gate report --format html --out report.html'))
    .action((options) =>
      run(options, signal, async () => (await import('../commands/gate/report.ts')).report(options, signal)),
    );
  addBundle(gate, signal);
}

function addBundle(gate: Command, signal: AbortSignal): void {
  withGate(gate.command('export'))
    .description('Write all records and outputs to one file, which anybody can verify offline')
    .argument('<file>', 'the bundle to write; new')
    .action((file, options) =>
      run(options, signal, async () => (await import('../commands/gate/bundle.ts')).exportTo(file, options, signal)),
    );
  gate
    .command('verify')
    .description('Verify a bundle and derive its verdict again, with nothing but the file and the pins')
    .argument('<bundle>', 'the file')
    .option('--keys <file>', 'people and keys that you pinned; without it the result is inconclusive at best')
    .option(...AT_FLAG)
    .option(...JSON_FLAG)
    .action((file, options) =>
      run(options, signal, async () => (await import('../commands/gate/bundle.ts')).verify(file, options)),
    );
  withGate(gate.command('pins'))
    .description('Write down people and keys of the gate file, to be kept away from the repository')
    .argument('[file]', 'where to; printed without it')
    .action((file, options) =>
      run(options, signal, async () => (await import('../commands/gate/bundle.ts')).pins(file, options)),
    );
}
