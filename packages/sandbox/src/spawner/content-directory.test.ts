/** Where the launcher lies: whoever else could write there would be inside of every sandbox. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { hasCode } from '@holdfast/core';
import { needs, temporaryDirectory } from '@holdfast/testing';
import { formatGroupName } from '../cgroup/group-name.ts';
import { readIdentity } from '../cgroup/spawner-identity.ts';
import { ContentDirectory } from './content-directory.ts';

const refuses = (reason: string | RegExp) => (error: unknown) =>
  hasCode(error, 'ERR_SANDBOX_DIRECTORY') && new RegExp(reason).test(String(error.fields['reason']));

/** Unmounted before the directory is removed. */
function inTmpfs(t: TestContext, options: string, test: (directory: string) => void): void {
  const directory = temporaryDirectory(t);
  const mounted = spawnSync('/usr/bin/mount', ['-t', 'tmpfs', '-o', options, 'holdfast-test', directory]);
  assert.equal(mounted.status, 0, String(mounted.stderr));
  try {
    test(directory);
  } finally {
    spawnSync('/usr/bin/umount', [directory]);
  }
}

describe('ContentDirectory', () => {
  it('X-07: writes a file once, whole, with its mode whatever the umask', (t) => {
    const directory = join(temporaryDirectory(t), 'made');
    const before = process.umask(0o077);
    t.after(() => process.umask(before));
    const files = new ContentDirectory(directory);
    const path = files.write(Buffer.from('launcher'), 0o755);
    assert.equal(files.write(Buffer.from('launcher'), 0o755), path);
    assert.equal(readFileSync(path, 'utf8'), 'launcher');
    assert.equal(statSync(path).mode & 0o777, 0o755);
    assert.equal(readdirSync(directory).length, 1);
  });

  it('X-07: mends a file whose content is not what its name says', (t) => {
    const directory = temporaryDirectory(t);
    const files = new ContentDirectory(directory);
    const path = files.write(Buffer.from('launcher'), 0o755);
    writeFileSync(path, 'launch');
    assert.equal(readFileSync(files.write(Buffer.from('launcher'), 0o755), 'utf8'), 'launcher');
  });

  it('X-05: refuses a directory that others may write in, or that is somewhere else', (t) => {
    const base = temporaryDirectory(t);
    for (const mode of [0o777, 0o770, 0o702]) {
      const open = join(base, `open-${mode}`);
      mkdirSync(open);
      chmodSync(open, mode);
      assert.throws(() => new ContentDirectory(open), refuses('others may write'));
    }
    const link = join(base, 'link');
    symlinkSync('/usr', link);
    assert.throws(() => new ContentDirectory(link), refuses('not a directory of our own'));
    const file = join(base, 'file');
    writeFileSync(file, '');
    assert.throws(() => new ContentDirectory(file), refuses('EEXIST|ENOTDIR'));
  });

  it('X-05: refuses the directory of somebody else, and leaves what is in it alone', needs('root'), (t) => {
    const directory = temporaryDirectory(t);
    const left = join(directory, formatGroupName({ ...readIdentity(), pid: 999_999_999 }, 1));
    writeFileSync(left, '');
    chownSync(directory, 65_534, 65_534);
    assert.throws(() => new ContentDirectory(directory), refuses('not a directory of our own'));
    assert.deepEqual(readdirSync(directory).length, 1);
  });

  it('X-07: removes what a killed spawner had not finished, and nothing that a living one writes', (t) => {
    const directory = temporaryDirectory(t);
    const identity = readIdentity();
    const living = formatGroupName(identity, 1_000);
    const foreign = formatGroupName({ ...identity, pidNamespace: '1' }, 1); // nobody can see whether it lives
    for (const name of [living, foreign, formatGroupName({ ...identity, pid: 999_999_999 }, 1), 'kept']) {
      writeFileSync(join(directory, name), '');
    }
    assert.ok(new ContentDirectory(directory));
    assert.deepEqual(readdirSync(directory).toSorted(), [foreign, living, 'kept'].toSorted());
  });

  it('X-07: says that the disk is full, and leaves no half of a file', needs('root'), (t) => {
    inTmpfs(t, 'size=64k,mode=0711', (directory) => {
      const files = new ContentDirectory(directory);
      assert.throws(() => files.write(Buffer.alloc(1_024 * 1_024), 0o755), refuses('ENOSPC'));
      assert.deepEqual(readdirSync(directory), []);
    });
  });

  it('X-07: says that the directory is read-only', needs('root'), (t) => {
    inTmpfs(t, 'ro,mode=0711', (directory) => {
      assert.throws(() => new ContentDirectory(directory).write(Buffer.from('launcher'), 0o755), refuses('EROFS'));
      assert.throws(() => new ContentDirectory(join(directory, 'below')), refuses('EROFS|ENOENT')); // Node's recursive mkdir
    });
  });
});
