/**
 * X-11: admitting a module (decode, check, meter, hash, and V8's validation before and after) against
 * V8 compiling the same bytes and binaryen reading and writing them, in one process, in turns. The
 * module is made here: many functions of ordinary code, some 3 MB.
 */
import { costOf, median } from '@holdfast/testing';
import binaryen from 'assemblyscript/binaryen';
import wabt from 'wabt';
import { wasmApi } from '../src/engine/web-assembly.ts';
import { admitModule, DEFAULT_MODULE_LIMITS } from '../src/index.ts';

const FUNCTIONS = 16_000;
const ROUNDS = 15;
const BINARYEN_ROUNDS = 1;
const MB = 1e6;

/** Each a little different, so that nothing can be shared. */
const functionText = (i: number) => `(func $f${i} (param i32 i32) (result i32) (local i32 f64)
  (block $out (loop $top
    (br_if $out (i32.ge_u (local.get 2) (i32.and (local.get 1) (i32.const ${100 + i}))))
    (if (i32.and (local.get 2) (i32.const 1))
      (then (i32.store offset=${16 * (i % 500)} (i32.shl (local.get 2) (i32.const 2)) (i32.add (local.get 0) (i32.const ${i}))))
      (else (local.set 3 (f64.add (local.get 3) (f64.convert_i32_s (i32.load8_u offset=${i} (local.get 0)))))))
    (local.set 0 (i32.xor (i32.mul (local.get 0) (i32.const ${1_664_525 + i})) (i32.shr_u (local.get 0) (i32.const 7))))
    (local.set 2 (i32.add (local.get 2) (i32.const 1)))
    (br_if $top (i32.ne (local.get 0) (i32.const ${i * 31})))
    (drop (call $f${i === 0 ? 0 : i - 1} (local.get 2) (i32.const 3))) (br $top)))
  (i32.add (local.get 0) (i32.trunc_sat_f64_s (local.get 3))))`;

const megabytes = (rates: readonly number[]) => `${median(rates).toFixed(1)} MB/s`;

export async function bench() {
  const assembler = await wabt();
  const text = `(module (memory 1) ${Array.from({ length: FUNCTIONS }, (_, i) => functionText(i)).join('\n')})`;
  const bytes = new Uint8Array(assembler.parseWat('bench.wat', text).toBinary({}).buffer);
  const rate = async (work: () => unknown) => bytes.length / MB / (await costOf(work)).wallS;

  const subject: number[] = [];
  const compile: number[] = [];
  const peer: number[] = [];
  let ratio = 0;
  for (let round = 0; round < ROUNDS; round++) {
    subject.push(
      await rate(() => {
        ratio = admitModule(bytes, new Map(), DEFAULT_MODULE_LIMITS).metered.length / bytes.length;
      }),
    );
    // V8 keeps compiled modules by their bytes: a custom section makes them new to it.
    const fresh = Uint8Array.of(0, 3, 2, 0x72, round);
    const changed = new Uint8Array(bytes.length + fresh.length);
    changed.set(bytes);
    changed.set(fresh, bytes.length);
    compile.push(await rate(() => new wasmApi.Module(changed)));
    if (round < BINARYEN_ROUNDS) {
      peer.push(
        await rate(() => {
          const module = binaryen.readBinary(bytes);
          module.emitBinary();
          module.dispose();
        }),
      );
    }
  }
  return {
    module: `${(bytes.length / MB).toFixed(2)} MB, ${ratio.toFixed(2)} times that when metered`,
    admit: megabytes(subject),
    'V8 compiling it (lazily)': megabytes(compile),
    'binaryen reading and writing it': megabytes(peer),
    'admit against binaryen': `${(median(subject) / median(peer)).toFixed(1)} times`,
  };
}
