/** an append that is killed, or told that the disk is full, at each of its system calls in turn. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { needs, temporaryDirectory } from '@holdfast/testing';
import { openGateLog } from '../src/index.ts';
import { ANN, freeze, GATE_ID, note } from './sample-gate.ts';

const SCRIPT = join(import.meta.dirname, 'append-once.ts');
/** What an append does to files; Node makes none of these calls on its own. */
const CALLS = ['pwrite64', 'fsync', 'ftruncate', 'rename'] as const;
/** More calls of one kind than an append makes. */
const MAX_CALLS = 30;

const signal = new AbortController().signal;
const open = async (directory: string) => openGateLog(directory, { gateId: GATE_ID, create: true, signal });

/** @param fault as strace takes it: `error=ENOSPC`, `signal=SIGKILL` */
function appendWith(directory: string, call: string, fault: string, when: number) {
  const trace = join(directory, '..', 'trace');
  // One thread in the pool, because strace counts the calls of each thread by itself.
  const argv = ['-f', '-o', trace, '-e', `trace=${call}`, '-e', `inject=${call}:${fault}:when=${when}`];
  const { stdout } = spawnSync('strace', [...argv, process.execPath, SCRIPT, directory], {
    encoding: 'utf8',
    timeout: 60_000,
    env: { PATH: process.env['PATH'], UV_THREADPOOL_SIZE: '1' },
  });
  return { said: stdout, wasHit: /\(INJECTED\)|killed by SIGKILL/.test(readFileSync(trace, 'utf8')) };
}

describe('R-10: an append with a fault at each of its system calls', () => {
  for (const call of CALLS) {
    for (const fault of ['error=ENOSPC', 'signal=SIGKILL']) {
      it(`${call}, ${fault}: all of the batch or nothing, and it opens again`, needs('strace'), async (t) => {
        const before = join(temporaryDirectory(t), 'log');
        const log = await open(before);
        await log.append([freeze(), note('old')], ANN);
        const lines = readFileSync(join(before, 'log.jsonl'));
        let hits = 0;
        for (let when = 1; when <= MAX_CALLS; when += 1) {
          const directory = join(temporaryDirectory(t), 'log');
          cpSync(before, directory, { recursive: true });
          const { said, wasHit } = appendWith(directory, call, fault, when);
          const after = await open(directory);
          const where = `call ${when} said ${said}`;
          if (said === 'recorded') assert.equal(after.head.size, 4, where);
          else if (said === 'ERR_GATE_LOG_WRITE') assert.ok(fault.startsWith('error'), where);
          else assert.equal(said, '', where);
          // The name of the new head may be in place although nobody could be told so.
          assert.ok(after.head.size === 2 || after.head.size === 4, where);
          assert.deepEqual(readFileSync(join(directory, 'log.jsonl')).subarray(0, lines.length), lines, where);
          await after.append([note('next')], ANN);
          assert.equal((await open(directory)).head.size, after.head.size, `${where}; appended and opened again`);
          if (!wasHit) break;
          hits += 1;
        }
        assert.ok(hits > 0 && hits < MAX_CALLS, `${hits} calls were made to fail`);
      });
    }
  }
});
