/** a log on a file system that really is full. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import { hasCode } from '@holdfast/core';
import { needs } from '@holdfast/testing';
import { openGateLog } from '../src/index.ts';
import { ANN, freeze, GATE_ID, note } from './sample-gate.ts';

const SIZE_BYTES = 512 * 1024;

function smallDisk(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-test-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE_BYTES}`, 'holdfast-test', directory]);
  assert.equal(mounted.status, 0, String(mounted.stderr));
  t.after(() => {
    spawnSync('umount', [directory]);
    rmdirSync(directory);
  });
  return directory;
}

/** Takes all that is left, page by page. */
function fill(directory: string): string {
  const ballast = join(directory, 'ballast');
  const { bavail, bsize } = statfsSync(directory);
  writeFileSync(ballast, Buffer.alloc(bavail * bsize));
  assert.equal(statfsSync(directory).bavail, 0);
  return ballast;
}

const isWriteError = (error: unknown): boolean => hasCode(error, 'ERR_GATE_LOG_WRITE');

it(
  'R-10: a full disk refuses the append, keeps what was recorded, and takes it once there is space',
  needs('root'),
  async (t) => {
    const disk = smallDisk(t);
    const directory = join(disk, 'log');
    const signal = new AbortController().signal;
    const open = async () => openGateLog(directory, { gateId: GATE_ID, create: true, signal });
    const log = await open();
    await log.append([freeze(), note('one')], ANN);
    const { root } = log.head;
    const checkpoint = readFileSync(join(directory, 'checkpoint'), 'utf8');
    const ballast = fill(disk);
    // More than what the last page of the lines has room for.
    const batch = Array.from({ length: 20 }, (_, index) => note(`while it is full ${index}`));
    await assert.rejects(log.append(batch, ANN), isWriteError);
    await assert.rejects(log.putObject(Buffer.alloc(8_192, 1)), isWriteError);
    await assert.rejects((await open()).append(batch, ANN), isWriteError, 'another process');
    const full = await open();
    assert.deepEqual([full.head.size, full.head.root], [2, root]);
    assert.equal(readFileSync(join(directory, 'checkpoint'), 'utf8'), checkpoint);

    rmSync(ballast);
    await log.append(batch, ANN);
    const digest = await log.putObject(Buffer.alloc(8_192, 1));
    const after = await open();
    assert.equal(after.head.size, 2 + batch.length);
    assert.equal((await after.getObject(digest)).length, 8_192);
    const left = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.tmp'));
    assert.deepEqual(left, []);
  },
);
