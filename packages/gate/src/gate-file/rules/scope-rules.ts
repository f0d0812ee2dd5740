/** Scope, records and base: what is judged, and what is left out of it (R-01, R-08, R-13). */
import type { LintProblem } from '../gate-problem.ts';
import type { Surface } from '../gate-schema.ts';
import { lintError, lintRule, lintWarning } from '../lint-rule.ts';

const WILDCARD = /[*?[\]]/;
/** What a pattern says before its first wildcard, without the slash at the end: `src/auth/**` lies in `src/auth`. */
const fixedPart = (pattern: string): string =>
  WILDCARD.test(pattern) ? (pattern.split(WILDCARD)[0] ?? '').replace(/\/?[^/]*$/, '') : pattern.replace(/\/$/, '');
/** Whether `path` is `directory` or lies below it; the root is the empty text. */
export const isWithin = (path: string, directory: string): boolean =>
  directory === '' || path === directory || path.startsWith(`${directory}/`);

/** A plain relative path with one spelling, such as git prints it. */
export const isPlainPath = (path: string): boolean =>
  !WILDCARD.test(path) && path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');

function* outOfScopeAgainst(what: string, index: number, surface: Surface): Iterable<LintProblem> {
  const path = ['scope', 'outOfScope', index, 'what'];
  const excluded = what.trim();
  const names = [surface.id, surface.title, ...surface.paths].map((name) => name.toLowerCase());
  const isPath = !/\s/.test(excluded) && /[/.*]/.test(excluded);
  const outer = fixedPart(excluded);
  if (
    names.includes(excluded.toLowerCase()) ||
    (isPath && surface.paths.every((inner) => isWithin(fixedPart(inner), outer)))
  ) {
    yield lintError('R-01', path, `takes out what surface \`${surface.id}\` puts in; keep one of the two`);
  } else if (
    isPath &&
    surface.paths.some((inner) => isWithin(outer, fixedPart(inner)) || isWithin(fixedPart(inner), outer))
  ) {
    yield lintWarning('R-01', path, `overlaps surface \`${surface.id}\`; narrow the surface's paths instead`);
  }
}

export const SCOPE_RULES = [
  lintRule(['scope'], function* ({ scope }) {
    for (const [index, { what }] of scope.outOfScope.entries())
      for (const surface of scope.surfaces) yield* outOfScopeAgainst(what, index, surface);
  }),
  // R-08: the records are the one thing that the digest of the sources leaves out, so they hold nothing else.
  lintRule(['records'], function* ({ records }) {
    if (!isPlainPath(records) || isWithin(records, '.git'))
      yield lintError('R-08', ['records'], 'is a directory of its own below the root; write `.gate`');
  }),
  lintRule(['records', 'scope'], function* ({ records, scope }) {
    for (const [at, { id, paths }] of scope.surfaces.entries()) {
      for (const [index, path] of paths.entries()) {
        if (isWithin(fixedPart(path), records) && isPlainPath(records))
          yield lintError(
            'R-08',
            ['scope', 'surfaces', at, 'paths', index],
            `surface \`${id}\` lies in the records, which no digest of the sources covers; move one of them`,
          );
      }
    }
  }),
  lintRule(['base'], function* ({ base }) {
    if (base === null)
      yield lintWarning(
        'R-13',
        ['base'],
        'is not set: everyone who ever committed counts as an author; name the last release',
      );
  }),
];
