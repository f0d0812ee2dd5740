/** Units that start and stop at once. */
import { HoldfastError } from '@holdfast/core';
import { parseUnitName, type ServiceManager, type ServiceState } from '@holdfast/host';

import type { SimulatedState, SimulatedUnit } from './state.ts';
import type { StateFile } from './state-file.ts';

export class SimulatedServices implements ServiceManager {
  readonly #state: StateFile;

  constructor(state: StateFile) {
    this.#state = state;
  }

  async show(units: readonly string[], signal: AbortSignal): Promise<ServiceState[]> {
    signal.throwIfAborted();
    const state = this.#state.read();
    return units.map((unit) => {
      const found = findUnit(state, parseUnitName(unit));
      if (found === undefined) return { unit, load: 'not-found', active: 'inactive', sub: 'dead', enabled: '' };
      const { load, active, sub, enabled } = found;
      return { unit, load, active, sub, enabled };
    });
  }

  async listFailed(signal: AbortSignal): Promise<string[]> {
    signal.throwIfAborted();
    return Object.entries(this.#state.read().units)
      .filter(([, { active }]) => active === 'failed')
      .map(([unit]) => unit)
      .toSorted();
  }

  async restart(unit: string, signal: AbortSignal): Promise<void> {
    const started = this.#change(unit, signal, (found) =>
      found.startFails
        ? { ...found, active: 'failed', sub: 'failed' }
        : { ...found, active: 'active', sub: found.subWhenActive },
    );
    if (started.active !== 'active') throw failed(unit);
  }

  async stop(unit: string, signal: AbortSignal): Promise<void> {
    this.#change(unit, signal, (found) => ({ ...found, active: 'inactive', sub: 'dead' }));
  }

  #change(unit: string, signal: AbortSignal, change: (found: SimulatedUnit) => SimulatedUnit): SimulatedUnit {
    signal.throwIfAborted();
    parseUnitName(unit);
    const after = this.#state.update((state) => {
      const found = findUnit(state, unit);
      if (found?.load !== 'loaded') throw failed(unit);
      return { ...state, units: { ...state.units, [unit]: change(found) } };
    });
    return after.units[unit] as SimulatedUnit; // it has just been put there
  }
}

const findUnit = (state: SimulatedState, unit: string): SimulatedUnit | undefined =>
  Object.hasOwn(state.units, unit) ? state.units[unit] : undefined;

const failed = (unit: string): HoldfastError =>
  new HoldfastError('the simulated unit did not do so', { code: 'ERR_HOST_SERVICE_FAILED', fields: { unit } });
