/** What a guest writes is told while it runs, and is there when it is killed. */
import { DEFAULT_RUN_LIMITS } from '@holdfast/wasm';
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { HELLO, openTestHost, openTestRunner, taskOf } from './wat-task.ts';

const signal = new AbortController().signal;
const host = await openTestHost();
after(() => host[Symbol.asyncDispose]());

/** Writes `hello` and a line end to standard output, `count` times, and one byte to standard error after each. */
const chatty = (count: number, then = ''): string => `(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\\10\\00\\00\\00\\06\\00\\00\\00\\10\\00\\00\\00\\01\\00\\00\\00hello\\n")
  (func (export "_start") (local $n i32)
    (loop $next
      (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 40)))
      (drop (call $write (i32.const 2) (i32.const 8) (i32.const 1) (i32.const 40)))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $n) (i32.const ${count}))))
    ${then}))`;
const FOR_EVER = '(loop $l (br $l))';
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

/** What was told, in its order, and the streams apart. */
function listen() {
  const told: { stream: string; text: string }[] = [];
  const of = (name: string): string =>
    told
      .filter(({ stream }) => stream === name)
      .map((piece) => piece.text)
      .join('');
  return { told, of, onOutput: (stream: string, bytes: Uint8Array) => void told.push({ stream, text: text(bytes) }) };
}

describe('output of a guest', () => {
  it('X-09: is told while the guest runs', async (t) => {
    const runner = openTestRunner(t, {}, host);
    const stop = new AbortController();
    const seen = Promise.withResolvers<string>();
    const runLimits = { ...DEFAULT_RUN_LIMITS, fuel: 1n << 62n };
    const run = runner.run(taskOf(chatty(1, FOR_EVER), { runLimits, deadlineMs: 60_000 }), stop.signal, (_, bytes) =>
      seen.resolve(text(bytes)),
    );
    run.catch(() => undefined); // looked at below
    assert.equal(await seen.promise, 'hello\n');
    stop.abort(new Error('seen'));
    await assert.rejects(run, /seen/);
  });

  it('X-13: written before the deadline, it is in the result', async (t) => {
    const { of, onOutput } = listen();
    const runLimits = { ...DEFAULT_RUN_LIMITS, fuel: 1n << 62n };
    const task = taskOf(chatty(2, FOR_EVER), { runLimits, deadlineMs: 300 });
    const result = await openTestRunner(t, {}, host).run(task, signal, onOutput);
    assert.equal(result.error?.code, 'ERR_WASM_DEADLINE');
    assert.deepEqual([text(result.stdout), text(result.stderr)], ['hello\nhello\n', 'hh']);
    assert.deepEqual([of('stdout'), of('stderr')], ['hello\nhello\n', 'hh']);
    assert.equal(result.truncated, false);
  });

  for (const count of [1, 499, 501, 20_000]) {
    it(`X-07: what is told of ${count} writes to each stream is what the result holds, in its order`, async (t) => {
      const { told, of, onOutput } = listen();
      const result = await openTestRunner(t, {}, host).run(taskOf(chatty(count)), signal, onOutput);
      assert.equal(text(result.stdout), 'hello\n'.repeat(count));
      assert.equal(text(result.stderr), 'h'.repeat(count));
      assert.deepEqual([of('stdout'), of('stderr')], [text(result.stdout), text(result.stderr)]);
      assert.equal(told.map((piece) => piece.text).join(''), 'hello\nh'.repeat(count), 'one after the other');
    });
  }

  it('X-12: the cap holds for what is told as well', async (t) => {
    const { of, onOutput } = listen();
    const runLimits = { ...DEFAULT_RUN_LIMITS, outputBytes: 8 };
    const result = await openTestRunner(t, {}, host).run(taskOf(chatty(5), { runLimits }), signal, onOutput);
    assert.deepEqual([text(result.stdout), of('stdout'), result.truncated], ['hello\nhe', 'hello\nhe', true]);
    const ended = await openTestRunner(t, {}, host).run(
      taskOf(chatty(5), { runLimits: { ...runLimits, onOutputLimit: 'end' } }),
      signal,
    );
    assert.deepEqual([text(ended.stdout), ended.error?.code], ['hello\nhe', 'ERR_WASM_OUTPUT']);
  });

  it('X-16: a listener changes nothing of the result', async (t) => {
    const runner = openTestRunner(t, {}, host);
    const task = taskOf(chatty(50), { hashMemory: true });
    const [alone, heard] = [await runner.run(task, signal), await runner.run(task, signal, () => undefined)];
    assert.deepEqual(
      [heard.stdout, heard.stderr, heard.fuelLeft, heard.memorySha256, heard.usage.io],
      [alone.stdout, alone.stderr, alone.fuelLeft, alone.memorySha256, alone.usage.io],
    );
  });

  it('X-15: describes a module without running it', async (t) => {
    const runner = openTestRunner(t, {}, host);
    const { tenant, module, moduleLimits, deadlineMs } = taskOf(HELLO);
    const inspect = (bytes: Uint8Array) => runner.inspect({ tenant, module: bytes, moduleLimits, deadlineMs }, signal);
    const { imports, exports, memory, hasStartSection } = await inspect(module);
    assert.deepEqual(imports, [{ module: 'wasi_snapshot_preview1', name: 'fd_write' }]);
    assert.deepEqual(
      exports.map(({ name, kind }) => `${kind} ${name}`),
      ['memory memory', 'function _start'],
    );
    assert.deepEqual([memory?.initialPages, hasStartSection], [1, false]);
    await assert.rejects(inspect(Buffer.from('no module')), { code: 'ERR_WASM_MALFORMED' });
    const moved = await inspect(taskOf('(module (func (export "\\1b[2J")))').module);
    assert.equal(moved.exports[0]?.name, '?[2J', 'nothing that moves a cursor');
  });
});
