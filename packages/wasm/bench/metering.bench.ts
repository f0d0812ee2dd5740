/**
 * what counting costs. Every program of the corpus, metered and as its compiler made it, in
 * turns, in the same process, with the same engine and the same WASI (Node's, so that only the code
 * differs); the figure is the median of the paired ratios. Beside it the way of instrumentation that can be
 * installed from the npm registry: binaryen's `log-execution`, a call to the host at each function
 * and loop. Then how fast an instance of a compiled module is there.
 */
import { openSync } from 'node:fs';
import { median, percentile } from '@holdfast/testing';
import binaryen from 'assemblyscript/binaryen';
import { wasmApi, type WasmGlobal, type WasmModule } from '../src/engine/web-assembly.ts';
import {
  admitModule,
  type AdmittedModule,
  compileAdmitted,
  DEFAULT_MODULE_LIMITS,
  OFFERED_IMPORTS,
} from '../src/index.ts';
import { buildProgram } from '../test/corpus/build.ts';
import { CORPUS, type CorpusProgram } from '../test/corpus/programs.ts';
import { type PlainOptions, startPlain } from '../test/corpus/run-plain.ts';

/** Baseline code runs first, and a large module's functions become hot one after the other. */
const WARM_UP_ROUNDS = 4;
const WARM_UP_MS = 2_000;
const ROUNDS = 15;
/** Slow, and far enough off for that. */
const PEER_ROUNDS = 3;
const INSTANCES = 200;
const PLENTY = 2n ** 62n;

const MEAN_TARGET = 1.1;
const WORST_TARGET = 1.25;
const INSTANTIATE_TARGET_MS = 0.1;

interface Subject {
  readonly program: CorpusProgram;
  readonly bytes: Uint8Array;
  readonly admitted: AdmittedModule;
}

/** Fresh instance, whole program, standard output to nowhere. @returns milliseconds */
type Contender = () => number;

const NOWHERE = openSync('/dev/null', 'r+');

function contender(module: WasmModule, program: CorpusProgram, options: PlainOptions = {}): Contender {
  const args = [program.name, program.benchArgument];
  return () => {
    const startMs = performance.now();
    const exitCode = startPlain(module, args, NOWHERE, options);
    const tookMs = performance.now() - startMs;
    if (exitCode !== 0) throw new Error(`${program.name} failed`);
    return tookMs;
  };
}

function warmUp(subject: Contender, peer: Contender): void {
  const startMs = performance.now();
  for (let round = 0; round < WARM_UP_ROUNDS || performance.now() - startMs < WARM_UP_MS; round++) {
    subject();
    peer();
  }
}

/** In turns, the order changing. */
function ratios(subject: Contender, peer: Contender, rounds: number): number[] {
  return Array.from({ length: rounds }, (_, round) => {
    if (round % 2 === 0) {
      const subjectMs = subject();
      return subjectMs / peer();
    }
    const peerMs = peer();
    return subject() / peerMs;
  });
}

function withLogging(bytes: Uint8Array): Uint8Array {
  const module = binaryen.readBinary(bytes);
  try {
    module.runPasses(['log-execution']);
    return module.emitBinary();
  } finally {
    module.dispose();
  }
}

interface Overhead {
  readonly metered: number;
  readonly logged: number;
}

function overheadOf({ program, bytes, admitted }: Subject): Overhead {
  const plain = contender(new wasmApi.Module(bytes), program);
  const metered = contender(new wasmApi.Module(admitted.metered), program, {
    prepare: (exports) => {
      (exports[admitted.fuelExport] as WasmGlobal<bigint>).value = PLENTY; // what the contract of AdmittedModule says it is
    },
  });
  let calls = 0;
  const logged = contender(new wasmApi.Module(withLogging(bytes)), program, {
    imports: { log_execution: () => void calls++ },
  });
  warmUp(metered, plain);
  const overhead = {
    metered: median(ratios(metered, plain, ROUNDS)),
    logged: median(ratios(logged, plain, PEER_ROUNDS)),
  };
  if (calls === 0) throw new Error('the peer counted nothing');
  return overhead;
}

const geometricMean = (values: readonly number[]): number =>
  Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);

const times = (ratio: number): string => `${ratio.toFixed(2)} ×`;
const microseconds = (ms: number): string => `${(ms * 1_000).toFixed(0)} µs`;

function instantiateFigure({ program, admitted }: Subject) {
  const { module, wasi } = compileAdmitted(admitted);
  const instances: object[] = [];
  const tookMs = Array.from({ length: INSTANCES }, () => {
    const startMs = performance.now();
    instances.push(new wasmApi.Instance(module, wasi.imports)); // kept, so that collecting them is not in the time
    return performance.now() - startMs;
  });
  return {
    row: 'X-11',
    name: `an instance of ${program.name}, compiled before; p95 ${microseconds(percentile(tookMs, 95))}`,
    measured: microseconds(median(tookMs)),
    against: `target of ${microseconds(INSTANTIATE_TARGET_MS)}`,
    ratio: median(tookMs) / INSTANTIATE_TARGET_MS,
    wanted: { atMost: 1 },
  };
}

export async function bench() {
  const subjects: Subject[] = [];
  for (const program of CORPUS) {
    const { bytes } = await buildProgram(program);
    subjects.push({ program, bytes, admitted: admitModule(bytes, OFFERED_IMPORTS, DEFAULT_MODULE_LIMITS) });
  }
  const overheads = new Map(subjects.map((subject) => [subject.program.name, overheadOf(subject)]));
  const sqlite = subjects.find(({ program }) => program.name === 'sqlite');
  if (sqlite === undefined) throw new Error('the corpus has SQLite');
  const each = [...overheads].map(([name, { metered, logged }]) => ({
    row: 'X-11',
    name: `${name}, metered`,
    measured: times(metered),
    against: `unmetered; a host call per loop and function: ${times(logged)}`,
    ratio: metered,
    wanted: { atMost: WORST_TARGET },
  }));
  const mean = geometricMean([...overheads.values()].map(({ metered }) => metered));
  const peerMean = geometricMean([...overheads.values()].map(({ logged }) => logged));
  return [
    ...each,
    {
      row: 'X-11',
      name: `geometric mean of ${each.length} programs, metered`,
      measured: times(mean),
      against: `unmetered; a host call per loop and function: ${times(peerMean)}`,
      ratio: mean,
      wanted: { atMost: MEAN_TARGET },
    },
    instantiateFigure(sqlite),
  ];
}
