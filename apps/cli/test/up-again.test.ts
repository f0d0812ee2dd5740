/** `holdfast up` killed with everything it started, and started again on the same state (T-29, C-44). */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { needs, temporaryDirectory } from '@holdfast/testing';
import { stateDirectory, Up } from './up-process.ts';

/** Live processes that name the state directory in their arguments. */
function processesOf(state: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(state);
      } catch {
        return false; // it ended while we looked
      }
    });
}

const kinds = [
  ['simulated hosts', ['--simulated'], needs('embedded-postgres')],
  ['lab hosts', [], needs('embedded-postgres', 'lab-hosts')],
] as const;

for (const [name, more, options] of kinds) {
  describe(`holdfast up --demo with ${name}`, options, () => {
    it('T-29, C-44: killed whole, it starts again on the same state, and leaves nothing behind', async (t) => {
      const state = stateDirectory(t);
      const first = new Up(t, state, ...more);
      await first.enrolled();
      const before = processesOf(state);
      assert.ok(before.length >= 2, 'it and its database');
      await first.killGroup();

      const second = new Up(t, state, ...more);
      await second.enrolled();
      assert.deepEqual(
        processesOf(state).filter((pid) => before.includes(pid)),
        [],
        'whoever the first had started is gone',
      );
      assert.equal(await second.interrupt(), 0);
      assert.deepEqual(processesOf(state), []);
    });
  });
}

describe('holdfast up --demo', needs('embedded-postgres'), () => {
  it('T-29: a second one on the state of one that runs is refused, and the first goes on', async (t) => {
    const state = stateDirectory(t);
    const first = new Up(t, state, '--simulated');
    await first.enrolled();
    const second = new Up(t, state, '--simulated');
    assert.notEqual(await second.ended(), 0);
    assert.match(second.stderr, /ERR_STORE_ALREADY_RUNNING/);
    assert.ok(first.isRunning);
    assert.ok(existsSync(join(state, 'server/postgres/data/PG_VERSION')));
    assert.equal(await first.interrupt(), 0);
  });

  it('C-44: a state directory whose name a lab cannot have is refused before anything is made in it', async (t) => {
    const directory = temporaryDirectory(t);
    const state = join(directory, 'my state');
    mkdirSync(state);
    const up = new Up(t, state, '--simulated');
    assert.equal(await up.ended(), 65);
    assert.match(up.stderr, /no spaces \[ERR_LAB_INPUT\]/);
    assert.deepEqual(readdirSync(state), []);
  });
});
