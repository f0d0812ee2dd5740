/** Whether an SPDX expression (SPDX 2.3, Annex D) is allowed: one side of an OR suffices, all of an AND are needed. */
import parseExpression from 'spdx-expression-parse';
import type { DependencyPolicy } from './dependency-policy.ts';

export type LicenceVerdict = 'allowed' | 'not-allowed' | 'unknown';

export function judgeLicence(expression: string | null, policy: DependencyPolicy['licences']): LicenceVerdict {
  if (expression === null) return 'unknown';
  try {
    return isAllowed(parseExpression(expression), policy) ? 'allowed' : 'not-allowed';
  } catch {
    // `SEE LICENSE IN …`, `UNLICENSED` and free text are no expressions: somebody has to read them.
    return 'unknown';
  }
}

function isAllowed(term: parseExpression.Info, policy: DependencyPolicy['licences']): boolean {
  if ('conjunction' in term) {
    const sides = [term.left, term.right];
    return term.conjunction === 'and'
      ? sides.every((side) => isAllowed(side, policy))
      : sides.some((side) => isAllowed(side, policy));
  }
  const plus = term.plus === true ? '+' : '';
  // `+` lets one choose the version that is allowed; an exception only adds permissions.
  const names = [`${term.license}${plus}`, term.license];
  const spelled = term.exception === undefined ? names : [`${term.license}${plus} WITH ${term.exception}`, ...names];
  return !spelled.some((name) => policy.deny.includes(name)) && spelled.some((name) => policy.allow.includes(name));
}
