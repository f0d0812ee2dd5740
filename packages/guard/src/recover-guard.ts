/**
 * One pass of recovery without serving: what a watchdog outside of the daemon, or the boot before
 * the network, runs (P-15). Interrupted changes end. Of the changes that wait for a confirmation,
 * those are reverted whose time is over or that belong to an earlier boot; the others are left to the
 * guard, which may be just about to start again and can still take their confirmation.
 */
import type { ChangeRecord } from '@holdfast/change';
import { hasCode } from '@holdfast/core';
import type { GuardConfig } from './guard-config.ts';
import { type GuardStartDeps, openGuardCore } from './guard-core.ts';

export interface GuardRecovery {
  /** `guard-running`: nothing was touched; the guard that runs takes care of its changes itself. */
  readonly outcome: 'recovered' | 'guard-running';
  /** Changes that were reverted, because they were interrupted or not confirmed in time. */
  readonly reverted: readonly string[];
  /** Changes that can still be confirmed, once a guard runs. */
  readonly waiting: readonly string[];
  readonly frozen: boolean;
}

const idsOf = (records: readonly ChangeRecord[]): string[] => records.map(({ changeId }) => changeId);

/** @throws what `openGuardCore` throws, but for `ERR_GUARD_ALREADY_RUNNING` */
export async function recoverGuard(
  config: GuardConfig,
  deps: GuardStartDeps,
  signal: AbortSignal,
): Promise<GuardRecovery> {
  try {
    await using core = await openGuardCore(config, deps, signal);
    await core.engine.whenIdle();
    return {
      outcome: 'recovered',
      reverted: idsOf(core.recovered.filter(({ outcome }) => outcome === 'reverted')),
      waiting: idsOf((await core.engine.list(1)).filter(({ state }) => state === 'awaiting-confirmation')),
      frozen: core.engine.frozen,
    };
  } catch (error) {
    if (hasCode(error, 'ERR_GUARD_ALREADY_RUNNING')) {
      return { outcome: 'guard-running', reverted: [], waiting: [], frozen: false };
    }
    throw error;
  }
}
