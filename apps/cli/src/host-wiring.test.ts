import assert from 'node:assert/strict';
import { it } from 'node:test';
import { bootId } from '@holdfast/host-linux';
import { needs } from '@holdfast/testing';
import { currentBootId } from './host-wiring.ts';

it('P-09, P-15: the boot is the one that systemd counts, or else the kernel’s', needs('linux'), () => {
  const given = currentBootId({ HOLDFAST_BOOT_ID: '58c94594b1b44dbeb3ec4a7385651f42' });
  assert.equal(given, '58c94594-b1b4-4dbe-b3ec-4a7385651f42');
  for (const value of [undefined, '', '%b', '58c94594b1b44dbeb3ec4a7385651f4', '58C94594B1B44DBEB3EC4A7385651F42']) {
    assert.equal(currentBootId({ HOLDFAST_BOOT_ID: value }), bootId());
  }
});
