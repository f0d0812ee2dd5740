/**
 * lint, verify and evaluate a gate of 1,000 packets and 100,000 runs against the two seconds that
 * the row allows, in elapsed time: signatures are verified beside the parsing. Every round starts from
 * the bytes of a log in a file.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { median, milliseconds, temporaryDirectory } from '@holdfast/testing';
import { assess, openGateLog, parseGate } from '../src/index.ts';
import { SignedGate } from '../test/signed-gate.ts';
import { GATE_ID, SOURCE } from '../test/sample-gate.ts';

const PACKETS = 1_000;
const COMMANDS = 50;
const ROUNDS = 5;
const ALLOWED_S = 2;

export async function bench() {
  const cleanups: (() => void)[] = [];
  try {
    const directory = temporaryDirectory({ after: (fn) => cleanups.push(fn) });
    const gate = new SignedGate({ packets: PACKETS, commands: COMMANDS });
    const { log, checkpoint } = gate.bytes;
    writeFileSync(join(directory, 'log.jsonl'), log);
    writeFileSync(join(directory, 'checkpoint'), checkpoint);
    const totals: number[] = [];
    const parts = { lint: [] as number[], verify: [] as number[], evaluate: [] as number[] };
    for (let round = 0; round < ROUNDS; round++) {
      const start = performance.now();
      // A comment, so that nothing remembers this text from the round before.
      if (parseGate(`${gate.text}# ${round}\n`).gate === null) throw new Error('a good gate file does not lint');
      const linted = performance.now();
      const { records } = await openGateLog(directory, { gateId: GATE_ID, signal: new AbortController().signal });
      const verified = performance.now();
      const { verdict, reasons } = assess({ records, current: null, candidate: SOURCE, nowMs: gate.nowMs });
      const evaluated = performance.now();
      if (verdict !== 'GO') throw new Error(`a good gate is ${verdict}: ${JSON.stringify(reasons.slice(0, 3))}`);
      parts.lint.push(linted - start);
      parts.verify.push(verified - linted);
      parts.evaluate.push(evaluated - verified);
      totals.push((evaluated - start) / 1_000);
    }
    const took = Object.entries(parts).map(([name, times]) => `${name} ${milliseconds(median(times))}`);
    const runs = (2 * PACKETS + 1) * COMMANDS;
    return [
      {
        row: 'R-35',
        name: 'lint, verify and evaluate a gate',
        measured: `${PACKETS} packets, ${runs} runs, ${gate.head.size} records: ${took.join(', ')}`,
        against: `${ALLOWED_S} s`,
        ratio: median(totals) / ALLOWED_S,
        wanted: { atMost: 1 },
      },
    ];
  } finally {
    for (const cleanup of cleanups.toReversed()) cleanup();
  }
}
