/** Every id is given once, and every id that is used is given. */
import type { GatePath, LintProblem } from '../gate-problem.ts';
import { GATE_SEVERITIES } from '../gate-schema.ts';
import { lintError, lintRule, lintWarning } from '../lint-rule.ts';

type Named = readonly { readonly id: string }[];

function* duplicates(what: string, path: GatePath, list: Named, key = 'id'): Iterable<LintProblem> {
  const seen = new Set<string>();
  for (const [index, { id }] of list.entries()) {
    if (seen.has(id))
      yield lintError('R-01', [...path, index, key], `a second ${what} \`${id}\`; give it another name`);
    seen.add(id);
  }
}

function* unknown(
  what: string,
  path: GatePath,
  used: readonly string[],
  known: ReadonlySet<string>,
): Iterable<LintProblem> {
  const seen = new Set<string>();
  for (const [index, id] of used.entries()) {
    if (!known.has(id))
      yield lintError('R-01', [...path, index], `there is no ${what} \`${id}\`; add it or correct the name`);
    if (seen.has(id)) yield lintWarning('R-01', [...path, index], `names \`${id}\` twice; remove one`);
    seen.add(id);
  }
}

const ids = (list: Named): ReadonlySet<string> => new Set(list.map(({ id }) => id));

export const NAME_RULES = [
  lintRule(['scope'], ({ scope }) => duplicates('surface', ['scope', 'surfaces'], scope.surfaces)),
  lintRule(['commands'], ({ commands }) => duplicates('command', ['commands'], commands)),
  lintRule(['packets'], ({ packets }) => duplicates('packet', ['packets'], packets)),
  lintRule(['people'], ({ people }) => duplicates('person', ['people'], people)),
  lintRule(['toolchain'], ({ toolchain }) =>
    duplicates(
      'tool',
      ['toolchain'],
      toolchain.map(({ name }) => ({ id: name })),
      'name',
    ),
  ),
  // A finding cites one clause, and the clause says its severity: one name space for all three.
  lintRule(['rubric'], function* ({ rubric }) {
    const seen = new Set<string>();
    for (const severity of GATE_SEVERITIES) {
      for (const [index, { id }] of rubric[severity].entries()) {
        const path = ['rubric', severity, index, 'id'];
        if (seen.has(id)) yield lintError('R-16', path, `a second clause \`${id}\`; give it another name`);
        seen.add(id);
      }
    }
  }),
  lintRule(['milestone', 'commands'], ({ milestone, commands }) =>
    unknown('command', ['milestone'], milestone, ids(commands)),
  ),
  lintRule(['packets', 'commands'], function* ({ packets, commands }) {
    const known = ids(commands);
    for (const [index, packet] of packets.entries())
      yield* unknown('command', ['packets', index, 'commands'], packet.commands, known);
  }),
  lintRule(['packets'], function* ({ packets }) {
    const known = ids(packets);
    for (const [index, packet] of packets.entries())
      yield* unknown('packet', ['packets', index, 'needs'], packet.needs, known);
  }),
];
