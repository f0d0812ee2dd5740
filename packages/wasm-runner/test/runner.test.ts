/** who gets which process, and what becomes of one that misbehaved. */
import { DEFAULT_RUN_LIMITS } from '@holdfast/wasm';
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RunnerHost } from '../src/index.ts';
import { DEFAULT_WASM_RUNNER_OPTIONS, openWasmRunner } from '../src/index.ts';
import { encodeFrame, encodeOutput, encodeParts } from '../src/protocol/frames.ts';
import { HELLO, openTestRunner, taskOf, testClock } from './wat-task.ts';

const signal = new AbortController().signal;
const TRAP = '(module (func (export "_start") unreachable))';
const EXACT = { maxProcesses: 4, warmProcesses: 0 };

/** A process that says it is ready, and then `answer` to whatever it is asked. */
function lyingHost(answer: Uint8Array): RunnerHost {
  return {
    layers: [],
    async start() {
      const gone = Promise.withResolvers<void>();
      const asked = Promise.withResolvers<void>();
      return {
        write: async () => asked.resolve(),
        stdout: (async function* () {
          yield encodeFrame(encodeParts({ message: { type: 'ready' } }, []));
          await Promise.race([asked.promise, gone.promise]);
          yield answer;
          await gone.promise;
        })(),
        kill: () => gone.resolve(),
        ended: gone.promise,
      };
    },
  };
}

const frame = (header: object, blobs: Uint8Array[] = []): Uint8Array => encodeFrame(encodeParts(header, blobs));

describe('wasm runner', () => {
  it('X-15: runs tasks of one tenant one after the other in one process', async (t) => {
    const runner = openTestRunner(t, EXACT);
    for (let n = 0; n < 3; n++) {
      const result = await runner.run(taskOf(HELLO), signal);
      assert.deepEqual([result.exitCode, result.error, Buffer.from(result.stdout).toString()], [0, null, 'hello\n']);
    }
    assert.deepEqual([runner.statistics().tasks, runner.statistics().started], [3, 1]);
  });

  it('X-15: a process for each tenant, no more than there are tenants', async (t) => {
    const runner = openTestRunner(t, EXACT);
    const tenants = ['a', 'b', 'c', 'd'];
    const all = await Promise.all(tenants.map((tenant) => runner.run(taskOf(HELLO, { tenant }), signal)));
    assert.deepEqual(
      all.map(({ exitCode }) => exitCode),
      [0, 0, 0, 0],
    );
    const { processes, busy, waiting, started } = runner.statistics();
    assert.deepEqual({ processes, busy, waiting, started }, { processes: 4, busy: 0, waiting: 0, started: 4 });
    await runner.run(taskOf(HELLO, { tenant: 'e' }), signal);
    assert.deepEqual([runner.statistics().processes, runner.statistics().started], [4, 5], 'the oldest made room');
  });

  it('X-15: a process is replaced after a trap, and after so many tasks', async (t) => {
    const runner = openTestRunner(t, { ...EXACT, tasksPerProcess: 2 });
    assert.equal((await runner.run(taskOf(TRAP), signal)).error?.code, 'ERR_WASM_TRAP');
    await runner.run(taskOf(HELLO), signal);
    await runner.run(taskOf(HELLO), signal);
    await runner.run(taskOf(HELLO), signal);
    assert.equal(runner.statistics().started, 3);
  });

  it('X-16: the same module, input and fuel give the same, also when the fuel ends', async (t) => {
    const runner = openTestRunner(t, EXACT);
    const task = taskOf(
      '(module (memory (export "memory") 1) (func (export "_start") (local $n i32) (loop $l (i32.store (i32.const 0) (local.get $n)) (local.set $n (i32.add (local.get $n) (i32.const 1))) (br $l))))',
      { hashMemory: true, runLimits: { ...DEFAULT_RUN_LIMITS, fuel: 1_234_567n } },
    );
    const [first, second] = [await runner.run(task, signal), await runner.run({ ...task, tenant: 'other' }, signal)];
    assert.equal(first.error?.code, 'ERR_WASM_FUEL');
    assert.deepEqual([second.fuelLeft, second.memorySha256], [first.fuelLeft, first.memorySha256]);
  });

  it('an aborted task ends with the reason of the abort', async (t) => {
    const runner = openTestRunner(t, EXACT);
    const stop = new AbortController();
    const loop = taskOf('(module (func (export "_start") (loop $l (br $l))))', {
      runLimits: { ...DEFAULT_RUN_LIMITS, fuel: 1n << 62n },
    });
    const run = runner.run(loop, stop.signal);
    stop.abort(new Error('not wanted any more'));
    await assert.rejects(run, /not wanted any more/);
    await assert.rejects(runner.run(loop, stop.signal), /not wanted any more/);
  });

  const lies: Record<string, Uint8Array> = {
    noise: Buffer.from('console.log was here, and it is longer than four bytes'),
    'a frame of 4 GiB': Buffer.from('ffffffff', 'hex'),
    'no JSON': encodeFrame(Buffer.from('\x05\0\0\0hello')),
    'a JSON length beyond the frame': encodeFrame(Buffer.from('\xff\0\0\0{}', 'latin1')),
    'an unknown message': frame({ message: { type: 'sudo' } }),
    'ready again': frame({ message: { type: 'ready' } }),
    'a question for a directory that was not granted': frame({
      message: { type: 'call', call: { op: 'open', directory: 0, path: ['etc', 'passwd'] } },
    }),
    'bytes that were not announced': frame({ message: { type: 'ready' } }, [Buffer.from('x')]),
    'a refusal that moves the cursor': frame({
      message: { type: 'refused', code: 'ERR_WASM_TRAP', text: '\x1b[2J', fields: {} },
    }),
    'a refusal with a code of somebody else': frame({
      message: { type: 'refused', code: 'ERR_GUARD_PEER_CREDENTIALS', text: 'x', fields: {} },
    }),
    'output of a stream that there is not': encodeFrame(Buffer.from('\0\0\0\0\x02x', 'latin1')),
    'output without bytes': encodeFrame(Buffer.from('\0\0\0\0\0', 'latin1')),
    'output without a stream': encodeFrame(Buffer.from('\0\0\0\0', 'latin1')),
    'more output than the cap': encodeFrame(encodeOutput('stdout', Buffer.alloc(DEFAULT_RUN_LIMITS.outputBytes + 1))),
    'a description where a result is due': frame({
      message: {
        type: 'description',
        description: {
          sha256: '0'.repeat(64),
          meteredBytes: 1,
          hasStartSection: false,
          memory: null,
          imports: [],
          exports: [],
        },
      },
    }),
  };
  for (const [name, answer] of Object.entries(lies)) {
    it(`X-15: a process that answers ${name} is ended`, async () => {
      await using runner = openWasmRunner(
        { host: lyingHost(answer), clock: testClock },
        { ...DEFAULT_WASM_RUNNER_OPTIONS, ...EXACT },
      );
      await assert.rejects(runner.run(taskOf(HELLO), signal), { code: 'ERR_WASM_RUNNER' });
    });
  }
});
