/**
 * One slice of the fuzzer, run in a process of its own so that a loop nobody meters is ended from
 * outside: `fuzz-modules.ts FIRST_SEED COUNT`. Prints each seed before it is used; the last line of
 * a run that failed or hung names the one to repeat.
 */
import { admitModule, type AdmittedModule, DEFAULT_MODULE_LIMITS, type ModuleLimits } from '../src/index.ts';
import { hasCode, isHoldfastError } from '@holdfast/core';
import assert from 'node:assert/strict';
import { writeSync } from 'node:fs';
import { instantiate, type RandomExports } from './instantiate.ts';
import { meterByInstruction, ORACLE_FUEL } from './meter-oracle.ts';
import { randomFrom, randomModule } from './random-module.ts';

/** Enough for most random modules to end, little enough that the others cost no time. */
const FUEL = 60_000n;
/** Overdraft of every function on a deep stack together (see `MAX_UNTESTED`); a second's work. */
const MAX_OVERDRAFT = 20_000n * 3n * 4_096n;
const NO_IMPORTS = new Map();
const PAGE_BYTES = 65_536;

interface Outcome {
  readonly result: string;
  readonly state: string;
  readonly used: bigint;
  readonly denied: boolean;
}

function run(bytes: Uint8Array, fuelExport: string | undefined, deniedExport = ''): Outcome {
  const exports = instantiate(bytes) as RandomExports;
  const fuel = fuelExport === undefined ? undefined : exports[fuelExport]!;
  if (fuel !== undefined) fuel.value = FUEL;
  let result: string;
  try {
    result = `returned ${exports.run()}`;
  } catch (error) {
    result = error instanceof RangeError ? 'stack' : String(error);
  }
  const state = [exports.g0.value, exports.g1.value, Buffer.from(exports.memory.buffer).toString('base64')].join(' ');
  const used = fuel === undefined ? 0n : FUEL - BigInt(fuel.value);
  return { result, state, used, denied: exports[deniedExport]?.value === 1 };
}

/** Every fourth module meets a cap when it grows, in one of the two ways. */
function limitsFor(seed: number): ModuleLimits {
  if (seed % 4 !== 0) return DEFAULT_MODULE_LIMITS;
  return { ...DEFAULT_MODULE_LIMITS, memoryBytes: 2 * PAGE_BYTES, onMemoryLimit: seed % 8 === 0 ? 'trap' : 'refuse' };
}

/** The metered module against itself, the original and the oracle. */
function checkValid(seed: number): string {
  const bytes = randomModule(seed);
  const admitted: AdmittedModule = admitModule(bytes, NO_IMPORTS, limitsFor(seed));
  const again = () => run(admitted.metered, admitted.fuelExport, admitted.memoryDeniedExport);
  const metered = again();
  if (metered.result === 'stack') return 'stack';
  // the same again, also where fuel ran out.
  assert.deepEqual(again(), metered);
  assert.ok(metered.used <= FUEL + MAX_OVERDRAFT, 'far beyond its fuel');
  if (metered.used > FUEL && !metered.result.startsWith('returned')) return 'exhausted';
  if (metered.denied) return 'denied'; // The original would have got its memory.
  const original = run(bytes, undefined);
  assert.deepEqual([metered.result, metered.state], [original.result, original.state]);
  if (!metered.result.startsWith('returned')) return 'trapped';
  assert.equal(metered.used, run(meterByInstruction(bytes), ORACLE_FUEL).used, 'fuel differs from the oracle');
  return 'returned';
}

/** Broken bytes are refused with a code or are, by luck, a module that still runs within its fuel. */
function checkBroken(seed: number): string {
  const random = randomFrom(seed ^ 0x5eed);
  const bytes = randomModule(seed);
  const kind = random(3);
  let broken = bytes;
  if (kind === 0) broken = bytes.slice(0, random(bytes.length));
  for (let left = kind === 0 ? 0 : 1 + random(4); left > 0; left--) {
    const at = 8 + random(bytes.length - 8);
    if (kind === 1) broken[at] = random(256);
    else broken.copyWithin(at, 8 + random(bytes.length - 8), 8 + random(bytes.length - 8));
  }
  let admitted: AdmittedModule;
  try {
    admitted = admitModule(broken, NO_IMPORTS, DEFAULT_MODULE_LIMITS);
  } catch (error) {
    assert.ok(isHoldfastError(error) && !hasCode(error, 'ERR_WASM_FUEL'), `not a coded refusal: ${String(error)}`);
    return 'refused';
  }
  const exports = instantiate(admitted.metered, true);
  if (exports === undefined || typeof exports['run'] !== 'function') return 'luck';
  const fuel = exports[admitted.fuelExport] as { value: bigint };
  fuel.value = FUEL;
  try {
    exports['run']();
  } catch {
    // It trapped, ran out of fuel or of stack: any end is good, as long as there is one.
  }
  return 'luck';
}

const [first = 1, count = 1] = process.argv.slice(2).map(Number);
const tally: Record<string, number> = {};
for (let seed = first; seed < first + count; seed++) {
  if (seed % 16 === 0 || count < 16) writeSync(1, `seed ${seed}\n`);
  try {
    for (const check of [checkValid, checkBroken]) {
      const outcome = check(seed);
      tally[outcome] = (tally[outcome] ?? 0) + 1;
    }
  } catch (error) {
    writeSync(1, `seed ${seed}\n`);
    throw error;
  }
}
writeSync(1, `${JSON.stringify(tally)}\n`);
