/**
 * Whether the commands can reach the surfaces, as far as a file alone can tell.
 * Which tests really ran is asked again of the records.
 */
import type { LintProblem } from '../gate-problem.ts';
import { type Gate, type GateCommand, TIERS } from '../gate-schema.ts';
import { lintError, lintRule, reportsTests } from '../lint-rule.ts';
import { matchesTestPattern } from '../../reports/test-pattern.ts';

const byId = (commands: readonly GateCommand[]): ReadonlyMap<string, GateCommand> =>
  new Map(commands.map((command) => [command.id, command]));

/** Those of `required` whose tests are read from a report. */
function testCommands(required: Iterable<string>, commands: ReadonlyMap<string, GateCommand>): GateCommand[] {
  return [...new Set(required)].flatMap((id) => {
    const command = commands.get(id);
    return command !== undefined && reportsTests(command) ? [command] : [];
  });
}

const highestTier = (commands: readonly GateCommand[]): number =>
  Math.max(-1, ...commands.map(({ tier }) => TIERS.indexOf(tier)));

function* reachable({
  scope,
  commands,
  packets,
  milestone,
}: Pick<Gate, 'scope' | 'commands' | 'packets' | 'milestone'>): Iterable<LintProblem> {
  const known = byId(commands);
  const inMilestone = testCommands(milestone, known);
  const required = testCommands([...milestone, ...packets.flatMap((packet) => packet.commands)], known);
  if (required.length === 0) {
    yield lintError(
      'R-06',
      ['scope', 'surfaces'],
      'are reached by no command: none that is required has a test report',
    );
    return;
  }
  const [anywhere, again] = [highestTier(required), highestTier(inMilestone)];
  for (const [index, { id, p0, minTier }] of scope.surfaces.entries()) {
    const path = ['scope', 'surfaces', index];
    const wanted = TIERS.indexOf(minTier);
    if (wanted > anywhere) {
      yield lintError(
        'R-11',
        [...path, 'minTier'],
        `no required command can reach \`${id}\` at ${minTier}; add one or lower the minimum`,
      );
    } else if (p0 && wanted > again) {
      //
      yield lintError(
        'R-20',
        path,
        `a P0 can arise in \`${id}\`, but no command of the milestone can reach it at ${minTier}; add one`,
      );
    }
  }
}

/** a milestone that is smaller than what the packets require. */
function* wholeMilestone({
  scope,
  commands,
  packets,
  milestone,
}: Pick<Gate, 'scope' | 'commands' | 'packets' | 'milestone'>): Iterable<LintProblem> {
  if (!scope.surfaces.some(({ p0 }) => p0)) return;
  const inMilestone = new Set(milestone);
  const required = testCommands(
    packets.flatMap((packet) => packet.commands),
    byId(commands),
  );
  for (const { id } of required) {
    if (!inMilestone.has(id))
      yield lintError('R-20', ['milestone'], `is smaller than the packets: it lacks the tests of \`${id}\`; add it`);
  }
}

/** a pattern that does not select the very test that closes a gap. */
function* selectedGapTests({ scope, commands }: Pick<Gate, 'scope' | 'commands'>): Iterable<LintProblem> {
  const patterns = scope.surfaces.flatMap(({ tests }) => tests);
  for (const [at, { gapTests }] of commands.entries()) {
    for (const [index, { test }] of gapTests.entries()) {
      if (!patterns.some((pattern) => matchesTestPattern(pattern, test)))
        yield lintError(
          'R-34',
          ['commands', at, 'gapTests', index, 'test'],
          'closes a gap, but no surface selects it; widen the pattern in `tests` of its surface',
        );
    }
  }
}

export const COVERAGE_RULES = [
  lintRule(['scope', 'commands', 'packets', 'milestone'], reachable),
  lintRule(['scope', 'commands', 'packets', 'milestone'], wholeMilestone),
  lintRule(['scope', 'commands'], selectedGapTests),
];
