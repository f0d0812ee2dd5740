/** Has the guard seal what the checks saw, good or bad (C-06, P-26): clean cycles leave evidence too. */
import type { CheckReport } from '@holdfast/api';
import { type Clock, formatUuidV7 } from '@holdfast/core';
import type { CheckResult } from '@holdfast/compliance';
import type { HealthRegistry } from './health.ts';
import type { GuardPort, RandomBytes } from './ports.ts';

export interface SealerDeps {
  readonly guard: Pick<GuardPort, 'seal'>;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly health: HealthRegistry;
}

const instant = (wallMs: number): string => new Date(wallMs).toISOString();

/** @returns the id of the sealed bundle */
export async function sealResult(
  result: CheckResult,
  remediationId: string | null,
  { guard, clock, random, health }: SealerDeps,
  signal: AbortSignal,
): Promise<string> {
  const { status, offsetMs } = health.clockJudgement;
  const report: CheckReport = {
    bundleId: formatUuidV7(clock.wallMs(), random(10)),
    check: result.check,
    started: instant(result.startedMs),
    ended: instant(result.endedMs),
    severity: result.severity,
    outcome: result.status,
    findings: [...result.findings],
    // The same JSON; the schema's type has arrays that may be written to.
    observed: result.observed as CheckReport['observed'],
    clock: {
      status,
      offsetMs: offsetMs === null ? { unknown: 'too few time sources answered' } : { value: offsetMs },
    },
    remediationId,
  };
  const { bundleId } = await guard.seal(report, signal);
  health.count('evidenceGenerated');
  return bundleId;
}
