import { temporaryDirectory } from '@holdfast/testing';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, readdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { openDirectoryBroker } from './directory-broker.ts';

const LIMITS = { openFiles: 2, readBytes: 100, listEntries: 8 };

function tree(t: TestContext, limits = LIMITS) {
  const base = temporaryDirectory(t);
  const root = join(base, 'granted');
  mkdirSync(join(root, 'sub'), { recursive: true });
  mkdirSync(join(base, 'outside'));
  writeFileSync(join(base, 'outside/secret'), 'secret');
  writeFileSync(join(root, 'sub/file'), 'inside');
  const broker = openDirectoryBroker(root, limits);
  t.after(() => broker[Symbol.dispose]());
  return { base, root, broker };
}

const count = (): number => readdirSync('/proc/self/fd').length;

describe('directory broker', () => {
  it('X-14: serves files and directories below the grant', (t) => {
    const { broker } = tree(t);
    const opened = broker.open(['sub', 'file']);
    assert.ok(opened.ok);
    const read = broker.read(opened.value, 2, 100);
    assert.deepEqual(read.ok && Buffer.from(read.value).toString(), 'side');
    const listed = broker.list([]);
    assert.deepEqual(listed.ok && listed.value.map(({ name, kind }) => [name, kind]), [['sub', 'directory']]);
    assert.deepEqual(broker.open(['sub']), { ok: false, error: 'is-a-directory' });
    assert.deepEqual(broker.list(['sub', 'file']), { ok: false, error: 'not-a-directory' });
  });

  it('X-14: symbolic links, hard links, FIFOs and devices do not exist for the guest', (t) => {
    const { base, root, broker } = tree(t);
    symlinkSync(join(base, 'outside'), join(root, 'absolute'));
    symlinkSync('../outside', join(root, 'relative'));
    symlinkSync('sub/file', join(root, 'within'));
    linkSync(join(base, 'outside/secret'), join(root, 'hard'));
    execFileSync('/usr/bin/mkfifo', [join(root, 'fifo')]);
    for (const path of [['absolute', 'secret'], ['relative', 'secret'], ['within'], ['hard'], ['fifo']]) {
      const error = path.length > 1 ? 'not-a-directory' : 'not-found';
      assert.deepEqual(broker.open(path), { ok: false, error }, path.join('/'));
      assert.deepEqual(broker.stat(path), { ok: false, error }, path.join('/'));
    }
    const listed = broker.list([]);
    assert.deepEqual(listed.ok && listed.value.map(({ name }) => name), ['sub']);
  });

  it('X-14: names that are paths are refused', (t) => {
    const { broker } = tree(t);
    for (const name of ['..', '.', '', '../outside/secret', '/etc/passwd', 'sub/file', 'a\0b']) {
      assert.deepEqual(broker.open([name]), { ok: false, error: 'invalid' }, JSON.stringify(name));
    }
    assert.deepEqual(broker.open(['x'.repeat(5_000)]), { ok: false, error: 'invalid' });
  });

  it('X-14: another file system mounted inside does not exist for the guest', (t) => {
    const broker = openDirectoryBroker('/', { ...LIMITS, listEntries: 1_000 });
    t.after(() => broker[Symbol.dispose]());
    assert.deepEqual(broker.stat(['proc']), { ok: false, error: 'not-found' });
    const listed = broker.list([]);
    assert.ok(listed.ok && !listed.value.some(({ name }) => name === 'proc'));
  });

  it('X-14: a handle stays the same file when its name goes', (t) => {
    const { root, broker } = tree(t);
    const opened = broker.open(['sub', 'file']);
    assert.ok(opened.ok);
    renameSync(join(root, 'sub/file'), join(root, 'moved'));
    writeFileSync(join(root, 'sub/file'), 'other');
    const read = broker.read(opened.value, 0, 100);
    assert.deepEqual(read.ok && Buffer.from(read.value).toString(), 'inside');
  });

  it('X-14: descriptors, bytes read and names listed are counted', (t) => {
    const { root, broker } = tree(t);
    const [first, second] = [broker.open(['sub', 'file']), broker.open(['sub', 'file'])];
    assert.ok(first.ok && second.ok);
    assert.deepEqual(broker.open(['sub', 'file']), { ok: false, error: 'quota' });
    broker.close(second.value);
    assert.ok(broker.open(['sub', 'file']).ok);
    for (let total = 0; total < 96; total += 6) assert.ok(broker.read(first.value, 0, 6).ok);
    const last = broker.read(first.value, 0, 6);
    assert.equal(last.ok && last.value.length, 4);
    assert.deepEqual(broker.read(first.value, 0, 1), { ok: false, error: 'quota' });
    for (let n = 0; n < LIMITS.listEntries; n++) writeFileSync(join(root, `n${n}`), '');
    assert.deepEqual(broker.list([]), { ok: false, error: 'too-large' });
  });

  it('X-14: foreign handles and offsets are refused', (t) => {
    const { broker } = tree(t);
    const opened = broker.open(['sub', 'file']);
    assert.ok(opened.ok);
    for (const [handle, offset, length] of [
      [99, 0, 1],
      [opened.value, -1, 1],
      [opened.value, 0.5, 1],
      [opened.value, 0, -1],
      [0, 0, 1],
    ] as const) {
      assert.deepEqual(broker.read(handle, offset, length), { ok: false, error: 'invalid' });
    }
    broker.close(opened.value);
    broker.close(opened.value);
    assert.deepEqual(broker.statFile(opened.value), { ok: false, error: 'invalid' });
  });

  it('leaves no descriptor behind', (t) => {
    const { root } = tree(t);
    const before = count();
    const broker = openDirectoryBroker(root, LIMITS);
    broker.open(['sub', 'file']);
    broker.list([]);
    broker.stat(['none']);
    broker[Symbol.dispose]();
    assert.equal(count(), before);
    assert.throws(() => openDirectoryBroker(join(root, 'none'), LIMITS), { code: 'ERR_WASM_DIRECTORY' });
    assert.throws(() => openDirectoryBroker(join(root, 'sub/file'), LIMITS), { code: 'ERR_WASM_DIRECTORY' });
  });
});
