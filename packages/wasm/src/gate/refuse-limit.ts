/** The one way a static cap is reported. */
import { HoldfastError } from '@holdfast/core';
import type { ModuleLimits } from '../limits.ts';

/** @throws `ERR_WASM_LIMIT` always */
export function refuseLimit(limit: keyof ModuleLimits, max: number, found: number): never {
  throw new HoldfastError(`the module has ${limit} ${found}, allowed are ${max}`, {
    code: 'ERR_WASM_LIMIT',
    fields: { limit, max, found },
  });
}
