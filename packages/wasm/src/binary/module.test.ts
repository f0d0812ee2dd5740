/** Hostile bytes at the decoder, through `admitModule`: every end is a coded refusal or a valid module. */
import { isHoldfastError } from '@holdfast/core';
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import wabt from 'wabt';
import { admitModule } from '../admit.ts';
import { wasmApi } from '../engine/web-assembly.ts';
import { DEFAULT_MODULE_LIMITS, type ModuleLimits } from '../limits.ts';

const malformed = (reason: string) => `ERR_WASM_MALFORMED ${reason}`;
const HEADER = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const MIB = 1_048_576;

/** `admitted`, or the code, what it is about, and where. What is admitted must also be valid. */
function outcome(bytes: Uint8Array, limits: Partial<ModuleLimits> = {}): string {
  try {
    const { metered } = admitModule(bytes, new Map(), { ...DEFAULT_MODULE_LIMITS, ...limits });
    assert.ok(wasmApi.validate(metered));
    return 'admitted';
  } catch (error) {
    assert.ok(isHoldfastError(error), String(error));
    const { feature, limit, reason } = error.fields;
    return `${error.code} ${feature ?? limit ?? reason ?? ''}`.trimEnd();
  }
}
const module = (...bytes: number[]) => Uint8Array.from([...HEADER, ...bytes]);
const section = (id: number, ...bytes: number[]) => [id, bytes.length, ...bytes];
const TYPE = section(1, 1, 0x60, 0, 0);
const FUNCTION = section(3, 1, 0);
const CODE = section(10, 1, 2, 0, 0x0b);

const leb = (value: number) => [0, 7, 14, 21, 28].map((shift) => ((value >>> shift) & 0x7f) | (shift < 28 ? 0x80 : 0));

/** A section of `count` copies of `item`, as a hostile module declares it. */
function crowded(before: readonly number[], id: number, count: number, item: readonly number[]): Uint8Array {
  const head = [...HEADER, ...before, id, ...leb(count * item.length + 5), ...leb(count)];
  const bytes = new Uint8Array(head.length + count * item.length);
  bytes.set(head);
  const items = Uint8Array.from(item);
  for (let at = head.length; at < bytes.length; at += items.length) bytes.set(items, at);
  return bytes;
}

/** One of everything that has a place in a module. */
const assembler = await wabt();
const RICH = new Uint8Array(
  assembler
    .parseWat(
      'rich.wat',
      `(module (type $t (func (param i32) (result i32))) (table $a 2 9 funcref) (memory (export "m") 1 3)
        (global $g (mut i32) (i32.const -5)) (start $s) (elem (i32.const 0) $f $f) (data $d "abc")
        (func $s (global.set $g (i32.const 1)))
        (func $f (export "f") (type $t) (local i64 f32)
          (block $b (loop $l (br_if $b (i32.eqz (local.get 0))) (br_table $l $b (local.get 0))))
          (memory.init $d (i32.const 0) (i32.const 0) (i32.const 3)) (data.drop $d)
          (if (result i32) (i32.const 1) (then (call $f (i32.const 0)))
            (else (call_indirect (type $t) (i32.load offset=300 (i32.const 4)) (i32.const 1))))))`,
    )
    .toBinary({}).buffer,
);

