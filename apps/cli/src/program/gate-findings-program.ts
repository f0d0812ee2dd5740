/** `holdfast gate finding|accept|risk|addendum` on the command line. */
import type { Command } from '@commander-js/extra-typings';
import { run } from '../run.ts';
import { withGate, withKey } from './gate-options.ts';
import { collect, examples } from './options.ts';

export function addGateFindings(gate: Command, signal: AbortSignal): void {
  addFindings(gate, signal);
  addAcceptance(gate, signal);
  addRisks(gate, signal);
}

function addFindings(gate: Command, signal: AbortSignal): void {
  const finding = gate.command('finding').description('What was found, by people and by scanners');
  withKey(finding.command('add'))
    .description('Record a finding; its severity follows from a clause of the rubric')
    .requiredOption('--title <text>', 'one sentence')
    .requiredOption('--surface <id>', 'where in the scope')
    .requiredOption('--location <place>', 'file, route, address')
    .requiredOption('--severity <P0|P1|P2>', 'how bad')
    .requiredOption('--clause <id>', 'the clause of the rubric that says so')
    .requiredOption('--reason <text>', 'why it is one')
    .option('--packet <id>', 'the packet it belongs to')
    .option('--defect <kind>', 'code or document', 'code')
    .option('--id <id>', 'its id; the next F-… by default')
    .addHelpText(
      'after',
      examples(
        'holdfast gate finding add --title "The cache keeps a deleted account" --surface node-code \\\n' +
          '    --location src/cache.js --severity P1 --clause wrong-result --reason "seen for ten minutes"',
      ),
    )
    .action((options) =>
      run(options, signal, async () => (await import('../commands/gate/finding.ts')).add(options, signal)),
    );
  withKey(finding.command('update'))
    .description('Say what became of a finding, also of one that a scanner made; what is not given stays')
    .argument('<finding>', 'its id')
    .option('--disposition <kind>', 'open, resolved, deferred or false-positive')
    .option('--severity <P0|P1|P2>', 'lowering it needs another person')
    .option('--clause <id>', 'of the rubric')
    .option('--surface <id>', 'where in the scope')
    .option(
      '--run <id>',
      'a run that shows it, as often as needed; latest:<command> is the newest of a command',
      collect,
    )
    .option(
      '--proof <file>',
      'a file that shows it, kept with the records, as often as needed; for a secret revoked:<file> and replaced:<file>',
      collect,
    )
    .requiredOption('--reason <text>', 'why')
    .action((id, options) =>
      run(options, signal, async () => (await import('../commands/gate/finding.ts')).update(id, options, signal)),
    );
  withGate(finding.command('list'))
    .description('All findings, worst first')
    .action((options) =>
      run(options, signal, async () => (await import('../commands/gate/finding.ts')).list(options, signal)),
    );
}

function addAcceptance(gate: Command, signal: AbortSignal): void {
  withKey(gate.command('accept'))
    .description('Accept a P0 or P1 for this release, until a date, under a condition that a command can test')
    .argument('<finding>', 'its id')
    .requiredOption('--reason <text>', 'why one can live with it')
    .requiredOption('--expires <date>', 'the last day of the acceptance, as YYYY-MM-DD')
    .requiredOption('--control <text>', 'what protects meanwhile')
    .requiredOption('--control-command <id>', 'the command that shows that it does')
    .requiredOption('--condition <text>', 'what has to be done')
    .requiredOption('--condition-command <id>', 'the command that shows that it was')
    .requiredOption('--owner <person>', 'who does it')
    .requiredOption('--due <date>', 'by when, as YYYY-MM-DD')
    .option(
      '--previous <leaf>',
      'the acceptance of the same thing in another gate, by its leaf hash; found by itself otherwise',
    )
    .addHelpText(
      'after',
      '\nHow often in a row a thing was accepted before, in this gate and in others, is counted; where that is more\n' +
        'than policies.maxConsecutiveWaivers (2), it takes a second approver.',
    )
    .addHelpText(
      'after',
      examples(
        'holdfast gate accept F-1 --reason "rare, and told in the notes" --expires 2026-12-20 \\\n' +
          '    --control "accounts are deleted at night" --control-command node-tests \\\n' +
          '    --condition "the cache forgets at once" --condition-command node-tests --owner maker --due 2026-12-10',
      ),
    )
    .action((id, options) =>
      run(options, signal, async () => (await import('../commands/gate/accept.ts')).accept(id, options, signal)),
    );
  withKey(gate.command('addendum'))
    .description('Lift conditions of the last verdict: what fixed each, and the run that shows it')
    .requiredOption('--lift <condition>', 'its id, as often as needed; each with a --fix and a --run', collect)
    .requiredOption('--fix <text>', 'what was done about it', collect)
    .requiredOption('--run <id>', 'the run that shows it; `latest` is the newest of the condition’s command', collect)
    .addHelpText('after', examples('holdfast gate addendum --lift C-1 --fix "token is checked again" --run latest'))
    .action((options) =>
      run(options, signal, async () => (await import('../commands/gate/addendum.ts')).addendum(options, signal)),
    );
}

function addRisks(gate: Command, signal: AbortSignal): void {
  const risk = gate.command('risk').description('What remains, who answers for it, and until when');
  withKey(risk.command('add'))
    .description('Record a residual risk, or move the date of one')
    .requiredOption('--text <text>', 'one sentence')
    .requiredOption('--owner <person>', 'who answers for it')
    .requiredOption('--due <date>', 'the day it is looked at again, as YYYY-MM-DD')
    .option('--id <id>', 'its id; the next RISK-… by default, one that there is moves its date')
    .action((options) =>
      run(options, signal, async () => (await import('../commands/gate/risk.ts')).add(options, signal)),
    );
  withKey(risk.command('close'))
    .description('Say that a residual risk is gone')
    .argument('<risk>', 'its id')
    .action((id, options) =>
      run(options, signal, async () => (await import('../commands/gate/risk.ts')).close(id, options, signal)),
    );
  withGate(risk.command('list'))
    .description('All residual risks, the next date first')
    .action((options) =>
      run(options, signal, async () => (await import('../commands/gate/risk.ts')).list(options, signal)),
    );
}
