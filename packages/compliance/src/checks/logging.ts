/** Logging services are active, and a line written now arrives where logs end up (C-10). */
import type { Finding } from '@holdfast/evidence';
import { z } from 'zod';
import { sendCanary } from '../canary.ts';
import type { Check } from '../check.ts';
import { attempt, fail, pass, unknown } from '../finding.ts';
import { itself, unique, UnitName } from '../values.ts';
import { judgeUnits } from './services.ts';

const SUBJECT = 'canary';

export const LoggingExpectation = z.strictObject({
  units: unique(UnitName, 20, itself),
  /** Where lines must arrive. */
  sink: z.enum(['journal']).default('journal'),
  /** How long a line may take; less than the time this check has. */
  canaryWithinMs: z.int().min(100).max(8_000).default(5_000),
});
export type LoggingExpectation = z.infer<typeof LoggingExpectation>;

export const logging: Check<LoggingExpectation> = {
  name: 'logging',
  title: 'Logging services are active and a canary line arrives at the sink in time',
  expectation: LoggingExpectation,
  timeoutMs: 10_000,

  async run({ units, sink, canaryWithinMs }, { host, randomBytes }, signal): Promise<readonly Finding[]> {
    const [shown, arrived] = await Promise.all([
      attempt(() => host.services.show(units, signal), signal),
      attempt(() => sendCanary(host, randomBytes, canaryWithinMs, signal), signal),
    ]);
    const findings: Finding[] = shown.ok
      ? judgeUnits(units, shown.value, 'logging-service', 'high')
      : units.map((unit) => unknown('high', 'logging-service-unreadable', unit, `Cannot be read: ${shown.why}`));

    // The time it took stays out of `observed`: an unchanged host has unchanged findings (C-16).
    const expected = { sink, arrivesWithinMs: canaryWithinMs };
    if (!arrived.ok) {
      findings.push(
        unknown('medium', 'canary-unreadable', SUBJECT, `The canary cannot be sent or looked for: ${arrived.why}`),
      );
    } else if (arrived.value === null) {
      const message = `A line written ${canaryWithinMs} ms ago has not arrived at the ${sink}`;
      findings.push(fail('medium', 'canary-lost', SUBJECT, message, { observed: { arrived: false }, expected }));
    } else {
      findings.push(pass('canary-ok', SUBJECT, 'The canary arrived', { observed: { arrived: true }, expected }));
    }
    return findings;
  },
};
