/** ADR 8: who may have the served spawner run what, over its real socket, each as the user in question. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { needs } from '@holdfast/testing';
import type { Outcomes } from './spawner-world.ts';

describe('access to the spawner', needs('root', 'bubblewrap'), () => {
  let outcomes: Outcomes;
  before(async () => {
    const world = join(import.meta.dirname, 'spawner-world.ts');
    const argv = ['--mount', process.execPath, '--disable-warning=ExperimentalWarning', world];
    const { stdout } = await promisify(execFile)('/usr/bin/unshare', argv);
    outcomes = JSON.parse(stdout) as Outcomes;
  });

  it('X-15: the agent runs the job that hosts WebAssembly, and no other argv, profile, environment or directory', () => {
    assert.deepEqual(outcomes.agent, {
      own: 'exit 0',
      argv: 'ERR_SANDBOX_ACCESS argv',
      program: 'ERR_SANDBOX_ACCESS argv',
      profile: 'ERR_SANDBOX_ACCESS profile',
      env: 'ERR_SANDBOX_ACCESS env',
      cwd: 'ERR_SANDBOX_ACCESS cwd',
      other: 'ERR_SANDBOX_ACCESS profile',
      warm: 'ERR_SANDBOX_ACCESS profile',
      ownUser: 'true: holdfast-sandbox, number 64091',
    });
  });

  it('X-15: another user gets nothing, not even an answer', () => {
    assert.deepEqual([...new Set(Object.values(outcomes.third))], ['ERR_SANDBOX_SPAWNER_GONE']);
  });

  it('X-06: root runs anything', () => {
    assert.equal(outcomes.root['other'], 'exit 0');
    assert.equal(outcomes.root['warm'], 'warmed');
  });

  it('X-04: without the user of confined commands the service runs nothing, and says how to make it', () => {
    const { other, own, ownUser } = outcomes.rootWithoutUser;
    assert.deepEqual([other, own], ['ERR_SANDBOX_MISSING own-user', 'ERR_SANDBOX_MISSING own-user']);
    assert.match(ownUser ?? '', /^false: systemd-sysusers /);
  });
});
