/**
 * One pass of recovery without serving: what a watchdog outside of the daemon, or the boot before
 * the network, runs (P-15). Interrupted changes end, and changes that wait for a confirmation nobody
 * can give are reverted.
 */
import { hasCode } from '@holdfast/core';
import type { GuardConfig } from './guard-config.ts';
import { type GuardStartDeps, openGuardCore } from './guard-core.ts';

export interface GuardRecovery {
  /** `guard-running`: nothing was touched; the guard that runs takes care of its changes itself. */
  readonly outcome: 'recovered' | 'guard-running';
  /** Changes that were reverted because nobody could confirm them. */
  readonly reverted: readonly string[];
  readonly frozen: boolean;
}

/** @throws what `openGuardCore` throws, but for `ERR_GUARD_ALREADY_RUNNING` */
export async function recoverGuard(
  config: GuardConfig,
  deps: GuardStartDeps,
  signal: AbortSignal,
): Promise<GuardRecovery> {
  try {
    await using core = await openGuardCore(config, deps, signal);
    const waiting = (await core.engine.list(1)).filter(({ state }) => state === 'awaiting-confirmation');
    const reverted: string[] = [];
    for (const { changeId } of waiting) {
      try {
        await core.engine.revert(changeId);
        reverted.push(changeId);
      } catch (error) {
        if (!hasCode(error, 'ERR_CHANGE_STATE')) throw error; // its time ran out meanwhile: it reverted by itself
      }
    }
    await core.engine.whenIdle();
    return { outcome: 'recovered', reverted, frozen: core.engine.frozen };
  } catch (error) {
    if (hasCode(error, 'ERR_GUARD_ALREADY_RUNNING')) return { outcome: 'guard-running', reverted: [], frozen: false };
    throw error;
  }
}
