/** The nine classic tests of a sandbox for agents, through real runner processes behind the wall. */
import { median, needs, temporaryDirectory } from '@holdfast/testing';
import { DEFAULT_MODULE_LIMITS, DEFAULT_RUN_LIMITS } from '@holdfast/wasm';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, linkSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it, type TestContext } from 'node:test';
import type { DirectoryGrant, WasmRunner, WasmRunnerOptions } from '../src/index.ts';
import { openTestHost, openTestRunner, runnerPids, taskOf } from './wat-task.ts';

const MIB = 1_048_576;
const signal = new AbortController().signal;
const ENDLESS = DEFAULT_RUN_LIMITS.fuel * 1_000_000n;
const withFuel = { runLimits: { ...DEFAULT_RUN_LIMITS, fuel: ENDLESS } };

/** Opens `path` below the first directory and ends with the error number, 0 when it could. */
const openPath = (path: string): string => `(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 64) "${path}")
  (func (export "_start")
    (call $exit (call $open (i32.const 3) (i32.const 1) (i32.const 64) (i32.const ${path.length})
      (i32.const 0) (i64.const 2) (i64.const 2) (i32.const 0) (i32.const 0)))))`;

const LOOP = '(module (memory (export "memory") 1) (func (export "_start") (loop $l (br $l))))';

/** Asks for `pages` more, writes to every one it gets, and ends with how many of 1 it got. */
const grow = (pages: number): string => `(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (if (i32.eq (memory.grow (i32.const ${pages})) (i32.const -1)) (then (call $exit (i32.const 1))))
    (memory.fill (i32.const 0) (i32.const 7) (i32.const ${pages * 65_536}))))`;

/** Ends with 1 when any byte of its fresh memory is not zero, and leaves all of it non-zero. */
const LOOK_AND_MARK = `(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 64)
  (func (export "_start") (local $at i32)
    (loop $next
      (if (i64.ne (i64.load (local.get $at)) (i64.const 0)) (then (call $exit (i32.const 1))))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $next (i32.lt_u (local.get $at) (i32.const 4194304))))
    (memory.fill (i32.const 0) (i32.const 83) (i32.const 4194304))))`;

/** Works long when it has a second argument, not at all otherwise. */
const SECRET_DEPENDENT = `(module
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start") (local $n i32)
    (drop (call $sizes (i32.const 0) (i32.const 4)))
    (if (i32.eq (i32.load (i32.const 0)) (i32.const 2)) (then
      (loop $work
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (br_if $work (i32.lt_u (local.get $n) (i32.const 20000000))))))))`;

function residentKib(pid: number): number {
  const [, kib = ''] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib);
}

const mean = (times: readonly number[]): number => times.reduce((sum, ms) => sum + ms, 0) / times.length;

const host = await openTestHost();
after(() => host[Symbol.asyncDispose]());
const open = (t: TestContext, more: Partial<WasmRunnerOptions> = {}): WasmRunner => openTestRunner(t, more, host);

