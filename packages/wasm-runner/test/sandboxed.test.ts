/** the same runner, each process behind every layer of the process sandbox. */
import { SANDBOX_LAYERS } from '@holdfast/policy';
import { openSandbox } from '@holdfast/sandbox';
import { DEFAULT_RUN_LIMITS } from '@holdfast/wasm';
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { DEFAULT_WASM_RUNNER_OPTIONS, openWasmRunner, sandboxRunnerHost } from '../src/index.ts';
import { HELLO, needsWall, taskOf, testClock } from './wat-task.ts';

it('X-15: runs, and kills at the deadline, behind every layer', needsWall, async (t) => {
  const signal = new AbortController().signal;
  const sandbox = await openSandbox();
  t.after(() => sandbox[Symbol.asyncDispose]());
  const options = { ...DEFAULT_WASM_RUNNER_OPTIONS, maxProcesses: 2, warmProcesses: 1 };
  const { maxMemoryBytes } = options;
  const host = await sandboxRunnerHost(sandbox, { maxMemoryBytes, warmSlots: 1, user: 'nobody' }, signal);
  const runner = openWasmRunner({ host, clock: testClock }, options);
  t.after(() => runner[Symbol.asyncDispose]());

  const hello = await runner.run(taskOf(HELLO), signal);
  assert.equal(Buffer.from(hello.stdout).toString(), 'hello\n');
  assert.deepEqual(hello.layers, SANDBOX_LAYERS);

  const runLimits = { ...DEFAULT_RUN_LIMITS, fuel: 1n << 62n };
  const loop = taskOf('(module (func (export "_start") (loop $l (br $l))))', { runLimits, deadlineMs: 300 });
  assert.equal((await runner.run(loop, signal)).error?.code, 'ERR_WASM_DEADLINE');
  assert.equal((await runner.run(taskOf(HELLO), signal)).exitCode, 0, 'in a fresh process');
});
