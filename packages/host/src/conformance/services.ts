/** The contract of `ServiceManager`. Give it units that may be restarted and stopped. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { ServiceManager } from '../ports.ts';
import { calm, honoursAbort, rejectsWith, type Scope, type SuiteOptions } from './scope.ts';

export interface ServicesSubject {
  readonly services: ServiceManager;
  /** Active when opened, and able to restart. */
  readonly unit: string;
  /** Its process ends with an error whenever it is started. */
  readonly failingUnit: string;
}

export function describeServices(
  name: string,
  open: (scope: Scope) => Promise<ServicesSubject>,
  options: SuiteOptions = {},
): void {
  describe(`ServiceManager: ${name}`, options, () => {
    it('C-01: shows one entry per unit in the order asked, a missing one as not-found', async (t) => {
      const { services, unit } = await open(t);
      const states = await services.show(['no-such-thing.service', unit], calm());
      assert.deepEqual(
        states.map(({ unit, load, active }) => ({ unit, load, active })),
        [
          { unit: 'no-such-thing.service', load: 'not-found', active: 'inactive' },
          { unit, load: 'loaded', active: 'active' },
        ],
      );
    });

    it('shows nothing when asked for nothing', async (t) => {
      const { services } = await open(t);
      assert.deepEqual(await services.show([], calm()), []);
    });

    it('stops a unit and brings it back to active', async (t) => {
      const { services, unit } = await open(t);
      const active = async (): Promise<string | undefined> => (await services.show([unit], calm()))[0]?.active;
      await services.stop(unit, calm());
      assert.equal(await active(), 'inactive');
      await services.restart(unit, calm());
      assert.equal(await active(), 'active');
      await services.restart(unit, calm());
      assert.equal(await active(), 'active');
    });

    it('a restart that fails is an error, and the unit is listed as failed', async (t) => {
      const { services, failingUnit } = await open(t);
      await rejectsWith('ERR_HOST_SERVICE_FAILED', services.restart(failingUnit, calm()));
      assert.ok((await services.listFailed(calm())).includes(failingUnit));
    });

    it('refuses to restart or stop what does not exist', async (t) => {
      const { services } = await open(t);
      await rejectsWith('ERR_HOST_SERVICE_FAILED', services.restart('no-such-thing.service', calm()));
      await rejectsWith('ERR_HOST_SERVICE_FAILED', services.stop('no-such-thing.service', calm()));
    });

    for (const hostile of ['*.service', '--all', 'a b.service', '../x.service', 'x.service\nssh.service', 'ssh', '']) {
      it(`takes ${JSON.stringify(hostile)} for no unit name`, async (t) => {
        const { services } = await open(t);
        await rejectsWith('ERR_INPUT_INVALID', services.show([hostile], calm()));
        await rejectsWith('ERR_INPUT_INVALID', services.restart(hostile, calm()));
        await rejectsWith('ERR_INPUT_INVALID', services.stop(hostile, calm()));
      });
    }

    it('does nothing once the signal is aborted', async (t) => {
      const { services, unit } = await open(t);
      await honoursAbort((signal) => services.show([unit], signal));
      await honoursAbort((signal) => services.listFailed(signal));
      await honoursAbort((signal) => services.stop(unit, signal));
      assert.equal((await services.show([unit], calm()))[0]?.active, 'active');
    });
  });
}
