/** Listed units are active, and no unit has failed (C-13). */
import type { Finding } from '@holdfast/evidence';
import type { ServiceState } from '@holdfast/host';
import { z } from 'zod';
import type { Check } from '../check.ts';
import { attempt, fail, pass, unknown } from '../finding.ts';
import { itself, unique, UnitName } from '../values.ts';

export const ServicesExpectation = z.strictObject({
  units: unique(UnitName, 100, itself),
  /** Units that may be in state `failed`; any other that is makes drift. */
  tolerateFailed: unique(UnitName, 100, itself).default([]),
});
export type ServicesExpectation = z.infer<typeof ServicesExpectation>;

export const services: Check<ServicesExpectation> = {
  name: 'services',
  title: 'The units of the baseline are active and no unit has failed',
  expectation: ServicesExpectation,
  timeoutMs: 5_000,

  async run({ units, tolerateFailed }, { host }, signal): Promise<readonly Finding[]> {
    const [shown, failed] = await Promise.all([
      attempt(() => host.services.show(units, signal), signal),
      attempt(() => host.services.listFailed(signal), signal),
    ]);
    const findings: Finding[] = shown.ok
      ? judgeUnits(units, shown.value, 'service', 'high')
      : units.map((unit) => unknown('high', 'service-unreadable', unit, `The unit cannot be read: ${shown.why}`));
    if (!failed.ok) {
      return [
        ...findings,
        unknown('high', 'failed-units-unreadable', 'failed units', `Cannot be listed: ${failed.why}`),
      ];
    }
    const known = new Set([...units, ...tolerateFailed]);
    const others = [...new Set(failed.value)].filter((unit) => !known.has(unit)).toSorted();
    if (others.length === 0) {
      findings.push(
        pass('failed-units-ok', 'failed units', 'No other unit has failed', { observed: [], expected: tolerateFailed }),
      );
    }
    for (const unit of others) {
      findings.push(
        fail('medium', 'unit-failed', unit, `${unit} has failed and is not in the baseline`, {
          observed: 'failed',
          expected: null,
        }),
      );
    }
    return findings;
  },
};

/**
 * One finding per unit, in the order of the baseline: `<prefix>-ok`, `-missing`, `-inactive` or, when
 * the host did not answer for it, `-unreadable`. Only `active` is good: a unit that is still
 * starting, or stopping, is not there yet.
 */
export function judgeUnits(
  units: readonly string[],
  states: readonly ServiceState[],
  prefix: 'service' | 'logging-service',
  severity: 'high' | 'critical',
): Finding[] {
  const byUnit = new Map(states.map((state) => [state.unit, state]));
  return units.map((unit) => {
    const state = byUnit.get(unit);
    if (state === undefined) {
      return unknown(severity, `${prefix}-unreadable`, unit, `The host said nothing about ${unit}`);
    }
    const observed = { load: state.load, active: state.active, sub: state.sub };
    const comparison = { observed, expected: { active: 'active' } };
    if (state.load === 'not-found') {
      return fail(severity, `${prefix}-missing`, unit, `${unit} does not exist`, comparison);
    }
    if (state.active !== 'active') {
      return fail(severity, `${prefix}-inactive`, unit, `${unit} is ${state.active} (${state.sub})`, comparison);
    }
    return pass(`${prefix}-ok`, unit, `${unit} is active`, comparison);
  });
}
