/** `holdfast gate scan|runbooks` on the command line: scanners and runbooks, which need no gate file. */
import type { Command } from '@commander-js/extra-typings';
import { run } from '../run.ts';
import { GATE_FILE, withKey } from './gate-options.ts';
import { examples, JSON_FLAG } from './options.ts';

export function addGateScanners(gate: Command, signal: AbortSignal): void {
  const scan = gate
    .command('scan')
    .description('Look for secrets, known vulnerabilities and dependency trouble; alone, or as a command of a gate')
    .addHelpText(
      'after',
      examples(
        'holdfast gate scan secrets',
        'holdfast gate scan vulnerabilities --fail',
        'holdfast gate scan secrets --report',
      ),
    );
  scanner(scan.command('secrets'))
    .description('Secrets in the tree, in the whole history and in tags; .holdfast-secrets.yaml holds suppressions')
    .action((options) =>
      run(options, signal, async () => (await import('../commands/gate/scan-secrets.ts')).secrets(options, signal)),
    );
  scanner(scan.command('vulnerabilities'))
    .description('Packages of the lockfiles in the offline database; .holdfast-vulnerabilities.yaml holds the triage')
    .option(...DATABASE)
    .action((options) =>
      run(options, signal, async () =>
        (await import('../commands/gate/scan-packages.ts')).vulnerabilities(options, signal),
      ),
    );
  scanner(scan.command('dependencies'))
    .description('Licences, install scripts, pins of toolchains; .holdfast-dependencies.yaml says what is allowed')
    .action((options) =>
      run(options, signal, async () =>
        (await import('../commands/gate/scan-packages.ts')).dependencies(options, signal),
      ),
    );
  addScanData(scan, signal);
  addRunbooks(gate, signal);
}

const DATABASE = [
  '--database <file>',
  'the offline database; without it $HOLDFAST_OSV_DATABASE, then ~/.local/share/holdfast/osv.db',
] as const;

const scanner = (command: Command) =>
  command
    .option('-C, --directory <directory>', 'the repository', '.')
    .option('--out <format>', 'text, sarif or json', 'text')
    .option('--report', 'print the report that a gate reads, and end with 0 when the scan was complete')
    .option('--fail', 'end with 20 when something was found')
    .option(...JSON_FLAG);

function addScanData(scan: Command, signal: AbortSignal): void {
  scan
    .command('update')
    .description('Bring OSV exports, as downloaded, into the offline database')
    .argument('<files...>', 'zip files of https://osv-vulnerabilities.storage.googleapis.com/<ecosystem>/all.zip')
    .option(...DATABASE)
    .option('--exported-at <time>', 'when upstream made the exports; by default the newest date in them')
    .option(...JSON_FLAG)
    .action((files, options) =>
      run(options, signal, async () =>
        (await import('../commands/gate/scan-packages.ts')).update(files, options, signal),
      ),
    );
  scan
    .command('sbom')
    .description('Print the bill of materials of the lockfiles')
    .option('-C, --directory <directory>', 'the repository', '.')
    .requiredOption('--name <name>', 'of what is released')
    .requiredOption('--release <version>', 'of what is released')
    .option('--format <format>', 'cyclonedx or spdx', 'cyclonedx')
    .option(...JSON_FLAG)
    .action((options) =>
      run(options, signal, async () => (await import('../commands/gate/scan-packages.ts')).sbom(options, signal)),
    );
  scan
    .command('vex')
    .description('Print the triage of vulnerabilities, as OpenVEX')
    .option('-C, --directory <directory>', 'the repository', '.')
    .option(...DATABASE)
    .requiredOption('--author <name>', 'who says so')
    .requiredOption('--product <url>', 'package URL of what is released')
    .option(...JSON_FLAG)
    .action((options) =>
      run(options, signal, async () => (await import('../commands/gate/scan-packages.ts')).vex(options, signal)),
    );
  scanner(scan.command('read'))
    .description('Read the report of another scanner')
    .argument('<format>', 'gitleaks, npm-audit, govulncheck or sarif')
    .argument('<path>', 'its report')
    .action((format, path, options) =>
      run(options, signal, async () => (await import('../commands/gate/scan-read.ts')).read(format, path, options)),
    );
}

function addRunbooks(gate: Command, signal: AbortSignal): void {
  const runbooks = gate.command('runbooks').description('Runbooks as data: do they hold, do they work');
  scanner(runbooks.command('verify'))
    .description('Resolve everything that runbooks name, at this commit, and say which were not drilled as they are')
    .argument('[paths...]', 'files; all below docs/runbooks by default')
    .option(...GATE_FILE)
    .option('--max-drill-age <days>', 'how many days a drill counts', Number, 92)
    .addHelpText('after', examples('holdfast gate runbooks verify', 'holdfast gate runbooks verify --report'))
    .action((paths, options) =>
      run(options, signal, async () =>
        (await import('../commands/gate/runbook-verify.ts')).verify(paths, options, signal),
      ),
    );
  withKey(runbooks.command('drill'))
    .description('Do what a runbook says, in a throw-away copy of the commit, and put on record what came of it')
    .argument('<runbook>', 'the file')
    .option('--no-record', 'record nothing; needs neither key nor a clean tree')
    .action((path, options) =>
      run(options, signal, async () =>
        (await import('../commands/gate/runbook-drill.ts')).drill(path, options, signal),
      ),
    );
}
