/** P-21: kill -9 at random moments, with an oracle of what was acknowledged. `HOLDFAST_KILL_ROUNDS` sets how often. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { temporaryDirectory } from '@holdfast/testing';
import { verifyAuditLog } from '../src/index.ts';
import { openLog, publicKeys } from './log-fixture.ts';

const ROUNDS = Number(process.env['HOLDFAST_KILL_ROUNDS'] ?? 50);
/** Independent logs, killed side by side. */
const LANES = 2;
const SCRIPT = join(import.meta.dirname, 'append-until-killed.ts');

/** Runs the appender until it is killed; returns what it said was acknowledged, as [number, seq]. */
async function appendAndKill(directory: string, first: number): Promise<[number, number][]> {
  const child = spawn(process.execPath, [SCRIPT, directory, String(first)], { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  const isReady = Promise.withResolvers<void>();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    if (out.startsWith('ready\n')) isReady.resolve();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const ended = once(child, 'close');
  await Promise.race([isReady.promise, ended]);
  setTimeout(() => child.kill('SIGKILL'), Math.random() * 60);
  const [, signal] = (await ended) as [number | null, string | null];
  assert.equal(signal, 'SIGKILL', err);
  const lines = out.split('\n').slice(1, -1); // the last one may be half
  return lines.map((line) => line.split(' ').map(Number) as [number, number]);
}

describe('P-21: kill -9 while appending', () => {
  it('loses no acknowledged record, and the log verifies after each recovery', { timeout: 600_000 }, async (t) => {
    const root = temporaryDirectory(t);
    const lane = async (name: string): Promise<number> => {
      const directory = join(root, name);
      let acknowledgedInAll = 0;
      for (let round = 0; round < Math.ceil(ROUNDS / LANES); round += 1) {
        const acknowledged = await appendAndKill(directory, round * 1_000_000);
        const log = await openLog(directory, { segmentBytes: 20_000 });
        const first = acknowledged[0]?.[1];
        if (first !== undefined) {
          const records = new Map((await log.read(first, 1_000_000)).map((record) => [record.seq, record]));
          for (const [number, seq] of acknowledged) assert.equal(records.get(seq)?.detail['n'], number);
        }
        await log.close();
        const verdict = await verifyAuditLog(directory, { publicKeys });
        assert.deepEqual(verdict.problems, [], `${name}, round ${round}`);
        acknowledgedInAll += acknowledged.length;
      }
      return acknowledgedInAll;
    };
    const counts = await Promise.all(Array.from({ length: LANES }, (_, at) => lane(`lane-${at}`)));
    assert.ok(
      counts.every((count) => count > ROUNDS),
      `acknowledged: ${counts.join(', ')}`,
    );
  });
});
