import { HoldfastError } from '@holdfast/core';
import { plainRunnerHost, type RunnerHost } from '@holdfast/wasm-runner';
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MAX_CHECK_MEMORY_BYTES } from './check-limits.ts';
import { openCustomCheckRunner } from './custom-check-runner.ts';

const signal = new AbortController().signal;
/** `(module (func (export "_start")))` */
const NOTHING = Buffer.from('0061736d0100000001040160000003020100070a01065f737461727400000a040102000b', 'hex');
const TASK = {
  module: NOTHING,
  stdin: new Uint8Array(),
  fuel: 1_000n,
  memoryBytes: MAX_CHECK_MEMORY_BYTES,
  deadlineMs: 10_000,
  outputBytes: 100,
};
const gone = (): never => {
  throw new HoldfastError('the spawner ended', { code: 'ERR_SANDBOX_SPAWNER_GONE' });
};

/** Hosts of one spawner after the other; `restart` ends the one there is, with everything it started. */
function restartingSpawner() {
  const plain = plainRunnerHost(MAX_CHECK_MEMORY_BYTES);
  let kill: (() => void) | undefined;
  const counts = { opened: 0, closed: 0 };
  return {
    counts,
    restart: () => kill?.(),
    async open(): Promise<RunnerHost & AsyncDisposable> {
      counts.opened += 1;
      const kills: (() => void)[] = [];
      let isGone = false;
      kill = () => {
        isGone = true;
        for (const end of kills) end();
      };
      return {
        ...plain,
        async start(startSignal) {
          if (isGone) gone();
          const child = await plain.start(startSignal);
          kills.push(() => child.kill());
          return child;
        },
        [Symbol.asyncDispose]: async () => void (counts.closed += 1),
      };
    },
  };
}

describe('runner of custom checks', () => {
  it('C-14: goes on after the spawner was restarted', async () => {
    const spawner = restartingSpawner();
    {
      await using runner = openCustomCheckRunner(() => spawner.open());
      assert.equal((await runner.run(TASK, signal)).exitCode, 0);
      spawner.restart();
      assert.equal((await runner.run(TASK, signal)).exitCode, 0);
      assert.deepEqual(spawner.counts, { opened: 2, closed: 1 });
    }
    assert.deepEqual(spawner.counts, { opened: 2, closed: 2 });
  });

  it('C-14: without a spawner says so, and asks again the next time', async () => {
    const spawner = restartingSpawner();
    let isThere = false;
    await using runner = openCustomCheckRunner(async () => (isThere ? spawner.open() : gone()));
    await assert.rejects(runner.run(TASK, signal), { code: 'ERR_SANDBOX_SPAWNER_GONE' });
    isThere = true;
    assert.equal((await runner.run(TASK, signal)).exitCode, 0);
  });

  it('C-14: a module that is refused is not tried again', async () => {
    const spawner = restartingSpawner();
    await using runner = openCustomCheckRunner(() => spawner.open());
    await assert.rejects(runner.run({ ...TASK, module: Buffer.from('no module') }, signal), {
      code: 'ERR_WASM_MALFORMED',
    });
    assert.equal(spawner.counts.opened, 1);
  });
});
