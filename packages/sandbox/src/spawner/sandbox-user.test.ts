/** Whom commands run as: named users of the host, and the stand-in of a spawner of one's own. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { it } from 'node:test';
import { hasCode } from '@holdfast/core';
import { needs } from '@holdfast/testing';
import { findSandboxUser } from './sandbox-user.ts';

const nobody = { users: {}, standInForMissing: false };

it('X-02: a user of the host, or of those given', needs('root'), () => {
  assert.deepEqual(findSandboxUser('nobody', nobody).owner, { uid: 65_534, gid: 65_534 });
  const owner = { uid: 64_321, gid: 64_321 };
  assert.deepEqual(
    findSandboxUser('holdfast-sandbox', { ...nobody, users: { 'holdfast-sandbox': owner } }).owner,
    owner,
  );
});

it('X-02: never root, in either of its ids, and no other user that is missing', needs('root'), () => {
  for (const owner of [
    { uid: 0, gid: 1 },
    { uid: 1, gid: 0 },
  ]) {
    const source = { users: { 'holdfast-sandbox': owner }, standInForMissing: true };
    assert.throws(
      () => findSandboxUser('holdfast-sandbox', source),
      (error) => hasCode(error, 'ERR_SANDBOX_PROFILE'),
    );
  }
  assert.throws(
    () => findSandboxUser('no-such-user', { users: {}, standInForMissing: true }),
    (error) => hasCode(error, 'ERR_SANDBOX_PROFILE') && error.fields['place'] === 'user',
  );
});

it('X-02: a stand-in is a reserved number that no process runs as', needs('root'), async () => {
  // On a host that has the user, it is that user.
  const found = findSandboxUser('holdfast-sandbox', { users: {}, standInForMissing: true });
  assert.ok(found.owner !== null);
  if (!/nobody's/.test(found.says)) return;
  const { uid } = found.owner;
  assert.ok(uid >= 61_184 && uid <= 65_519);
  const holder = spawn('/usr/bin/cat', { uid, gid: uid, stdio: ['pipe', 'ignore', 'ignore'] });
  await once(holder, 'spawn');
  const next = findSandboxUser('holdfast-sandbox', { users: {}, standInForMissing: true });
  holder.stdin.end();
  await once(holder, 'exit');
  assert.notEqual(next.owner?.uid, uid);
});
