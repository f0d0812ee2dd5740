/** Whole runs of admitted modules: how they start, how they end, what they may use, what is told of them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { hasCode } from '@holdfast/core';

import { admitModule } from '../src/admit.ts';
import { compileAdmitted, runModule } from '../src/engine/run-module.ts';
import type { RunRequest, WasmResult } from '../src/engine/run.ts';
import { DEFAULT_MODULE_LIMITS, DEFAULT_RUN_LIMITS, type ModuleLimits } from '../src/limits.ts';
import { OFFERED_IMPORTS } from '../src/wasi/imports.ts';
import { NO_CAPABILITIES } from './wasi/guest-probe.ts';
import { wat } from './wat.ts';

const compile = (text: string, limits: Partial<ModuleLimits> = {}): ReturnType<typeof compileAdmitted> =>
  compileAdmitted(admitModule(wat(text), OFFERED_IMPORTS, { ...DEFAULT_MODULE_LIMITS, ...limits }));

const REQUEST: RunRequest = {
  capabilities: NO_CAPABILITIES,
  limits: { ...DEFAULT_RUN_LIMITS, fuel: 1_000_000n },
  hashMemory: true,
};

const run = (text: string, request: Partial<RunRequest> = {}, limits: Partial<ModuleLimits> = {}): WasmResult =>
  runModule(compile(text, limits), { ...REQUEST, ...request });

const WASI = `
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\\08\\00\\00\\00\\06\\00\\00\\00hello\\n")`;
const HELLO = '(drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 100)))';
const command = (body: string, fields = ''): string => `(module ${WASI} ${fields} (func (export "_start") ${body}))`;

const ends = (name: string, code: string, detail: string, text: string, limits: Partial<ModuleLimits> = {}): void => {
  it(`X-12: ${name}: ${code}`, () => {
    const result = run(text, {}, limits);
    assert.deepEqual([result.error?.code, result.error?.detail, result.exitCode], [code, detail, null]);
  });
};

describe('a run', () => {
  it('X-09: gives back what the module wrote, and 0', () => {
    const result = run(command(HELLO));
    assert.equal(Buffer.from(result.stdout).toString(), 'hello\n');
    assert.equal(result.stderr.length, 0);
    assert.deepEqual([result.exitCode, result.error, result.truncated], [0, null, false]);
  });

  it('gives back the status of proc_exit, and runs nothing after it', () => {
    const result = run(command(`(call $exit (i32.const 42)) ${HELLO}`));
    assert.deepEqual([result.exitCode, result.error, result.stdout.length], [42, null, 0]);
    assert.equal(run(command('(call $exit (i32.const -1))')).exitCode, 0xffff_ffff);
  });

  it('X-15: starts from a fresh instance every time', () => {
    const compiled = compile(
      command(
        '(global.set $n (i32.add (global.get $n) (i32.const 1))) (i32.store (i32.const 200) (i32.add (i32.load (i32.const 200)) (global.get $n))) (call $exit (i32.load (i32.const 200)))',
        '(global $n (mut i32) (i32.const 0))',
      ),
    );
    assert.deepEqual(
      [1, 2, 3].map(() => runModule(compiled, REQUEST).exitCode),
      [1, 1, 1],
    );
  });

  it('X-10: the start section runs on the budget, before the entry', () => {
    const endless = `(module (memory (export "memory") 1) (func $s (loop (br 0))) (start $s) (func (export "_start")))`;
    assert.equal(run(endless).error?.code, 'ERR_WASM_FUEL');
    const ordered = `(module ${WASI} (func $s (i32.store (i32.const 200) (i32.const 7))) (start $s)
      (func (export "_start") (call $exit (i32.load (i32.const 200)))))`;
    assert.equal(run(ordered).exitCode, 7);
  });

  it('calls a named entry, after the initialiser of a reactor', () => {
    const reactor = `(module ${WASI} (func (export "_initialize") (i32.store (i32.const 200) (i32.const 5)))
      (func (export "check") (result i32) (call $exit (i32.load (i32.const 200))) (i32.const 0))
      (func (export "wants") (param i32)) (global (export "value") i32 (i32.const 1)))`;
    assert.equal(run(reactor, { entry: 'check' }).exitCode, 5);
    for (const entry of ['_start', 'missing', 'wants', 'value', 'memory', 'toString', '__proto__']) {
      assert.equal(run(reactor, entry === '_start' ? {} : { entry }).error?.code, 'ERR_WASM_ENTRY', entry);
    }
  });

  it('X-17: an import with another type than it has is refused, and nothing runs', () => {
    for (const type of [
      '(param i64 i32 i32 i32) (result i32)',
      '(param i32 i32 i32 i32)',
      '(param f64) (result f64)',
      '',
    ]) {
      const result = run(
        `(module (import "wasi_snapshot_preview1" "fd_write" (func ${type})) (func (export "_start") unreachable))`,
      );
      assert.equal(result.error?.code, 'ERR_WASM_IMPORT', type);
      assert.equal(result.usage.fuel, 0n);
    }
  });

  it('X-17: an import that is not offered is refused at load', () => {
    for (const [module, name] of [
      ['wasi_unstable', 'fd_write'],
      ['wasi_snapshot_preview1', 'thread-spawn'],
      ['env', 'spawn'],
    ]) {
      assert.throws(
        () => compile(`(module (import "${module}" "${name}" (func)))`),
        (error: unknown) => hasCode(error, 'ERR_WASM_IMPORT'),
      );
    }
  });

  it('a module without a memory may use what needs none', () => {
    const text = `(module (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
      (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
      (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
      (func (export "_start") (drop (call $yield)) (call $exit (call $random (i32.const 0) (i32.const 1)))))`;
    const result = run(text);
    assert.deepEqual([result.exitCode, result.memorySha256, result.usage.peakMemoryBytes], [21, null, 0]);
  });

  it('refuses limits and capabilities that make no sense', () => {
    const compiled = compile(command(HELLO));
    for (const limits of [
      { fuel: -1n },
      { fuel: 2n ** 63n },
      { outputBytes: -1 },
      { outputBytes: Number.NaN },
      { openFiles: 0.5 },
    ]) {
      assert.throws(() => runModule(compiled, { ...REQUEST, limits: { ...REQUEST.limits, ...limits } }), TypeError);
    }
    assert.throws(
      () => runModule(compiled, { ...REQUEST, capabilities: { ...NO_CAPABILITIES, args: ['a\0b'] } }),
      TypeError,
    );
    assert.equal(runModule(compiled, REQUEST).exitCode, 0);
  });
});

describe('how a run is ended', () => {
  const table = '(type $t (func)) (table 1 funcref) (func $takes (param i32)) (elem (i32.const 0) $takes)';
  ends('unreachable', 'ERR_WASM_TRAP', 'unreachable', command('unreachable'));
  ends(
    'dividing by zero',
    'ERR_WASM_TRAP',
    'integer-divide-by-zero',
    command('(drop (i32.div_s (i32.const 1) (i32.const 0)))'),
  );
  ends(
    'a remainder by zero',
    'ERR_WASM_TRAP',
    'integer-divide-by-zero',
    command('(drop (i64.rem_u (i64.const 1) (i64.const 0)))'),
  );
  ends(
    'a quotient too large',
    'ERR_WASM_TRAP',
    'integer-overflow',
    command('(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))'),
  );
  ends('a float too large', 'ERR_WASM_TRAP', 'float-to-integer', command('(drop (i32.trunc_f64_s (f64.const 1e30)))'));
  ends('memory out of bounds', 'ERR_WASM_TRAP', 'out-of-bounds-memory', command('(drop (i32.load (i32.const 65533)))'));
  ends(
    'memory.fill out of bounds',
    'ERR_WASM_TRAP',
    'out-of-bounds-memory',
    command('(memory.fill (i32.const 65535) (i32.const 0) (i32.const 2))'),
  );
  ends(
    'a call of another type',
    'ERR_WASM_TRAP',
    'indirect-call',
    command('(call_indirect (type $t) (i32.const 0))', table),
  );
  ends(
    'a call outside of the table',
    'ERR_WASM_TRAP',
    'out-of-bounds-table',
    command('(call_indirect (type $t) (i32.const 9))', table),
  );
  ends(
    'a data segment outside of memory',
    'ERR_WASM_TRAP',
    'out-of-bounds-segment',
    command('', '(data (i32.const 65536) "x")'),
  );
  ends(
    'recursion without end',
    'ERR_WASM_STACK',
    'the call stack reached its limit',
    command('(call $deep)', '(func $deep (call $deep))'),
  );
  ends(
    'growing beyond the cap, when that ends the run',
    'ERR_WASM_MEMORY',
    'memory.grow was refused',
    command('(drop (memory.grow (i32.const 4096)))'),
    { memoryBytes: 65_536 * 16, onMemoryLimit: 'trap' },
  );

  it('X-12: growing beyond the cap is refused to the module otherwise', () => {
    const text = command('(call $exit (i32.eq (memory.grow (i32.const 4096)) (i32.const -1)))');
    const result = run(text, {}, { memoryBytes: 65_536 * 16 });
    assert.deepEqual([result.exitCode, result.usage.peakMemoryBytes], [1, 65_536]);
  });

  it('X-12: output beyond the cap is dropped, or ends the run', () => {
    const text = command(`${HELLO} ${HELLO}`);
    const limits = { ...REQUEST.limits, outputBytes: 8 };
    const dropped = run(text, { limits });
    assert.deepEqual(
      [Buffer.from(dropped.stdout).toString(), dropped.truncated, dropped.exitCode],
      ['hello\nhe', true, 0],
    );
    const ended = run(text, { limits: { ...limits, onOutputLimit: 'end' } });
    assert.deepEqual(
      [Buffer.from(ended.stdout).toString(), ended.truncated, ended.error?.code],
      ['hello\nhe', true, 'ERR_WASM_OUTPUT'],
    );
  });

  it('X-12: recursion that calls the host at every depth ends as recursion, wherever the stack gives out', () => {
    const limits = { ...REQUEST.limits, fuel: 1_000_000_000n };
    for (const body of [
      HELLO,
      '(drop (call $random (i32.const 0) (i32.const 8)))',
      '(drop (call $random (i32.const -1) (i32.const 8)))',
    ]) {
      for (const locals of ['i32', 'i64 i64 i64', 'f64 f64 f64 f64 f64']) {
        const text = command('(call $deep)', `(func $deep (local ${locals}) ${body} (call $deep) ${body})`);
        assert.equal(run(text, { limits }).error?.code, 'ERR_WASM_STACK');
      }
    }
  });

  it('X-10: nothing the host does for a guest is free', () => {
    for (const body of [
      HELLO,
      '(drop (call $random (i32.const 0) (i32.const 65536)))',
      '(drop (call $random (i32.const -1) (i32.const 1)))',
    ]) {
      const result = run(command(`(loop ${body} (br 0))`));
      assert.equal(result.error?.code, 'ERR_WASM_FUEL');
      assert.ok(result.fuelLeft < 0n);
    }
  });

  it('X-10: a run on no fuel at all does nothing', () => {
    const result = run(command(HELLO), { limits: { ...REQUEST.limits, fuel: 0n } });
    assert.deepEqual([result.error?.code, result.stdout.length], ['ERR_WASM_FUEL', 0]);
  });
});

/** Its memory exported as given. */
const growing = (exported: string) => `(module (memory ${exported} 2) (func (export "_start")
  (i32.store (i32.const 8) (i32.const 77)) (drop (memory.grow (i32.const 3)))))`;

