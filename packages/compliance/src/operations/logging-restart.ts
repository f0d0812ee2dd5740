/**
 * Restarts logging and believes it only when a canary line arrives (C-21). Units that stand still are
 * started; when all run and lines are still lost, all are restarted.
 */
import type { Operation } from '@holdfast/change';
import type { Host } from '@holdfast/host';
import { z } from 'zod';
import { type Baseline, expectationOf } from '../baseline.ts';
import { sendCanary } from '../canary.ts';
import { logging } from '../checks/logging.ts';
import { type ComplianceOperationDeps, requireExpectation } from './deps.ts';
import { activeStateOf, CapturedUnit, revertUnit } from './services-restart.ts';

const Params = z.strictObject({});
const Captured = z.strictObject({ units: z.array(CapturedUnit) });

export function loggingRestart(
  baseline: Baseline | null,
  { randomBytes }: Pick<ComplianceOperationDeps, 'randomBytes'>,
): Operation<z.infer<typeof Params>, z.infer<typeof Captured>> {
  const expectation = () => requireExpectation(baseline, logging);

  const statesOf = (host: Host, signal: AbortSignal): Promise<CapturedUnit[]> =>
    Promise.all(expectation().units.map(async (unit) => ({ unit, active: await activeStateOf(unit, host, signal) })));

  /** A log line is no change of the host: the check writes one every cycle. */
  const arrives = async (host: Host, signal: AbortSignal): Promise<boolean> =>
    (await sendCanary(host, randomBytes, expectation().canaryWithinMs, signal)) !== null;

  const unitsToRestart = async (host: Host, signal: AbortSignal): Promise<CapturedUnit[]> => {
    const states = await statesOf(host, signal);
    const still = states.filter(({ active }) => active !== 'active');
    if (still.length > 0) return still;
    return (await arrives(host, signal)) ? [] : states;
  };

  return {
    name: 'logging.restart',
    params: Params,
    captured: Captured,
    disruptive: false,
    // Also asked for when a change is only to be reverted, with whatever baseline there is then.
    resources: () => [
      'journal',
      ...(expectationOf(baseline, logging)?.units ?? []).map((unit) => `service:${unit}` as const),
    ],

    async capture(_params, host, signal) {
      return { units: await statesOf(host, signal) };
    },

    async plan(_params, host, signal) {
      const units = await unitsToRestart(host, signal);
      return units.map(({ unit, active }) => ({ action: `restart ${unit}`, detail: { active } }));
    },

    async apply(_params, host, signal) {
      for (const { unit } of await unitsToRestart(host, signal)) await host.services.restart(unit, signal);
    },

    async verify(_params, host, signal) {
      const states = await statesOf(host, signal);
      const reasons = states.map(({ unit, active }) => `${unit} is ${active}`);
      const arrived = await arrives(host, signal);
      reasons.push(arrived ? 'a canary line arrived' : 'a canary line did not arrive in time');
      return { ok: arrived && states.every(({ active }) => active === 'active'), reasons };
    },

    async revert({ units }, host, signal) {
      for (const unit of units) await revertUnit(unit, host, signal);
    },
  };
}

type CapturedUnit = z.infer<typeof CapturedUnit>;
