/**
 * programs in three languages that nobody wrote for the meter, SQLite and Lua among them,
 * run as their compilers made them, with the results they have without it.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { needs } from '@holdfast/testing';
import {
  admitModule,
  type Capabilities,
  compileAdmitted,
  DEFAULT_MODULE_LIMITS,
  DEFAULT_RUN_LIMITS,
  OFFERED_IMPORTS,
  runModule,
  type WasmResult,
} from '../src/index.ts';
import { buildNative, buildProgram } from './corpus/build.ts';
import { GOLDEN_FUEL } from './corpus/golden-fuel.ts';
import { CORPUS } from './corpus/programs.ts';
import { runPlain } from './corpus/run-plain.ts';

const run = promisify(execFile);

function capabilities(args: readonly string[]): Capabilities {
  return {
    args,
    env: {},
    stdin: new Uint8Array(0),
    directories: [],
    clock: { kind: 'fuel', startNs: 0n, fuelPerNs: 10 },
    randomness: { kind: 'seeded', seed: new Uint8Array(32) },
  };
}

/** What of a result is the same on every machine. */
function repeatable({ exitCode, error, stdout, fuelLeft, memorySha256 }: WasmResult): unknown {
  return { exitCode, error, stdout: Buffer.from(stdout).toString(), fuelLeft, memorySha256 };
}

for (const program of CORPUS) {
  describe(`corpus: ${program.name} (${program.language})`, needs('wasm-toolchain'), () => {
    const args = [program.name, program.testArgument];
    const open = async () => {
      const built = await buildProgram(program);
      const compiled = compileAdmitted(admitModule(built.bytes, OFFERED_IMPORTS, DEFAULT_MODULE_LIMITS));
      const start = (fuel: bigint): WasmResult =>
        runModule(compiled, {
          capabilities: capabilities(args),
          limits: { ...DEFAULT_RUN_LIMITS, fuel },
          hashMemory: true,
        });
      return { ...built, sha256: compiled.admitted.sha256, start };
    };

    it('X-09: runs unmodified, with the result it has without a meter and on Node’s own WASI', async () => {
      const { bytes, start } = await open();
      const result = start(DEFAULT_RUN_LIMITS.fuel);
      assert.equal(result.error, null);
      const plain = runPlain(bytes, args);
      assert.deepEqual(
        { exitCode: result.exitCode, stdout: Buffer.from(result.stdout).toString() },
        { exitCode: plain.exitCode, stdout: plain.stdout },
      );
      assert.match(plain.stdout, /\w/u, 'a program that says nothing proves nothing');
    });

    if (program.language === 'c') {
      it('X-09: has the result of a native build by another compiler', async () => {
        const { start } = await open();
        const native = await run(await buildNative(program), [program.testArgument]);
        assert.equal(Buffer.from(start(DEFAULT_RUN_LIMITS.fuel).stdout).toString(), native.stdout);
      });
    }

    it('X-10: takes the same fuel in every run, and that of the record for the recorded bytes', async (t) => {
      const { start, sha256, compiler } = await open();
      const first = start(DEFAULT_RUN_LIMITS.fuel);
      assert.deepEqual(repeatable(start(DEFAULT_RUN_LIMITS.fuel)), repeatable(first));
      const golden = GOLDEN_FUEL[program.name];
      assert.ok(golden !== undefined, 'every program has a record');
      if (golden.moduleSha256 === sha256) assert.equal(first.usage.fuel, golden.fuel);
      else t.diagnostic(`${compiler} made other bytes (${sha256}); they take ${first.usage.fuel} fuel`);
    });

    it('X-16: stops at the same place, with the same memory, when fuel runs out', async () => {
      const { start } = await open();
      const { fuel } = start(DEFAULT_RUN_LIMITS.fuel).usage;
      assert.equal(start(fuel).error, null, 'exactly enough is enough');
      for (const budget of [0n, fuel / 3n, fuel / 2n, fuel - 1n]) {
        const stopped = start(budget);
        assert.equal(stopped.error?.code, 'ERR_WASM_FUEL');
        assert.deepEqual(repeatable(start(budget)), repeatable(stopped));
      }
    });
  });
}