describe('usage', () => {
  it('X-16: counts fuel, memory and what went through descriptors', () => {
    const result = run(command(`${HELLO} ${HELLO} (drop (memory.grow (i32.const 1)))`));
    assert.equal(result.usage.fuel, REQUEST.limits.fuel - result.fuelLeft);
    assert.ok(result.usage.fuel > 200n);
    assert.equal(result.usage.peakMemoryBytes, 131_072);
    assert.deepEqual(result.usage.io, { reads: 0, writes: 2, readBytes: 0, writtenBytes: 12, opens: 0 });
    assert.ok(result.usage.wallMs > 0 && result.usage.cpuMs >= 0);
  });

  it('X-16: memory that the module keeps to itself, or exports by another name, is counted and hashed', () => {
    const shown = run(growing('(export "memory")'));
    assert.equal(shown.usage.peakMemoryBytes, 5 * 65_536);
    for (const exported of ['', '(export "mine")']) {
      const result = run(growing(exported));
      assert.equal(result.usage.peakMemoryBytes, shown.usage.peakMemoryBytes);
      assert.equal(result.memorySha256, shown.memorySha256);
    }
    assert.equal(run('(module (func (export "_start")))').memorySha256, null);
  });

  it('X-14: names that mean something in JavaScript mean nothing here', () => {
    const names = ['__proto__', 'constructor', 'toString', 'then', 'Symbol.iterator', 'a\\00b', ''];
    const fields = names.map((name) => `(export "${name}" (func 3))`).join(' ');
    const text = command('(call $exit (i32.const 7))', `(func $mine (call $exit (i32.const 9))) ${fields}`);
    for (const name of names) {
      const entry = name.replace('\\00', '\0');
      assert.equal(run(text, { entry }).exitCode, 9, JSON.stringify(entry));
      assert.equal(run(command(HELLO), { entry }).error?.code, 'ERR_WASM_ENTRY');
    }
    assert.equal(run(text).exitCode, 7);
    assert.equal(({} as Record<string, unknown>)['mine'], undefined);
  });

  it('X-16: same module, input and fuel: same output, fuel left and memory, at any point where fuel ends', () => {
    const text = command(
      `(local $i i32)
       (loop (i32.store (i32.add (i32.const 1024) (i32.mul (local.get $i) (i32.const 4))) (i32.mul (local.get $i) (local.get $i)))
         (drop (call $random (i32.const 512) (i32.const 32)))
         ${HELLO}
         (local.set $i (i32.add (local.get $i) (i32.const 1)))
         (br_if 0 (i32.lt_u (local.get $i) (i32.const 50))))`,
    );
    const compiled = compile(text);
    const fates = new Set<string>();
    for (let fuel = 0n; fuel < 16_000n; fuel += 997n) {
      const once = (): string => {
        const { stdout, fuelLeft, memorySha256, error } = runModule(compiled, {
          ...REQUEST,
          limits: { ...REQUEST.limits, fuel },
        });
        return JSON.stringify([Buffer.from(stdout).toString(), String(fuelLeft), memorySha256, error]);
      };
      const first = once();
      assert.equal(once(), first);
      assert.equal(once(), first);
      fates.add(first);
    }
    assert.equal(fates.size, 17);
  });
});
