/**
 * X-11: how fast SQLite's module is read, checked and rewritten; with V8's validation before and
 * after, which admitting adds; and beside binaryen reading and writing the same bytes unchanged.
 */
import { median } from '@holdfast/testing';
import binaryen from 'assemblyscript/binaryen';
import { decodeModule } from '../src/binary/module.ts';
import { checkModule } from '../src/gate/gate.ts';
import { admitModule, DEFAULT_MODULE_LIMITS, OFFERED_IMPORTS } from '../src/index.ts';
import { meterModule, scanModule } from '../src/meter/meter.ts';
import { buildProgram } from '../test/corpus/build.ts';
import { CORPUS } from '../test/corpus/programs.ts';

const WARM_UP_ROUNDS = 5;
const ROUNDS = 15;
const TARGET_MB_PER_S = 30;
const ADDED = { fuel: 'fuel', denied: 'denied', memory: null, start: null };

function rewrite(bytes: Uint8Array<ArrayBuffer>): void {
  const module = decodeModule(bytes, DEFAULT_MODULE_LIMITS);
  checkModule(module, OFFERED_IMPORTS, DEFAULT_MODULE_LIMITS);
  const scan = scanModule(module, DEFAULT_MODULE_LIMITS);
  meterModule(module, scan, ADDED, DEFAULT_MODULE_LIMITS, module.memory?.maximum ?? 1_024);
}

const megabytes = (rate: number): string => `${rate.toFixed(1)} MB/s`;

function readAndWrite(bytes: Uint8Array): void {
  const module = binaryen.readBinary(bytes);
  module.emitBinary();
  module.dispose();
}

export async function bench() {
  const sqlite = CORPUS.find(({ name }) => name === 'sqlite');
  if (sqlite === undefined) throw new Error('the corpus has SQLite');
  const bytes = Uint8Array.from((await buildProgram(sqlite)).bytes);
  const rate = (work: () => void): number => {
    const startMs = performance.now();
    work();
    return bytes.length / 1e3 / (performance.now() - startMs); // bytes a millisecond, in thousands: MB/s
  };
  const rates = { rewrite: [] as number[], admit: [] as number[], peer: [] as number[] };
  for (let round = 0; round < WARM_UP_ROUNDS + ROUNDS; round++) {
    const isKept = round >= WARM_UP_ROUNDS;
    const rewritten = rate(() => rewrite(bytes));
    const admitted = rate(() => admitModule(bytes, OFFERED_IMPORTS, DEFAULT_MODULE_LIMITS));
    if (!isKept) continue;
    rates.rewrite.push(rewritten);
    rates.admit.push(admitted);
    if (round % 5 === 0) rates.peer.push(rate(() => readAndWrite(bytes)));
  }
  const [rewriting, admitting, peer] = [median(rates.rewrite), median(rates.admit), median(rates.peer)];
  return [
    {
      row: 'X-11',
      name: 'rewriting SQLite: decode, check, meter',
      measured: megabytes(rewriting),
      against: `target of ${TARGET_MB_PER_S} MB/s`,
      ratio: rewriting / TARGET_MB_PER_S,
      wanted: { atLeast: 1 },
    },
    {
      row: 'X-11',
      name: 'admitting SQLite: that, hashed and validated by V8 twice',
      measured: megabytes(admitting),
      against: `${megabytes(peer)}, binaryen reading and writing it`,
      ratio: admitting / peer,
      wanted: { atLeast: 1 },
    },
  ];
}
