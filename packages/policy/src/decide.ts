/**
 * The decision (G-15): what a policy says to one request. Pure and total: whatever is asked, the
 * answer is an effect with reasons, and where nothing speaks for the request it is `deny`.
 */
import { isInsideWindow, type JsonObject } from '@holdfast/core';
import { type CompiledRule, namesOf, type Policy } from './compiled-policy.ts';
import { areaOf, matchesOperation } from './operation-pattern.ts';
import type { Effect, ReadName } from './policy-schema.ts';
import type { Caller } from './principal.ts';

export interface PolicyRequest {
  readonly caller: Caller;
  readonly operation: string;
  readonly params: JsonObject;
}

export interface Decision {
  readonly effect: Effect;
  /** The rule that decided; `null` when none matched. */
  readonly rule: string | null;
  /** For the audit log and evidence, never for a refused caller (G-04). At least one. */
  readonly reasons: readonly string[];
}

/** The stricter wins: an explicit deny over everything, waiting for approval over allow. */
const STRICTNESS: Record<Effect, number> = { deny: 2, 'needs-approval': 1, allow: 0 };

const REFUSED_WITHOUT_POLICY: Decision = { effect: 'deny', rule: null, reasons: ['no policy is loaded'] };

/** @param policy `null` when there is none: everything is denied */
export function decide(policy: Policy | null, request: PolicyRequest): Decision {
  if (policy === null) return REFUSED_WITHOUT_POLICY; // G-15
  const names = namesOf(policy, request.caller);
  if (names.length === 0) {
    return { effect: 'deny', rule: null, reasons: ['the policy knows no such principal'] };
  }
  const area = `${areaOf(request.operation)}.*`;
  let best: CompiledRule | undefined;
  let looked = 0;
  for (const name of names) {
    const index = policy.rulesOf.get(name);
    for (const rules of [index?.get(request.operation), index?.get(area)]) {
      for (const rule of rules ?? []) {
        looked += 1;
        if (best !== undefined && STRICTNESS[rule.effect] <= STRICTNESS[best.effect]) continue;
        if (rule.applies(request.params)) best = rule;
      }
    }
  }
  if (best !== undefined)
    return { effect: best.effect, rule: best.name, reasons: [`rule ${best.name} says ${best.effect}`] };
  const reason = looked === 0 ? 'no rule names this operation for this principal' : 'no rule allows these parameters';
  return { effect: 'deny', rule: null, reasons: [reason] };
}

/** Whether the caller may use one of the reads (G-02). */
export function decideRead(policy: Policy | null, caller: Caller, read: ReadName): Decision {
  if (policy === null) return REFUSED_WITHOUT_POLICY;
  const granted = namesOf(policy, caller).some((name) => policy.readsOf.get(name)?.has(read) === true);
  return granted
    ? { effect: 'allow', rule: null, reasons: [`reads grant ${read}`] }
    : { effect: 'deny', rule: null, reasons: [`no grant of ${read} for this principal`] };
}

/** Whether a disruptive operation may run now: some window that opens it is open. No window, never. */
export function isDisruptionAllowed(policy: Policy | null, operation: string, wallMs: number): boolean {
  if (policy === null) return false;
  return policy.windows.some(
    ({ window, operations }) =>
      (operations === null || operations.some((pattern) => matchesOperation(pattern, operation))) &&
      isInsideWindow(window, wallMs),
  );
}
