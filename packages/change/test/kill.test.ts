/** P-12 with real processes, real files and SQLite: kill -9 at random. `HOLDFAST_KILL_ROUNDS` sets how often. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { temporaryDirectory } from '@holdfast/testing';
import { openDirectoryWorld } from './directory-world.ts';

const ROUNDS = Number(process.env['HOLDFAST_KILL_ROUNDS'] ?? 20);
const SCRIPT = join(import.meta.dirname, 'change-until-killed.ts');
const never = new AbortController().signal;

/** Lets the process work and kills it; returns what it was told: [change id, outcome]. */
async function workAndKill(directory: string, first: number): Promise<[string, string][]> {
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
  setTimeout(() => child.kill('SIGKILL'), Math.random() * 250);
  const [, signal] = (await ended) as [number | null, string | null];
  assert.equal(signal, 'SIGKILL', err);
  const lines = out.split('\n').slice(1, -1);
  return lines.map((line) => line.split(' ') as [string, string]);
}

describe('P-12: kill -9 of a process that carries out changes', () => {
  it(
    'leaves every change committed or reverted, sealed as such, and the host as the journal says',
    { timeout: 600_000 },
    async (t) => {
      const directory = temporaryDirectory(t);
      let told = 0;
      for (let round = 0; round < ROUNDS; round += 1) {
        const outcomes = await workAndKill(directory, 1 + round * 100_000);
        told += outcomes.length;
        using world = openDirectoryWorld(directory);
        await world.engine.recover(never);
        await world.engine.whenIdle();
        const records = (await world.engine.list(100_000)).toReversed();
        const wanted = new Map<string, string>();
        for (const { state, outcome, sealed, params, bundleId, changeId } of records) {
          assert.deepEqual([state, sealed], ['ended', true], changeId);
          assert.ok(outcome === 'committed' || outcome === 'reverted', `${changeId}: ${outcome}`);
          const seals = new Set(
            readFileSync(join(directory, 'sealed', bundleId), 'utf8')
              .trim()
              .split('\n'),
          );
          assert.deepEqual([...seals], [outcome], 'sealed again only as the same');
          if (outcome !== 'committed') continue;
          for (const [cell, value] of Object.entries(params['values'] ?? {})) wanted.set(cell, String(value));
        }
        assert.equal(readdirSync(join(directory, 'sealed')).length, records.length);
        const known = new Map<string, string | null>(records.map(({ changeId, outcome }) => [changeId, outcome]));
        for (const [changeId, outcome] of outcomes)
          assert.equal(known.get(changeId), outcome, 'what was told stays true');
        for (const cell of ['a', 'b', 'c', 'd']) {
          const path = join(directory, 'cells', cell);
          assert.equal(existsSync(path) ? readFileSync(path, 'utf8') : undefined, wanted.get(cell), `cell ${cell}`);
        }
      }
      assert.ok(told > ROUNDS / 4, `${told} changes were told`);
    },
  );
});
