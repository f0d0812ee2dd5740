/**
 * what a run costs besides the guest's own work: a fresh instance, its capabilities, its result.
 * Beside it, in the same rounds: the bare instance of the unmetered module, which is the floor, and
 * `node:wasi`, which is what Node offers. The ratio is the median of the ratios of the rounds.
 */
import { median } from '@holdfast/testing';
import { WASI } from 'node:wasi';

import { admitModule } from '../src/admit.ts';
import { compileAdmitted, runModule } from '../src/engine/run-module.ts';
import { wasmApi } from '../src/engine/web-assembly.ts';
import { DEFAULT_MODULE_LIMITS, DEFAULT_RUN_LIMITS } from '../src/limits.ts';
import { OFFERED_IMPORTS } from '../src/wasi/imports.ts';
import { wat } from '../test/wat.ts';

const ROUNDS = 40;
const RUNS = 100;

const bytes = wat(`(module
  (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
  (memory (export "memory") 1)
  (func (export "_start")))`);
const compiled = compileAdmitted(admitModule(bytes, OFFERED_IMPORTS, DEFAULT_MODULE_LIMITS));
const original = new wasmApi.Module(bytes);

const contenders = {
  holdfast: () => {
    runModule(compiled, {
      capabilities: {
        args: ['guest'],
        env: { LANG: 'C' },
        stdin: new Uint8Array(0),
        directories: [],
        clock: { kind: 'fuel', startNs: 0n, fuelPerNs: 1 },
        randomness: { kind: 'system' },
      },
      limits: DEFAULT_RUN_LIMITS,
    });
  },
  bare: () => {
    const instance = new wasmApi.Instance(original, compiled.wasi.imports);
    (instance.exports['_start'] as () => void)();
  },
  'node:wasi': () => {
    const wasi = new WASI({ version: 'preview1', args: ['guest'], env: { LANG: 'C' } });
    wasi.start(new wasmApi.Instance(original, wasi.getImportObject() as Record<string, Record<string, unknown>>));
  },
};

type Name = keyof typeof contenders;
const NAMES = Object.keys(contenders) as Name[]; // its own keys

export function bench() {
  const usPerRun: Record<Name, number[]> = { holdfast: [], bare: [], 'node:wasi': [] };
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of NAMES) {
      const start = performance.now();
      for (let run = 0; run < RUNS; run++) contenders[name]();
      usPerRun[name].push(((performance.now() - start) * 1_000) / RUNS);
    }
  }
  const figure = (peer: Name, wanted: { atMost: number } | null) => ({
    row: 'X-11',
    name: 'a run of an empty program: instance, capabilities, result',
    measured: `${median(usPerRun.holdfast).toFixed(1)} µs`,
    against: `${peer}, ${median(usPerRun[peer]).toFixed(1)} µs`,
    ratio: median(usPerRun.holdfast.map((us, round) => us / usPerRun[peer][round]!)), // as many rounds each
    wanted,
  });
  return Promise.resolve([figure('bare', null), figure('node:wasi', { atMost: 1 })]);
}
