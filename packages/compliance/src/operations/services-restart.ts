/**
 * Brings a unit of the baseline back to active (C-23). A unit that is active is left alone, so nothing
 * that works is interrupted; revert stops a unit that did not run before.
 */
import type { Operation } from '@holdfast/change';
import type { Host } from '@holdfast/host';
import { z } from 'zod';
import type { Baseline } from '../baseline.ts';
import { services } from '../checks/services.ts';
import { UnitName } from '../values.ts';
import { notInBaseline, requireExpectation } from './deps.ts';

const Params = z.strictObject({ unit: UnitName });
/** One unit as it was. */
export const CapturedUnit = z.strictObject({ unit: UnitName, active: z.string() });
type CapturedUnit = z.infer<typeof CapturedUnit>;

export function servicesRestart(baseline: Baseline | null): Operation<z.infer<typeof Params>, CapturedUnit> {
  const known = (unit: string): string => {
    if (!requireExpectation(baseline, services).units.includes(unit)) throw notInBaseline('this unit');
    return unit;
  };
  return {
    name: 'services.restart',
    params: Params,
    captured: CapturedUnit,
    disruptive: false,
    resources: ({ unit }) => [`service:${unit}`],

    async capture({ unit }, host, signal) {
      return { unit: known(unit), active: await activeStateOf(unit, host, signal) };
    },

    async plan({ unit }, host, signal) {
      const active = await activeStateOf(known(unit), host, signal);
      return active === 'active' ? [] : [{ action: `restart ${unit}`, detail: { active } }]; // P-16
    },

    async apply({ unit }, host, signal) {
      if ((await activeStateOf(known(unit), host, signal)) !== 'active') await host.services.restart(unit, signal);
    },

    async verify({ unit }, host, signal) {
      const active = await activeStateOf(known(unit), host, signal);
      return { ok: active === 'active', reasons: [`${unit} is ${active}`] };
    },

    revert: (captured, host, signal) => revertUnit(captured, host, signal),
  };
}

/** `ActiveState` of a unit; `missing` when there is no such unit. */
export async function activeStateOf(unit: string, host: Host, signal: AbortSignal): Promise<string> {
  const [state] = await host.services.show([unit], signal);
  if (state === undefined) return 'unknown';
  return state.load === 'not-found' ? 'missing' : state.active;
}

/**
 * Makes a unit run again if it ran, and stand still if it did not. `failed` comes back as stopped:
 * a failure is no state to bring about.
 */
export async function revertUnit({ unit, active }: CapturedUnit, host: Host, signal: AbortSignal): Promise<void> {
  const ran = active === 'active' || active === 'reloading' || active === 'activating';
  const now = await activeStateOf(unit, host, signal);
  if (ran && now !== 'active') await host.services.restart(unit, signal);
  if (!ran && (now === 'active' || now === 'activating' || now === 'reloading')) {
    await host.services.stop(unit, signal);
  }
}
