/**
 * X-13: guests that do everything not to end, behind the wall. What is measured is from the deadline
 * until the run has settled, which is after the process is gone; 50 ms is the requirement and not a
 * guess. The full run, on a machine with nothing else to do, holds every run to it. Beside other tests
 * any process may wait some 300 ms for a processor, the one that kills as well as the one that dies; a
 * guest that can put off its end puts it off for as long as it likes, which a second tells from that.
 */
import { median, percentile, temporaryDirectory } from '@holdfast/testing';
import { DEFAULT_RUN_LIMITS } from '@holdfast/wasm';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, it, type TestContext } from 'node:test';
import type { WasmTask } from '../src/index.ts';
import { assemble, openTestHost, openTestRunner, taskOf } from './wat-task.ts';

/** A thousand for the claim itself. */
const FULL_RUNS = 1_000;
const RUNS = Number(process.env['HOLDFAST_HOSTILE_RUNS'] ?? 40);
const MAX_OVERSHOOT_MS = 50;
const MAX_OVERSHOOT_UNDER_LOAD_MS = 1_000;
const ALLOWED_MS = RUNS >= FULL_RUNS ? MAX_OVERSHOOT_MS : MAX_OVERSHOOT_UNDER_LOAD_MS;
const DEADLINE_MS = 150;
const WASI = 'import "wasi_snapshot_preview1"';

/** Many functions of many instructions: decoding, metering and compiling take longer than the deadline. */
function giantModule(): Uint8Array {
  const body = '(local.set 0 (i32.add (local.get 0) (i32.const 12345)))'.repeat(400);
  return assemble(
    `(module (memory 1) ${`(func (local i32) ${body})`.repeat(2_500)} (func (export "_start") (loop $l (br $l))))`,
  );
}

function hostileTasks(t: TestContext): Record<string, WasmTask> {
  const many = join(temporaryDirectory(t), 'many');
  mkdirSync(many);
  writeFileSync(join(many, 'large'), Buffer.alloc(16_777_216, 7)); // too large to be copied: brokered
  const directories = [
    { hostPath: many, guestPath: '/d', mode: 'read-only', quotaBytes: 1e15, quotaFiles: 10 },
  ] as const;
  const loop = '(loop $l (br $l))';
  const tasks: Record<string, string> = {
    'an endless loop': `(module (memory 1) (func (export "_start") ${loop}))`,
    'a loop in the start section': `(module (memory 1) (func $s ${loop}) (start $s) (func (export "_start")))`,
    'a huge memory.fill': `(module (memory (export "memory") 1600) (func (export "_start")
      (loop $l (memory.fill (i32.const 0) (i32.const 1) (i32.const 104857600)) (br $l))))`,
    'host calls without end': `(module (${WASI} "sched_yield" (func $y (result i32))) (memory (export "memory") 1)
      (func (export "_start") (loop $l (drop (call $y)) (br $l))))`,
    'recursion without end, again and again': `(module (memory 1)
      (func $deep (param i32) (if (local.get 0) (then (call $deep (i32.sub (local.get 0) (i32.const 1))))))
      (func (export "_start") (loop $l (call $deep (i32.const 1000)) (br $l))))`,
    'reads from a brokered directory without end': `(module
      (${WASI} "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
      (${WASI} "fd_pread" (func $read (param i32 i32 i32 i64 i32) (result i32)))
      (memory (export "memory") 32)
      (data (i32.const 64) "large") (data (i32.const 128) "\\00\\01\\00\\00\\00\\00\\10\\00")
      (func (export "_start")
        (if (call $open (i32.const 3) (i32.const 0) (i32.const 64) (i32.const 5) (i32.const 0) (i64.const 2) (i64.const 2)
          (i32.const 0) (i32.const 32)) (then (unreachable)))
        (loop $l (if (call $read (i32.load (i32.const 32)) (i32.const 128) (i32.const 1) (i64.const 0) (i32.const 40))
          (then (unreachable))) (br $l))))`,
  };
  const more: Partial<WasmTask> = {
    deadlineMs: DEADLINE_MS,
    runLimits: { ...DEFAULT_RUN_LIMITS, fuel: 1n << 62n },
    directories,
  };
  return {
    ...Object.fromEntries(Object.entries(tasks).map(([name, wat]) => [name, taskOf(wat, more)])),
    'a module that is long to compile': { ...taskOf('(module)', more), module: giantModule(), deadlineMs: 20 },
  };
}

/** What killing takes here and now: from a deadline until a process that does nothing is gone. */
async function controlOvershootMs(): Promise<number> {
  const child = spawn('/bin/sleep', ['60'], { stdio: 'ignore', env: {} });
  await once(child, 'spawn');
  const startMs = performance.now();
  const waitMs = 20;
  setTimeout(() => child.kill('SIGKILL'), waitMs);
  await once(child, 'close');
  return performance.now() - startMs - waitMs;
}

const host = await openTestHost();
after(() => host[Symbol.asyncDispose]());

it(`X-13: ${RUNS} hostile runs end at most ${ALLOWED_MS} ms after their deadline`, async (t) => {
  const tasks = Object.entries(hostileTasks(t));
  const runner = openTestRunner(t, { maxProcesses: 2, warmProcesses: 1 }, host);
  const control: number[] = [];
  const overshoots: { name: string; ms: number }[] = [];
  for (let n = 0; n < RUNS; n++) {
    const [name, task] = tasks[n % tasks.length] ?? assert.fail('there are tasks');
    const result = await runner.run(task, new AbortController().signal);
    assert.equal(result.error?.code, 'ERR_WASM_DEADLINE', name);
    overshoots.push({ name, ms: result.usage.wallMs - task.deadlineMs });
    control.push(await controlOvershootMs());
  }
  const sorted = overshoots.toSorted((a, b) => b.ms - a.ms);
  const machineMs = Math.max(...control);
  const at = (percent: number): string =>
    percentile(
      overshoots.map(({ ms }) => ms),
      percent,
    ).toFixed(1);
  t.diagnostic(`overshoot: median ${at(50)} ms, p99 ${at(99)} ms, worst ${at(100)} ms (${sorted[0]?.name})`);
  t.diagnostic(`of a process that sleeps: median ${median(control).toFixed(1)} ms, worst ${machineMs.toFixed(1)} ms`);
  assert.equal(runner.statistics().killedAtDeadline, RUNS);
  const late = sorted.filter(({ ms }) => ms > MAX_OVERSHOOT_MS);
  t.diagnostic(`${late.length} of ${RUNS} above ${MAX_OVERSHOOT_MS} ms ${JSON.stringify(late)}`);
  assert.deepEqual(
    sorted.filter(({ ms }) => ms < 0 || ms > ALLOWED_MS),
    [],
  );
});
