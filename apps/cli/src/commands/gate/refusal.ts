/** How a rule's refusal is told: the rule, what is missing, and what to do next. Nothing was recorded. */
import { HoldfastError } from '@holdfast/core';
import type { Refusal } from '@holdfast/gate';

/** @param next what whoever reads it does now; a command where there is one */
export function refused(what: string, refusals: readonly Refusal[], next: string): HoldfastError {
  const [first] = refusals;
  const told = refusals.map(({ rule, reason }) => `\n    ${rule}  ${reason}`).join('');
  return new HoldfastError(what, {
    code: 'ERR_GATE_RULE',
    fields: {
      rule: [...new Set(refusals.map(({ rule }) => rule))].join(', '),
      reason: refusals.length === 1 ? (first?.reason ?? '') : told,
      next,
    },
  });
}
