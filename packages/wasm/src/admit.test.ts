import { hasCode, isHoldfastError } from '@holdfast/core';
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import wabt from 'wabt';
import { admitModule, type OfferedImports } from './admit.ts';
import { wasmApi } from './engine/web-assembly.ts';
import { DEFAULT_MODULE_LIMITS, type ModuleLimits } from './limits.ts';

const assembler = await wabt();
const OFFERED: OfferedImports = new Map([['wasi_snapshot_preview1', new Set(['fd_write'])]]);
const ALL_FEATURES = {
  exceptions: true,
  threads: true,
  simd: true,
  tail_call: true,
  memory64: true,
  multi_memory: true,
  extended_const: true,
  relaxed_simd: true,
  function_references: true,
};

const assemble = (wat: string) => new Uint8Array(assembler.parseWat('test.wat', wat, ALL_FEATURES).toBinary({}).buffer);
const admit = (bytes: Uint8Array, limits: Partial<ModuleLimits> = {}) =>
  admitModule(bytes, OFFERED, { ...DEFAULT_MODULE_LIMITS, ...limits });
const HEADER = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const module = (...bytes: number[]) => Uint8Array.from([...HEADER, ...bytes]);
/** One function without parameters whose code is `code`. */
const withCode = (...code: number[]) =>
  module(1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10, code.length + 4, 1, code.length + 2, 0, ...code, 0x0b);

interface Exports {
  readonly [name: string]: (() => unknown) & { value: bigint | number; readonly buffer: ArrayBuffer };
}
const instantiate = (bytes: Uint8Array) =>
  new wasmApi.Instance(new wasmApi.Module(bytes), {}).exports as unknown as Exports;

function refusal(bytes: Uint8Array, limits: Partial<ModuleLimits> = {}): string {
  try {
    admit(bytes, limits);
  } catch (error) {
    assert.ok(isHoldfastError(error), String(error));
    const { feature, limit, max, found, module: from, name, reason } = error.fields;
    const detail = feature ?? limit ?? name ?? reason ?? '';
    return [error.code, from, detail, max, found].filter((part) => part !== undefined).join(' ');
  }
  return 'admitted';
}

