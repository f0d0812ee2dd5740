/** `holdfast gate rehearse|publish`: the gate in continuous integration, and on the control plane. */
import type { Command } from '@commander-js/extra-typings';
import { run } from '../run.ts';
import { withGate } from './gate-options.ts';
import { collect, examples, STATE_FLAG } from './options.ts';

export function addGateServices(gate: Command, signal: AbortSignal): void {
  withGate(gate.command('rehearse'))
    .description('Run and judge the milestone with throw-away keys, for continuous integration; nothing is recorded')
    .option('--command <id>', 'only this command, as often as needed', collect)
    .addHelpText('after', examples('holdfast gate rehearse', 'holdfast gate rehearse --command secrets'))
    .action((options) =>
      run(options, signal, async () => (await import('../commands/gate/rehearse.ts')).rehearse(options, signal)),
    );
  withGate(gate.command('publish'))
    .description('Send the records to the control plane, which verifies them and shows board, people and dates')
    .option('--keys <pins.json>', 'the keys to pin, with the first bundle of a gate')
    .option(...STATE_FLAG)
    .addHelpText('after', examples('holdfast gate publish --keys pins.json', 'holdfast gate publish'))
    .action((options) =>
      run(options, signal, async () => (await import('../commands/gate/publish.ts')).publish(options, signal)),
    );
}
