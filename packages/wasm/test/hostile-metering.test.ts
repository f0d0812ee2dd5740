/**
 * Modules written to run far beyond their fuel: each makes as much work as it can between two
 * tests of the counter. What they overdraw must stay small and known, for every function on the stack.
 */
import { admitModule, DEFAULT_MODULE_LIMITS } from '../src/index.ts';
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { wasmApi } from '../src/engine/web-assembly.ts';
import { instantiate, type RandomExports } from './instantiate.ts';
import { wat } from './wat.ts';

const FUEL = 1_000_000n;
const RECURSIONS = 2_000;
/** Overdraft of one function on the call stack: see `MAX_UNTESTED`. */
const MAX_OVERDRAFT = 3n * 4_096n;

const repeat = (text: string, times: number) => text.repeat(times);
const recurse = '(if (local.get 0) (then (call $f (i32.sub (local.get 0) (i32.const 1)))))';
/** Straight, without a test of its own, and too dear to be charged by its callers. */
const leaf = `(func $leaf (local i32) ${repeat('(local.set 0 (i32.mul (local.get 0) (i32.const 3)))', 1_000)})`;

describe('hostile metering', () => {
  const bodies: Readonly<Record<string, string>> = {
    'calls that are made while recursion returns': `${recurse} ${repeat('(call $leaf)', 4_000)}`,
    'calls through a table while recursion returns': `${recurse} ${repeat('(call_indirect (type $void) (i32.const 0))', 2_000)}`,
    'branches over code that is never executed': repeat(
      `${repeat('(call $leaf)', 200)} (block (br_if 0 (i32.const 1)) ${repeat('(drop (i32.const 1))', 4_100)})`,
      20,
    ),
    'both ways of an if, each with code behind a return': repeat(
      `(if (local.get 0) (then ${repeat('(call $leaf)', 200)}) (else (block (br 0) ${repeat('(drop (i32.const 1))', 4_100)})))`,
      20,
    ),
    'one case of a br_table': repeat(
      `(block (block (br_table 0 1 (i32.const 1))) ${repeat('(drop (i32.const 1))', 4_100)}) ${repeat('(call $leaf)', 200)}`,
      20,
    ),
    'straight code': repeat('(local.set 0 (i32.add (local.get 0) (i32.const 1)))', 300_000),
  };
  for (const [name, body] of Object.entries(bodies)) {
    it(`X-10: ${name} cannot overdraw fuel by more than a little`, () => {
      const bytes = wat(`(module (type $void (func)) (table funcref (elem $leaf)) ${leaf}
        (func $f (param i32) ${body}) (func (export "run") (call $f (i32.const ${RECURSIONS}))))`);
      const { metered, fuelExport } = admitModule(bytes, new Map(), DEFAULT_MODULE_LIMITS);
      const left = () => {
        const exports = instantiate(metered) as RandomExports;
        exports[fuelExport]!.value = FUEL;
        assert.throws(() => exports.run(), wasmApi.RuntimeError);
        return exports[fuelExport]!.value;
      };
      assert.ok(left() < 0n);
      assert.ok(left() >= -MAX_OVERDRAFT * BigInt(RECURSIONS), String(left()));
      assert.equal(left(), left());
    });
  }
});
