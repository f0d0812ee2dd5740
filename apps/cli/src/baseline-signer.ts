/** The key that hosts pinned for baselines, and with them for the modules of custom checks. */
import { existsSync } from 'node:fs';
import { HoldfastError } from '@holdfast/core';
import { loadSigner, type Signer } from '@holdfast/crypto';
import { baselineKeyPath } from './server-state.ts';

export interface BaselineSignerOptions {
  /** Instead of that of the control plane on this machine. */
  readonly key?: string | undefined;
  readonly state: string;
}

/** @throws `ERR_INPUT_INVALID`, `ERR_KEY_INVALID` */
export function loadBaselineSigner({ key, state }: BaselineSignerOptions): Signer {
  const file = key ?? baselineKeyPath(state);
  if (existsSync(file)) return loadSigner(file);
  throw new HoldfastError('there is no key here: say where with --key, or where the control plane is with --state', {
    code: 'ERR_INPUT_INVALID',
    fields: { file },
  });
}
