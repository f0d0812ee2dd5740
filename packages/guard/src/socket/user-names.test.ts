import assert from 'node:assert/strict';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { temporaryDirectory } from '@holdfast/testing';
import { ConnectionCounter } from './connection-counter.ts';
import { parsePasswd, UserNames } from './user-names.ts';

describe('UserNames', () => {
  it('G-02: the first line of a uid counts, and damaged lines give nobody a name', () => {
    const text =
      'root:x:0:0::/:/bin/sh\ntoor:x:0:0::/:/bin/sh\nbad\n:x:5:5\nx y:x:6:6\nneg:x:-1:1\nbig:x:99999999999:1\na:x:7:7::/:/bin/sh';
    assert.deepEqual(
      [...parsePasswd(text)],
      [
        [0, 'root'],
        [7, 'a'],
      ],
    );
  });

  it('G-02: a file that changes is read again, one that is gone gives nobody a name', (t) => {
    const path = join(temporaryDirectory(t), 'passwd');
    const names = new UserNames(path);
    assert.equal(names.nameOf(7), null);
    writeFileSync(path, 'a:x:7:7::/:/bin/sh\n');
    assert.equal(names.nameOf(7), 'a');
    writeFileSync(`${path}.new`, 'b:x:7:7::/:/bin/sh\n');
    renameSync(`${path}.new`, path);
    assert.equal(names.nameOf(7), 'b');
    rmSync(path);
    assert.equal(names.nameOf(7), null);
  });
});

describe('ConnectionCounter', () => {
  it('G-01: others never take the share of root', () => {
    const counter = new ConnectionCounter({ maxConnections: 6, maxConnectionsPerUid: 2 });
    assert.deepEqual(
      [1, 1, 1, 2, 2, 3].map((uid) => counter.enter(uid)),
      [true, true, false, true, true, false],
    );
    assert.deepEqual(
      [0, 0, 0].map((uid) => counter.enter(uid)),
      [true, true, false],
    );
    counter.leave(1);
    assert.equal(counter.enter(3), true);
  });
});