describe('the nine tests', () => {
  it('X-17: 1. file system isolation', async (t) => {
    const runner = open(t);
    const base = temporaryDirectory(t);
    mkdirSync(join(base, 'data'));
    writeFileSync(join(base, 'data/own'), 'mine');
    writeFileSync(join(base, 'secret'), 'secret');
    symlinkSync('../secret', join(base, 'data/link'));
    linkSync(join(base, 'secret'), join(base, 'data/hard'));
    for (const mode of ['read-only', 'copy-on-write'] as const) {
      const directories: DirectoryGrant[] = [
        { hostPath: join(base, 'data'), guestPath: '/data', mode, quotaBytes: MIB, quotaFiles: 10 },
      ];
      const tryOpen = async (path: string) =>
        (await runner.run(taskOf(openPath(path), { directories }), signal)).exitCode;
      assert.equal(await tryOpen('own'), 0, mode);
      for (const path of ['../secret', '/etc/passwd', 'link', 'hard', './../secret', 'own/../../secret']) {
        assert.notEqual(await tryOpen(path), 0, `${mode} ${path}`);
      }
    }
    assert.notEqual((await runner.run(taskOf(openPath('etc/passwd')), signal)).exitCode, 0, 'nothing granted');
  });

  it('X-17: 2. CPU quota: a loop with 2 s ends before 2.5 s', async (t) => {
    const runner = open(t);
    await runner.run(taskOf(grow(1)), signal); // the process is there
    const startMs = performance.now();
    const result = await runner.run(taskOf(LOOP, { ...withFuel, deadlineMs: 2_000 }), signal);
    const tookMs = performance.now() - startMs;
    assert.equal(result.error?.code, 'ERR_WASM_DEADLINE');
    assert.ok(tookMs >= 2_000 && tookMs < 2_500, `${tookMs} ms`);
    assert.equal(result.usage.fuel, ENDLESS, 'charged the most it can have used');
  });

  it('X-17: 3. memory quota: 256 MiB wanted, 64 allowed', async (t) => {
    const runner = open(t);
    const limits = { ...DEFAULT_MODULE_LIMITS, memoryBytes: 64 * MIB };
    const wants = (moduleLimits: typeof limits) => runner.run(taskOf(grow(4_096), { moduleLimits }), signal);
    const refused = await wants(limits);
    assert.deepEqual([refused.exitCode, refused.error], [1, null]);
    assert.ok(refused.usage.peakMemoryBytes <= 64 * MIB);
    assert.equal((await wants({ ...limits, onMemoryLimit: 'trap' })).error?.code, 'ERR_WASM_MEMORY');
    assert.equal((await wants({ ...limits, memoryBytes: 512 * MIB })).exitCode, 0, 'and it works where it may');
    const large = taskOf('(module (memory (export "memory") 4096) (func (export "_start")))', { moduleLimits: limits });
    await assert.rejects(runner.run(large, signal), { code: 'ERR_WASM_MEMORY' });
  });

  it('X-17: 4. network isolation: 0 bytes', needs('network-namespaces'), () => {
    const probe = join(import.meta.dirname, 'network-probe.ts');
    const out = execFileSync('/usr/bin/unshare', ['--net', process.execPath, '--no-warnings', probe], { env: {} });
    const seen = JSON.parse(out.toString()) as { refused: number; guestBytes: number; controlBytes: number };
    assert.deepEqual([seen.refused, seen.guestBytes], [64, 0]);
    assert.ok(seen.controlBytes > 0, 'what a socket sends there is counted');
  });

  it('X-17: 5. timing: answers of a fast and a slow path lie less than 10 ms apart', async (t) => {
    const runner = open(t, { maxProcesses: 1 });
    const answer = async (args: string[], responseGridMs: number): Promise<number> => {
      const startMs = performance.now();
      await runner.run(taskOf(SECRET_DEPENDENT, { args, responseGridMs }), signal);
      return performance.now() - startMs;
    };
    const [fast, slow] = [['guest'], ['guest', 'secret']];
    const measure = async (runs: number, gridMs: number): Promise<number> => {
      const [fastMs, slowMs]: [number[], number[]] = [[], []];
      for (let n = 0; n < runs; n++) {
        fastMs.push(await answer(fast, gridMs));
        slowMs.push(await answer(slow, gridMs));
      }
      return mean(slowMs) - mean(fastMs);
    };
    await measure(3, 0);
    const bare = await measure(5, 0);
    const padded = await measure(100, 100);
    t.diagnostic(`${bare.toFixed(1)} ms apart as they are, ${padded.toFixed(1)} ms on a grid of 100 ms`);
    assert.ok(bare > 0, 'the paths do differ');
    assert.ok(Math.abs(padded) < 10, `${padded} ms`);
  });

  it('X-17: 6. unknown imports are refused at load', async (t) => {
    const runner = open(t);
    for (const [module, name] of [
      ['env', 'system'],
      ['wasi_snapshot_preview1', 'path_exec'],
      ['wasi_unstable', 'fd_write'],
      ['node', 'require'],
    ]) {
      const task = taskOf(`(module (import "${module}" "${name}" (func)) (func (export "_start")))`);
      await assert.rejects(runner.run(task, signal), { code: 'ERR_WASM_IMPORT' }, `${module} ${name}`);
    }
  });

  it('X-17: 7. agents see nothing of one another', async (t) => {
    const runner = open(t);
    for (const tenant of ['a', 'b', 'a', 'b', 'a']) {
      const result = await runner.run(taskOf(LOOK_AND_MARK, { tenant }), signal);
      assert.deepEqual([result.exitCode, result.error], [0, null], tenant);
    }
    assert.equal(runnerPids().length, runner.statistics().processes);
    assert.ok(runner.statistics().started >= 2, 'a process for each');
  });

  it('X-17: 8. clean-up on termination: ten memory-heavy agents leave nothing', async (t) => {
    const agents = Array.from({ length: 10 }, (_, n) => `agent-${n}`);
    const generation = async (pages: number): Promise<{ pids: number[]; kib: number }> => {
      const runner = open(t, { maxProcesses: 10, warmProcesses: 10, maxIdleBytes: 1e9 });
      await Promise.all(agents.map((tenant) => runner.run(taskOf(grow(pages), { tenant }), signal)));
      const pids = runnerPids();
      assert.equal(pids.length, 10);
      const kib = median(pids.map(residentKib));
      await runner[Symbol.asyncDispose]();
      return { pids, kib };
    };
    const baseline = await generation(1);
    const heavy = await generation(1_024);
    const after = await generation(1);
    assert.ok(heavy.kib > baseline.kib + 40 * 1_024, 'they were heavy');
    assert.deepEqual(
      [...baseline.pids, ...heavy.pids, ...after.pids].filter((pid) => existsSync(`/proc/${pid}`)),
      [],
    );
    assert.ok(Math.abs(after.kib / baseline.kib - 1) <= 0.1, `${baseline.kib} KiB before, ${after.kib} KiB after`);
  });

  it('X-17: 9. fork bomb: no import spawns, and an eleventh agent is refused', async (t) => {
    const runner = open(t, { maxProcesses: 10, maxWaiting: 0 });
    for (const [module, name] of [
      ['wasi', 'thread-spawn'],
      ['wasi_snapshot_preview1', 'proc_spawn'],
      ['wasix_32v1', 'proc_fork'],
    ]) {
      const task = taskOf(
        `(module (import "${module}" "${name}" (func (param i32) (result i32))) (func (export "_start")))`,
      );
      await assert.rejects(runner.run(task, signal), { code: 'ERR_WASM_IMPORT' });
    }
    const stop = new AbortController();
    const agents = Array.from({ length: 10 }, (_, n) =>
      assert.rejects(
        runner.run(taskOf(LOOP, { ...withFuel, tenant: `agent-${n}`, deadlineMs: 60_000 }), stop.signal),
        /enough/,
      ),
    );
    await assert.rejects(runner.run(taskOf(LOOP, { tenant: 'agent-10' }), signal), { code: 'ERR_TASK_QUEUE_FULL' });
    assert.ok(runnerPids().length <= 10);
    stop.abort(new Error('enough'));
    await Promise.all(agents);
  });
});
