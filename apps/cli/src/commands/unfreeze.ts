/** `holdfast unfreeze`: root of this host says that what froze it was dealt with, and how (G-19, G-21). */
import { hostPaths, UnfreezeReasonSchema } from '@holdfast/api';
import { HoldfastError } from '@holdfast/core';
import { connectGuard } from '@holdfast/guard';
import type { RootOption } from '../host-wiring.ts';
import type { CommandResult } from '../output.ts';

interface UnfreezeOptions extends RootOption {
  readonly reason: string;
}

export async function unfreeze({ root, reason }: UnfreezeOptions, signal: AbortSignal): Promise<CommandResult> {
  if (!UnfreezeReasonSchema.safeParse(reason).success) {
    throw new HoldfastError('the reason needs 20 to 1,000 characters: it is kept in evidence', {
      code: 'ERR_INPUT_INVALID',
    });
  }
  using guard = connectGuard(hostPaths(root).socket, signal);
  const unfrozen = await guard.unfreeze(reason);
  const count = unfrozen.changes.length;
  return {
    data: unfrozen,
    text: `the host is free again; ${count} change(s) had frozen it; evidence ${unfrozen.bundleId}`,
  };
}
