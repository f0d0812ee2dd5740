import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HELLO, openTestRunner, taskOf } from './wat-task.ts';

const signal = new AbortController().signal;

describe('wasm runner', () => {
  it('X-15: runs tasks of one tenant one after the other in one process', async (t) => {
    const runner = openTestRunner(t);
    for (let n = 0; n < 3; n++) {
      const result = await runner.run(taskOf(HELLO), signal);
      assert.deepEqual([result.exitCode, result.error, Buffer.from(result.stdout).toString()], [0, null, 'hello\n']);
    }
    assert.equal(runner.statistics().tasks, 3);
  });
});