describe('decodeModule', () => {
  it('X-09: refuses a module that ends early, at every byte', () => {
    assert.equal(outcome(RICH), 'admitted');
    for (let end = 0; end < RICH.length; end++) {
      const part = RICH.subarray(0, end);
      // What is left may be a whole module by itself, such as the header alone; V8 is asked who is right.
      assert.equal(outcome(part) === 'admitted', wasmApi.validate(part), `first ${end} bytes`);
    }
  });

  it('X-09: every other value of every byte is refused with a code, or makes a module that stays valid', () => {
    let admitted = 0;
    for (let at = 0; at < RICH.length; at++) {
      for (let value = 0; value < 256; value++) {
        const bytes = RICH.slice();
        bytes[at] = value;
        if (outcome(bytes) === 'admitted') {
          admitted++;
          assert.ok(wasmApi.validate(bytes), `byte ${at} = ${value}`); // never more than V8 accepts
        }
      }
    }
    assert.ok(admitted > RICH.length);
  });

  it('X-09: leaves nothing out that V8 would run: a byte V8 accepts is admitted, or refused as a feature or limit', () => {
    for (let at = 8; at < RICH.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const bytes = RICH.slice();
        bytes[at]! ^= 1 << bit;
        if (!wasmApi.validate(bytes)) continue;
        const result = outcome(bytes);
        assert.ok(
          /^(?:admitted|ERR_WASM_(?:FEATURE|LIMIT|MEMORY|IMPORT) ?.*)$/.test(result),
          `${at}.${bit}: ${result}`,
        );
      }
    }
  });

  const rows: readonly (readonly [name: string, bytes: Uint8Array, want: string])[] = [
    ['the header alone', module(), 'admitted'],
    ['sections in order', module(...TYPE, ...FUNCTION, ...CODE), 'admitted'],
    ['a section twice', module(...TYPE, ...TYPE), malformed('section out of order or twice')],
    ['code before functions', module(...TYPE, ...CODE), malformed('as many bodies as functions expected')],
    ['functions without code', module(...TYPE, ...FUNCTION), malformed('functions without code')],
    [
      'a data count after the code',
      module(...TYPE, ...FUNCTION, ...CODE, 12, 1, 0),
      malformed('section out of order or twice'),
    ],
    ['a data count without data', module(12, 1, 1), malformed('V8 finds the module invalid')],
    ['a data count that differs', module(5, 3, 1, 0, 1, 12, 1, 2, 11, 4, 1, 1, 1, 0), malformed('data count differs')],
    ['a custom section with a name', module(0, 3, 1, 0x61, 9), 'admitted'],
    ['a custom section without a name', module(0, 0), malformed('unexpected end')],
    ['a custom section whose name is longer', module(0, 2, 9, 0x61), malformed('length beyond the end')],
    ['a section with more than its contents', module(1, 2, 0, 0), malformed('section longer than its contents')],
    ['a section beyond the end', module(1, 9, 0), malformed('length beyond the end')],
    ['a number in five bytes', module(1, 0x81, 0x80, 0x80, 0x80, 0x00, 0), 'admitted'],
    ['a number in six bytes', module(1, 0x81, 0x80, 0x80, 0x80, 0x80, 0x00, 0), malformed('number out of range')],
    ['a number above 32 bits', module(1, 0x81, 0x80, 0x80, 0x80, 0x10, 0), malformed('number out of range')],
    ['an unknown function in an element segment', module(9, 5, 1, 1, 0, 1, 7), malformed('unknown function')],
    ['an unknown type of a function', module(...FUNCTION, ...CODE), malformed('unknown type index')],
    [
      'a name that is not UTF-8',
      module(...TYPE, ...FUNCTION, 7, 5, 1, 1, 0xff, 0, 0, ...CODE),
      malformed('name is not UTF-8'),
    ],
  ];
  for (const [name, bytes, want] of rows) it(`X-09: ${name}`, () => assert.equal(outcome(bytes), want));

  const numbers: readonly (readonly [name: string, constant: readonly number[], want: string])[] = [
    ['the least i32', [0x41, 0x80, 0x80, 0x80, 0x80, 0x78], 'admitted'],
    ['an i32 below the least', [0x41, 0xff, 0xff, 0xff, 0xff, 0x77], malformed('number out of range')],
    ['the greatest i32', [0x41, 0xff, 0xff, 0xff, 0xff, 0x07], 'admitted'],
    ['an i32 above the greatest', [0x41, 0x80, 0x80, 0x80, 0x80, 0x08], malformed('number out of range')],
    ['an i32 in six bytes', [0x41, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00], malformed('number too long')],
    ['the least i64', [0x42, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f], 'admitted'],
    [
      'an i64 above 64 bits',
      [0x42, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
      malformed('number out of range'),
    ],
  ];
  for (const [name, constant, want] of numbers) {
    it(`X-09: ${name}`, () => {
      const type = constant[0] === 0x41 ? 0x7f : 0x7e;
      assert.equal(outcome(module(...section(6, 1, type, 0, ...constant, 0x0b))), want);
    });
  }

  // Each is larger in memory than in the module, so that it must be refused before anything of it is kept.
  const crowds: readonly (readonly [name: string, bytes: Uint8Array, want: string])[] = [
    ['types', crowded([], 1, MIB, [0x60, 0, 0]), 'ERR_WASM_LIMIT types'],
    ['imports', crowded(TYPE, 2, MIB, [0, 0, 0, 0]), 'ERR_WASM_LIMIT functions'],
    ['functions', crowded(TYPE, 3, MIB, [0]), 'ERR_WASM_LIMIT functions'],
    ['tables', crowded([], 4, MIB, [0x70, 0, 0]), 'ERR_WASM_LIMIT tables'],
    ['exports', crowded([], 7, MIB, [0, 0, 0]), 'ERR_WASM_LIMIT exports'],
    ['globals', crowded([], 6, MIB, [0x7f, 0, 0x41, 0, 0x0b]), 'ERR_WASM_LIMIT globals'],
  ];
  for (const [name, bytes, want] of crowds) {
    it(`X-12: a million ${name} are refused while they are counted`, () => assert.equal(outcome(bytes), want));
  }

  for (const count of [0x7fff_ffff, 0xffff_ffff]) {
    it(`X-12: a count of ${count} in a few bytes allocates nothing`, () => {
      for (const id of [1, 2, 3, 4, 6, 7, 9, 10, 11]) {
        const bytes = crowded([], id, 0, []);
        new DataView(bytes.buffer).setUint8(9, 5);
        bytes.set([0xff, 0xff, 0xff, 0xff, count > 0x7fff_ffff ? 0x0f : 0x07], bytes.length - 5);
        assert.match(outcome(bytes), /^ERR_WASM_(?:MALFORMED|LIMIT)/, String(id));
      }
    });
  }

  it('X-12: names chosen to collide with what is added cost no more than reading them', () => {
    const names = Array.from({ length: 2_000 }, (_, i) => `(export "holdfast${'_'.repeat(i)}:fuel" (func 0))`);
    const text = `(module (func) ${names.join('')})`;
    const bytes = new Uint8Array(assembler.parseWat('names.wat', text).toBinary({}).buffer);
    const { fuelExport } = admitModule(bytes, new Map(), DEFAULT_MODULE_LIMITS);
    assert.equal(fuelExport, `holdfast${'_'.repeat(2_000)}:fuel`);
  });

  it('X-12: a module with as many exports as V8 takes has no room for those that are added', () => {
    const count = 1_000_000;
    assert.equal(outcome(crowded([], 7, count, [0, 0, 0]), { exports: count }), 'ERR_WASM_LIMIT exports');
  });
});
