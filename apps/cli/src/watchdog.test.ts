import assert from 'node:assert/strict';
import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname } from 'node:path';
import { describe, it } from 'node:test';
import { hostPaths } from '@holdfast/api';
import { temporaryDirectory } from '@holdfast/testing';
import { watchdogHasNothingToDo } from './watchdog.ts';

const MAIN = new URL('main.ts', import.meta.url).pathname;
const recoverAt = (root: string): SpawnSyncReturns<Buffer> =>
  spawnSync(process.execPath, [MAIN, 'guard', '--root', root, '--recover'], { timeout: 60_000 });

describe('the watchdog', () => {
  it('P-15: ends at once where a guard listens, without loading anything that could fail', async (t) => {
    const root = temporaryDirectory(t); // nothing is enrolled here: the whole way would fail
    const { socket } = hostPaths(root);
    mkdirSync(dirname(socket), { recursive: true });
    const server = createServer(() => undefined); // alive, and says nothing
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    t.after(() => server.close());
    assert.equal(await watchdogHasNothingToDo(['guard', '--root', root, '--recover']), true);
    assert.equal(recoverAt(root).status, 0);
  });

  it('P-15: goes the whole way where no guard listens, also when its socket was left behind', async (t) => {
    const root = temporaryDirectory(t);
    const args = ['guard', '--root', root, '--recover'];
    assert.equal(await watchdogHasNothingToDo(args), false);
    const { socket } = hostPaths(root);
    mkdirSync(dirname(socket), { recursive: true });
    writeFileSync(socket, '');
    assert.equal(await watchdogHasNothingToDo(args), false);
    assert.notEqual(recoverAt(root).status, 0, 'nothing is enrolled here, and that is said');
  });

  it('reads no other command', async (t) => {
    const root = temporaryDirectory(t);
    for (const args of [[], ['guard', '--root', root], ['status', '--recover'], ['guard', '--root', 'x', '--recover']])
      assert.equal(await watchdogHasNothingToDo(args), false);
  });
});
