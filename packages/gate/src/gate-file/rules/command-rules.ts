/** Each command by itself: what it may claim, what it must declare, and what cannot have been meant. */
import type { GatePath, LintProblem } from '../gate-problem.ts';
import { type GateCommand, TIER_CAP, TIERS } from '../gate-schema.ts';
import { lintError, lintRule, lintWarning, PLACEHOLDER, reportsTests } from '../lint-rule.ts';
import { isPlainPath, isWithin } from './scope-rules.ts';

const SHELLS: ReadonlySet<string> = new Set([
  'sh',
  'bash',
  'dash',
  'zsh',
  'ksh',
  'fish',
  'cmd',
  'cmd.exe',
  'powershell',
  'pwsh',
]);
/** `-c`, also among others as in `-euc`; `/c` and `-Command` elsewhere. */
const SHELL_SCRIPT_FLAG = /^(?:-[a-z]*c|\/c|-command)$/i;

type Check = (command: GateCommand, path: GatePath) => Iterable<LintProblem>;

function* argv({ argv, kind, cwd }: GateCommand, path: GatePath): Iterable<LintProblem> {
  const program = argv[0]?.split('/').at(-1) ?? '';
  if (SHELLS.has(program.toLowerCase()) && argv.slice(1).some((argument) => SHELL_SCRIPT_FLAG.test(argument)))
    yield lintWarning(
      'R-07',
      [...path, 'argv'],
      'runs a script in a shell, whose exit code may hide a failure; name the program itself',
    );
  for (const [index, argument] of argv.entries()) {
    // What a search looks for may well be called TODO.
    if (kind !== 'search' && PLACEHOLDER.test(argument))
      yield lintError('R-07', [...path, 'argv', index], 'still has a placeholder; write the real argument');
  }
  if (cwd !== '.' && !isPlainPath(cwd))
    yield lintError('R-07', [...path, 'cwd'], 'is a plain directory below the root');
}

function* report({ kind, report, floor, gapTests }: GateCommand, path: GatePath): Iterable<LintProblem> {
  const tests = reportsTests({ report });
  if (kind === 'test' && report === null)
    yield lintError('R-06', path, 'is a test without a report: nobody can tell which tests ran; declare `report`');
  else if (kind === 'test' && !tests)
    yield lintError(
      'R-06',
      [...path, 'report', 'format'],
      'is no test report; use the format that the test runner writes',
    );
  if (tests && floor === null)
    yield lintError(
      'R-06',
      path,
      'has no `floor`: it would pass with all but one of its tests gone; set the number that runs today',
    );
  if (!tests && floor !== null)
    yield lintError('R-06', [...path, 'floor'], 'counts tests, but no test report is declared; declare `report`');
  if (!tests && gapTests.length > 0)
    yield lintError(
      'R-06',
      [...path, 'gapTests'],
      'must appear by name, but no test report is declared; declare `report`',
    );
  if (kind === 'scan' && (report === null || tests))
    yield lintError('R-24', path, 'is a scan whose findings nobody reads; declare `report` with format scan or sarif');
  if (report !== null && (report.from.split('/').includes('.git') || !isPlainPath(report.from)))
    yield lintError('R-07', [...path, 'report', 'from'], 'is `stdout` or the plain path of one file');
}

function* expectations({ kind, expect, exit, triage }: GateCommand, path: GatePath): Iterable<LintProblem> {
  if (kind === 'search' && expect === null)
    yield lintError('R-09', path, 'is a search without `expect`; say how many lines each file matches, `{}` for none');
  if (kind !== 'search' && expect !== null)
    yield lintError('R-09', [...path, 'expect'], 'is for commands of kind search alone; remove it or change the kind');
  const meanings = new Set(exit);
  if (meanings.size < exit.length) yield lintWarning('R-09', [...path, 'exit'], 'names an exit code twice; remove one');
  for (const [index, entry] of triage.entries()) {
    if (meanings.has(entry.exit))
      yield lintError('R-09', [...path, 'triage', index, 'exit'], `exit code ${entry.exit} has two meanings; keep one`);
    meanings.add(entry.exit);
  }
}

function* tier({ kind, tier }: GateCommand, path: GatePath): Iterable<LintProblem> {
  const cap = TIER_CAP[kind];
  if (TIERS.indexOf(tier) > TIERS.indexOf(cap))
    //
    yield lintError('R-11', [...path, 'tier'], `a ${kind} proves ${cap} at most; lower the tier or change the kind`);
}

function* gapTests({ gapTests }: GateCommand, path: GatePath): Iterable<LintProblem> {
  const seen = new Set<string>();
  for (const [index, { test, mutation }] of gapTests.entries()) {
    const at = [...path, 'gapTests', index];
    if (seen.has(test)) yield lintError('R-06', [...at, 'test'], 'is named twice; remove one');
    seen.add(test);
    if ('replace' in mutation && mutation.replace === mutation.with)
      yield lintError('R-06', [...at, 'mutation'], 'changes nothing; remove the protection that the test is for');
    const file = 'patch' in mutation ? mutation.patch : mutation.file;
    if (!isPlainPath(file)) yield lintError('R-06', [...at, 'mutation'], 'names the plain path of one file');
  }
}

const CHECKS: readonly Check[] = [argv, report, expectations, tier, gapTests];

export const COMMAND_RULES = [
  lintRule(['commands'], function* ({ commands }) {
    for (const [index, command] of commands.entries())
      for (const check of CHECKS) yield* check(command, ['commands', index]);
  }),
  lintRule(['commands', 'records'], function* ({ commands, records }) {
    for (const [index, { report, cwd }] of commands.entries()) {
      if (isPlainPath(cwd) && isPlainPath(records) && isWithin(cwd, records))
        yield lintError(
          'R-07',
          ['commands', index, 'cwd'],
          'lies in the records, whose changes no digest of the sources shows; run it elsewhere',
        );
      if (report !== null && report.from !== 'stdout' && isPlainPath(records) && isWithin(report.from, records))
        yield lintError(
          'R-07',
          ['commands', index, 'report', 'from'],
          'lies in the records; write it to another, ignored directory',
        );
    }
  }),
  lintRule(['commands', 'packets', 'milestone'], function* ({ commands, packets, milestone }) {
    const used = new Set([...milestone, ...packets.flatMap((packet) => packet.commands)]);
    for (const [index, { id }] of commands.entries()) {
      if (!used.has(id))
        yield lintWarning(
          'R-06',
          ['commands', index],
          `nothing requires \`${id}\`; add it to a packet or the milestone, or remove it`,
        );
    }
  }),
  lintRule(['toolchain'], function* ({ toolchain }) {
    for (const [index, { argv, release }] of toolchain.entries()) {
      if ([...argv, release].some((text) => PLACEHOLDER.test(text)))
        yield lintError('R-08', ['toolchain', index], 'still has a placeholder; write what the release build uses');
    }
  }),
];
