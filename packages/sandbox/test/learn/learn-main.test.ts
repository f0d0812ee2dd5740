/** Learning runs a command unconfined: the process that does so must not do it on the machine itself. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { needs, temporaryDirectory } from '@holdfast/testing';
import { LEARN_DIRECTORY } from '../../src/index.ts';

const MAIN = join(import.meta.dirname, '../../src/learn/learn-main.ts');

describe('learn-main', needs('linux'), () => {
  it('X-08: runs nothing on the machine itself', (t) => {
    const witness = join(temporaryDirectory(t), 'witness');
    const request = { name: 'x', argv: ['/usr/bin/touch', witness], runs: 1, timeoutMs: 5_000 };
    const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, JSON.stringify(request)], {
      env: {},
      encoding: 'utf8',
    });
    assert.notEqual(status, 0);
    assert.equal(stdout, '');
    assert.match(stderr, /commands are learnt in a lab host only/);
    assert.equal(existsSync(witness), false);
    assert.equal(existsSync(LEARN_DIRECTORY), false);
  });
});
