/** `holdfast gate …` on the command line: the gate file, packets and their evidence. */
import { type Command, Option } from '@commander-js/extra-typings';
import { run } from '../run.ts';
import { addGateFindings } from './gate-findings-program.ts';
import { addGateInterchange } from './gate-interchange-program.ts';
import { withGate, withKey } from './gate-options.ts';
import { addGateScanners } from './gate-scan-program.ts';
import { addGateServices } from './gate-service-program.ts';
import { addGateVerdict } from './gate-verdict-program.ts';
import { collect, examples } from './options.ts';

export function addGate(program: Command, signal: AbortSignal): void {
  const gate = program
    .command('gate')
    .enablePositionalOptions()
    .description('Gate releases of any git repository: evidence in, verdict out; alone and offline')
    .addHelpText(
      'after',
      examples(
        'holdfast gate init',
        'holdfast gate status',
        'holdfast gate run 01',
        'holdfast gate verdict',
        'holdfast gate verify release.gate --keys pins.json',
      ),
    )
    .addHelpText(
      'after',
      '\nVerdicts end with 0 GO, 10 GO_WITH_CONDITIONS, 20 NO_GO or STALE, 30 INCONCLUSIVE.\n' +
        'Other endings: 1 `run`: a command failed, 64 a wrong command line, 65 input or a step that a rule refuses,\n' +
        '70 an internal error, 75 try again later, 130 interrupted.',
    );
  addFile(gate, signal);
  addPackets(gate, signal);
  addEvidence(gate, signal);
  addGateFindings(gate, signal);
  addGateVerdict(gate, signal);
  addGateScanners(gate, signal);
  addGateServices(gate, signal);
  addGateInterchange(gate, signal);
}

function addFile(gate: Command, signal: AbortSignal): void {
  withGate(gate.command('init'))
    .description('Write a gate file to start from, for the Node, Go, Rust or Python project that is here')
    .action((options) =>
      run(options, signal, async () => (await import('../commands/gate/gate-file.ts')).init(options, signal)),
    );
  withGate(gate.command('lint'))
    .description('Say everything that is wrong with the gate file, with line and rule; ends with 65 for errors')
    .action((options) =>
      run(options, signal, async () => (await import('../commands/gate/gate-file.ts')).lint(options, signal)),
    );
  gate
    .command('schema')
    .description('Print the JSON Schema of the gate file, for editors')
    .action(() => run({}, signal, async () => (await import('../commands/gate/gate-file.ts')).schema()));
  withKey(gate.command('key'))
    .description('Make your key, readable by you alone, and print what goes into `people` of the gate file')
    .option('--id <person>', 'your id in the gate file', 'you')
    .action((options) => run(options, signal, async () => (await import('../commands/gate/key.ts')).key(options)));
  withKey(gate.command('freeze'))
    .description('Freeze scope, rubric, order and commands as the gate file has them: nothing starts before')
    .option('--note <text>', 'why there is a new revision; shown with the result')
    .action((options) =>
      run(options, signal, async () => (await import('../commands/gate/freeze.ts')).freeze(options, signal)),
    );
}

function addPackets(gate: Command, signal: AbortSignal): void {
  const move = (event: 'start' | 'block' | 'unblock' | 'submit' | 'reopen', description: string): void => {
    withKey(gate.command(event))
      .description(description)
      .argument('<packet>', 'its id')
      .option('--reason <text>', 'why')
      .action((packet, options) =>
        run(options, signal, async () =>
          (await import('../commands/gate/packets.ts')).move(event, packet, options, signal),
        ),
      );
  };
  move('start', 'Start a packet that is READY, or go on with one that was sent back');
  move('block', 'Say that a packet cannot go on, and why');
  move('unblock', 'Say that it can');
  move('submit', 'Give a packet to its reviewer, at this commit');
  move('reopen', 'Take a packet back, and with it all that was built on it');
  withKey(gate.command('review'))
    .description('Decide on a packet that was submitted; the file says what was looked at, part by part')
    .argument('<packet>', 'its id')
    .option('--template', 'write a file to fill in, with what git and the records know filled in')
    .option('--review <file>', 'the file; review-<packet>.yaml beside the records by default')
    .addOption(new Option('--approve', 'it is done').conflicts(['requestChanges', 'block']))
    .addOption(new Option('--request-changes', 'it goes back').conflicts(['approve', 'block']))
    .addOption(new Option('--block', 'it must not go on').conflicts(['approve', 'requestChanges']))
    .addHelpText('after', examples('holdfast gate review 01 --template', 'holdfast gate review 01 --approve'))
    .action((packet, options) =>
      run(options, signal, async () => (await import('../commands/gate/review.ts')).review(packet, options, signal)),
    );
}

function addEvidence(gate: Command, signal: AbortSignal): void {
  withKey(gate.command('run'))
    .description('Run the commands of a packet, or the milestone, and record what came of them')
    .argument('[packet]', 'its id')
    .option('--milestone', 'the milestone instead: what the verdict rests on')
    .option('--command <id>', 'only this command, as often as needed', collect)
    .option('--as <role>', 'implementer or reviewer, where your key is both')
    .option('--no-mutations', 'without the runs that show that gap-closing tests fail when their protection is gone')
    .addHelpText('after', examples('holdfast gate run 01', 'holdfast gate run --milestone'))
    .action((packet, options) =>
      run(options, signal, async () => (await import('../commands/gate/run.ts')).runCommands(packet, options, signal)),
    );
}