describe('admitModule', () => {
  const features: readonly (readonly [feature: string, bytes: Uint8Array])[] = [
    ['simd', assemble('(module (func (drop (v128.const i32x4 0 0 0 0))))')],
    ['simd', assemble('(module (func (param v128)))')],
    ['relaxed-simd', withCode(0xfd, 0x80, 0x02)],
    ['threads', assemble('(module (memory 1 1 shared))')],
    ['threads', assemble('(module (memory 1) (func (drop (i32.atomic.load (i32.const 0)))))')],
    ['exceptions', assemble('(module (tag))')],
    ['exceptions', withCode(0x06, 0x40, 0x0b)],
    ['exceptions', withCode(0x1f, 0x40, 0, 0x0b)],
    ['tail-calls', assemble('(module (func $f (return_call $f)))')],
    ['memory64', assemble('(module (memory i64 1))')],
    ['multi-memory', assemble('(module (memory 1) (memory 1))')],
    ['multi-memory', withCode(0x28, 0x42, 0, 0)],
    ['custom-page-sizes', module(5, 4, 1, 8, 1, 0)],
    ['gc', module(1, 3, 1, 0x5f, 0)],
    ['gc', withCode(0xfb, 0)],
    ['stringref', withCode(0xfb, 0x80, 0x01)],
    ['typed-function-references', withCode(0x14, 0)],
    ['typed-function-references', module(1, 6, 1, 0x60, 1, 0x64, 0, 0)],
    ['wide-arithmetic', withCode(0xfc, 19)],
  ];
  for (const [feature, bytes] of features) {
    it(`X-09: refuses ${feature} by name (${bytes.length} bytes)`, () => {
      assert.equal(refusal(bytes), `ERR_WASM_FEATURE ${feature}`);
    });
  }

  it('X-09: refuses bytes that are no module, and says when they are a component', () => {
    assert.equal(refusal(new Uint8Array()), 'ERR_WASM_MALFORMED not WebAssembly');
    assert.match(refusal(Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0)), /^ERR_WASM_MALFORMED a component/);
    assert.equal(refusal(module(1, 0x85, 0x80, 0x80, 0x80, 0x70)), 'ERR_WASM_MALFORMED number out of range');
    assert.equal(refusal(module(1, 5, 0xff, 0xff, 0xff, 0xff, 0x0f)), 'ERR_WASM_MALFORMED count beyond the end');
    assert.equal(refusal(module(3, 1, 0, 1, 1, 0)), 'ERR_WASM_MALFORMED section out of order or twice');
    assert.equal(refusal(withCode(0xff)), 'ERR_WASM_MALFORMED unknown instruction');
    assert.equal(refusal(withCode(0x6a)), 'ERR_WASM_MALFORMED V8 finds the module invalid');
    assert.equal(refusal(module(0x20, 0)), 'ERR_WASM_MALFORMED unknown section');
  });

  it('X-09: admits longer spellings of numbers, multi-value blocks and constant arithmetic', () => {
    const bytes = assemble(`(module (global i32 (i32.add (i32.const 1) (i32.const 2)))
      (func (export "run") (result i32) (i32.const 4) (i32.const 5) (block (param i32 i32) (result i32 i32) (br 0)) (i32.add)))`);
    const { metered, fuelExport } = admit(bytes);
    const exports = instantiate(metered);
    exports[fuelExport]!.value = 10n;
    assert.equal(exports['run']!(), 9);
    assert.equal(exports[fuelExport]!.value, 6n);
    assert.equal(refusal(module(1, 0x84, 0x80, 0x00, 1, 0x60, 0, 0)), 'admitted');
  });

  it('X-17: refuses imports that are not offered, whatever their kind', () => {
    const imports: readonly (readonly [wat: string, named: string])[] = [
      ['(import "env" "spawn" (func))', 'env spawn'],
      ['(import "wasi_snapshot_preview1" "sock_open" (func))', 'wasi_snapshot_preview1 sock_open'],
      ['(import "wasi_snapshot_preview1" "fd_write" (memory 1))', 'wasi_snapshot_preview1 fd_write'],
      ['(import "env" "table" (table 1 funcref))', 'env table'],
      ['(import "env" "g" (global i32))', 'env g'],
    ];
    for (const [wat, named] of imports) assert.equal(refusal(assemble(`(module ${wat})`)), `ERR_WASM_IMPORT ${named}`);
    const offered = admit(assemble('(module (import "wasi_snapshot_preview1" "fd_write" (func)))'));
    assert.deepEqual(offered.imports, [{ module: 'wasi_snapshot_preview1', name: 'fd_write' }]);
  });

  const code = assemble('(module (func (local i32 i32 i32) (block (block (block)))))');
  const data = assemble('(module (memory 1) (data "123456"))');
  const caps: readonly (readonly [limit: keyof ModuleLimits, bytes: Uint8Array, found: number])[] = [
    ['moduleBytes', code, code.length],
    ['functions', assemble('(module (func) (func) (func))'), 3],
    ['functionBytes', code, 13],
    ['locals', code, 3],
    ['nesting', code, 3],
    ['globals', assemble('(module (global i32 (i32.const 1)) (global i32 (i32.const 1)))'), 2],
    ['tables', assemble('(module (table 1 funcref) (table 1 funcref))'), 2],
    ['tableElements', assemble('(module (table 7 funcref))'), 7],
    ['dataBytes', data, 6],
  ];
  for (const [limit, bytes, found] of caps) {
    it(`X-12: ${limit} at its cap is admitted, one more is refused`, () => {
      assert.equal(refusal(bytes, { [limit]: found }), 'admitted');
      assert.equal(refusal(bytes, { [limit]: found - 1 }), `ERR_WASM_LIMIT ${limit} ${found - 1} ${found}`);
    });
  }

  const growing = assemble(`(module (memory (export "memory") 1)
    (table (export "table") 1 funcref)
    (func (export "grow") (result i32) (memory.grow (i32.const 2)))
    (func (export "growTable") (result i32) (table.grow 0 (ref.null func) (i32.const 3))))`);
  it('X-12: memory and tables grow to their cap and not further', () => {
    const admitted = admit(growing, { memoryBytes: 4 * 65_536, tableElements: 6 });
    assert.deepEqual(admitted.memory, { initialPages: 1, maximumPages: 4 });
    const exports = instantiate(admitted.metered);
    exports[admitted.fuelExport]!.value = 1_000_000n;
    assert.equal(exports['grow']!(), 1);
    assert.equal(exports[admitted.memoryDeniedExport]!.value, 0);
    assert.equal(exports['grow']!(), -1);
    assert.equal(exports[admitted.memoryDeniedExport]!.value, 1);
    assert.deepEqual([exports['growTable']!(), exports['growTable']!()], [1, -1]);
  });

  it('X-12: growing beyond the cap traps when configured, with exact fuel', () => {
    const admitted = admit(growing, { memoryBytes: 65_536, onMemoryLimit: 'trap' });
    const exports = instantiate(admitted.metered);
    exports[admitted.fuelExport]!.value = 100n;
    assert.throws(() => exports['grow']!(), wasmApi.RuntimeError);
    assert.equal(exports[admitted.memoryDeniedExport]!.value, 1);
    assert.equal(exports[admitted.fuelExport]!.value, 98n);
  });

  it('X-12: initial memory above the cap is refused', () => {
    const bytes = assemble('(module (memory 3))');
    assert.equal(refusal(bytes, { memoryBytes: 3 * 65_536 }), 'admitted');
    assert.match(refusal(bytes, { memoryBytes: 2 * 65_536 }), /^ERR_WASM_MEMORY/);
  });

  it('X-10: the start section runs only when called, and pays', () => {
    const admitted = admit(
      assemble(
        '(module (global $g (export "holdfast:fuel") (mut i32) (i32.const 1)) (func $s (global.set $g (i32.const 2))) (start $s))',
      ),
    );
    const exports = instantiate(admitted.metered);
    assert.notEqual(admitted.fuelExport, 'holdfast:fuel');
    assert.equal(exports['holdfast:fuel']!.value, 1);
    exports[admitted.fuelExport]!.value = 10n;
    assert.ok(admitted.startExport !== null);
    exports[admitted.startExport]!();
    assert.deepEqual([exports['holdfast:fuel']!.value, exports[admitted.fuelExport]!.value], [2, 8n]);
  });

  it('X-10: calls that double at every level are ended although nothing loops or recurs', () => {
    const levels = 60;
    const functions = Array.from({ length: levels }, (_, i) => `(func $f${i} (call $f${i + 1}) (call $f${i + 1}))`);
    const wat = `(module ${functions.join('')} (func $f${levels}) (export "run" (func $f0)))`;
    const admitted = admit(assemble(wat));
    const exports = instantiate(admitted.metered);
    exports[admitted.fuelExport]!.value = 1_000_000n;
    assert.throws(() => exports['run']!(), wasmApi.RuntimeError);
    const left = BigInt(exports[admitted.fuelExport]!.value);
    assert.ok(left < 0n && left > -10_000n, `${left}`);
  });

  it('X-16: the same module and limits give the same bytes and key; other limits another key', () => {
    assert.deepEqual(admit(growing), admit(growing));
    assert.notEqual(admit(growing).key, admit(growing, { tables: 15 }).key);
  });

  it('X-09: never changes what it was given', () => {
    const before = growing.slice();
    admit(growing);
    assert.deepEqual(growing, before);
    assert.throws(
      () => admit(growing.subarray(0, -1)),
      (error) => hasCode(error, 'ERR_WASM_MALFORMED'),
    );
  });
});
