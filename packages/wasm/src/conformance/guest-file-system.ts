/** The contract of `GuestFileSystem`. Give it a file system that shows exactly `CONFORMANCE_TREE`. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { FileError, FileResult, GuestFile, GuestFileSystem } from '../wasi/capabilities.ts';

/** The part of a `TestContext` that cleaning up needs. */
export interface GuestFilesScope {
  after(fn: () => void | Promise<void>): void;
}

/** Files by path; directories follow from them, and `empty` is one with nothing in it. */
export const CONFORMANCE_TREE = {
  directories: ['empty', 'sub', 'sub/deeper'],
  files: { 'hello.txt': 'hello, guest', 'nothing.txt': '', 'sub/inner.txt': 'inner', 'sub/deeper/last.txt': 'last' },
} as const;

const READ = { create: false, exclusive: false, truncate: false, write: false };
const WRITE = { ...READ, write: true };
const CREATE = { ...WRITE, create: true };

type Open = (scope: GuestFilesScope) => Promise<GuestFileSystem>;

function value<T>(result: FileResult<T>): T {
  assert.ok(result.ok, `refused: ${result.ok ? '' : result.error}`);
  return result.value;
}

function refused(result: FileResult<unknown>, ...errors: FileError[]): void {
  assert.ok(!result.ok, 'was not refused');
  assert.ok(errors.includes(result.error), `wanted ${errors.join(' or ')}, got ${result.error}`);
}

function contentOf(file: GuestFile): string {
  const buffer = new Uint8Array(64);
  return Buffer.from(buffer.subarray(0, value(file.read(buffer, 0)))).toString();
}

function readPath(files: GuestFileSystem, path: readonly string[]): string {
  const file = value(files.open(path, READ));
  const content = contentOf(file);
  file.close();
  return content;
}

function describeReading(open: Open): void {
  it('X-14: shows every file and directory, and nothing else', async (t) => {
    const files = await open(t);
    const names = (path: string[]): string[] =>
      value(files.list(path))
        .map(({ name, kind }) => `${name}:${kind}`)
        .toSorted();
    assert.deepEqual(names([]), ['empty:directory', 'hello.txt:file', 'nothing.txt:file', 'sub:directory']);
    assert.deepEqual(names(['sub']), ['deeper:directory', 'inner.txt:file']);
    assert.deepEqual(names(['empty']), []);
    for (const [path, content] of Object.entries(CONFORMANCE_TREE.files)) {
      assert.equal(readPath(files, path.split('/')), content);
    }
  });

  it('tells kind, size and one inode for one thing, by path, by listing and by handle', async (t) => {
    const files = await open(t);
    const stat = value(files.stat(['hello.txt']));
    assert.deepEqual({ kind: stat.kind, sizeBytes: stat.sizeBytes }, { kind: 'file', sizeBytes: 12 });
    const file = value(files.open(['hello.txt'], READ));
    assert.equal(value(file.stat()).inode, stat.inode);
    file.close();
    assert.equal(value(files.list([])).find(({ name }) => name === 'hello.txt')?.inode, stat.inode);
    const inodes = [[], ['empty'], ['sub'], ['sub', 'deeper'], ['nothing.txt']].map(
      (path) => value(files.stat(path)).inode,
    );
    assert.equal(new Set([...inodes, stat.inode]).size, inodes.length + 1);
    assert.equal(value(files.stat([])).kind, 'directory');
  });

  it('reads at any offset, up to the end and nothing behind it', async (t) => {
    const files = await open(t);
    const file = value(files.open(['hello.txt'], READ));
    const buffer = new Uint8Array(5);
    assert.equal(value(file.read(buffer, 7)), 5);
    assert.equal(Buffer.from(buffer).toString(), 'guest');
    assert.equal(value(file.read(buffer, 11)), 1);
    assert.equal(value(file.read(buffer, 12)), 0);
    assert.equal(value(file.read(buffer, Number.MAX_SAFE_INTEGER)), 0);
    assert.equal(value(file.read(new Uint8Array(0), 0)), 0);
    file.close();
  });

  it('names what is missing, and what is of another kind', async (t) => {
    const files = await open(t);
    refused(files.stat(['missing']), 'not-found');
    refused(files.open(['missing'], READ), 'not-found');
    refused(files.open(['missing', 'x'], READ), 'not-found');
    refused(files.open(['hello.txt', 'x'], READ), 'not-a-directory');
    refused(files.open(['sub'], READ), 'is-a-directory');
    refused(files.list(['hello.txt']), 'not-a-directory');
    refused(files.list(['missing']), 'not-found');
  });

  it('X-14: knows no way of writing a name but its own', async (t) => {
    const files = await open(t);
    for (const name of [
      'HELLO.TXT',
      'hello.txt ',
      'hello.txt.',
      '.hello.txt',
      '...',
      'hello.txt\u200b',
      '\ufeffhello.txt',
    ]) {
      refused(files.stat([name]), 'not-found', 'invalid');
    }
  });

  it('X-14: gives out bytes by copy', async (t) => {
    const files = await open(t);
    const file = value(files.open(['hello.txt'], READ));
    const buffer = new Uint8Array(12);
    value(file.read(buffer, 0));
    buffer.fill(0);
    assert.equal(contentOf(file), 'hello, guest');
    file.close();
  });

  it('closing twice is closing once', async (t) => {
    const files = await open(t);
    const file = value(files.open(['hello.txt'], READ));
    file.close();
    file.close();
    assert.equal(readPath(files, ['hello.txt']), 'hello, guest');
  });

  it('X-14: refuses a write through a handle that was opened to read', async (t) => {
    const files = await open(t);
    const file = value(files.open(['hello.txt'], READ));
    refused(file.write(Buffer.from('x'), 0), 'not-permitted', 'read-only');
    refused(file.resize(0), 'not-permitted', 'read-only');
    file.close();
    assert.equal(readPath(files, ['hello.txt']), 'hello, guest');
  });
}

function describeReadOnly(open: Open): void {
  it('X-14: changes nothing, whatever is asked', async (t) => {
    const files = await open(t);
    assert.equal(files.writable, false);
    refused(files.open(['hello.txt'], WRITE), 'read-only');
    refused(files.open(['hello.txt'], { ...READ, truncate: true }), 'read-only');
    refused(files.open(['new.txt'], CREATE), 'read-only');
    refused(files.makeDirectory(['new']), 'read-only');
    refused(files.remove(['hello.txt'], 'file'), 'read-only');
    refused(files.remove(['empty'], 'directory'), 'read-only');
    refused(files.rename(['hello.txt'], ['moved.txt']), 'read-only');
    assert.equal(readPath(files, ['hello.txt']), 'hello, guest');
    refused(files.stat(['new.txt']), 'not-found');
    assert.equal(value(files.stat(['empty'])).kind, 'directory');
  });
}

function describeWriting(open: Open): void {
  it('creates, writes, truncates and removes', async (t) => {
    const files = await open(t);
    const file = value(files.open(['new.txt'], CREATE));
    assert.equal(value(file.write(Buffer.from('abc'), 2)), 3);
    assert.equal(contentOf(file), '\0\0abc');
    value(file.resize(3));
    value(file.resize(5));
    assert.equal(contentOf(file), '\0\0a\0\0');
    file.close();
    refused(files.open(['new.txt'], { ...CREATE, exclusive: true }), 'exists');
    value(files.open(['new.txt'], { ...WRITE, truncate: true })).close();
    assert.equal(readPath(files, ['new.txt']), '');
    value(files.remove(['new.txt'], 'file'));
    refused(files.stat(['new.txt']), 'not-found');
  });

  it('a handle stays the same file when its name goes, or goes to another', async (t) => {
    const files = await open(t);
    const file = value(files.open(['hello.txt'], WRITE));
    value(files.remove(['hello.txt'], 'file'));
    assert.equal(contentOf(file), 'hello, guest');
    value(file.write(Buffer.from('HELLO'), 0));
    value(files.open(['hello.txt'], CREATE)).close();
    assert.equal(contentOf(file), 'HELLO, guest');
    assert.equal(readPath(files, ['hello.txt']), '');
    file.close();
  });

  it('keeps the time it is told', async (t) => {
    const files = await open(t);
    const file = value(files.open(['hello.txt'], WRITE));
    value(file.setModified(1_700_000_000_000_000_000n));
    file.close();
    assert.equal(value(files.stat(['hello.txt'])).modifiedNs, 1_700_000_000_000_000_000n);
  });

  it('removes a file as a file, an empty directory as a directory, and never the root', async (t) => {
    const files = await open(t);
    refused(files.remove(['sub'], 'file'), 'is-a-directory');
    refused(files.remove(['hello.txt'], 'directory'), 'not-a-directory');
    refused(files.remove(['sub'], 'directory'), 'not-empty');
    refused(files.remove(['missing'], 'file'), 'not-found');
    refused(files.remove([], 'directory'), 'not-permitted');
    value(files.remove(['empty'], 'directory'));
    refused(files.list(['empty']), 'not-found');
  });

  it('makes a directory once, in one that exists', async (t) => {
    const files = await open(t);
    value(files.makeDirectory(['made']));
    refused(files.makeDirectory(['made']), 'exists');
    refused(files.makeDirectory(['hello.txt']), 'exists');
    refused(files.makeDirectory(['missing', 'made']), 'not-found');
    refused(files.makeDirectory(['hello.txt', 'made']), 'not-a-directory');
    assert.deepEqual(value(files.list(['made'])), []);
  });

  it('renames as POSIX does', async (t) => {
    const files = await open(t);
    value(files.rename(['hello.txt'], ['sub', 'inner.txt']));
    assert.equal(readPath(files, ['sub', 'inner.txt']), 'hello, guest');
    refused(files.stat(['hello.txt']), 'not-found');
    value(files.rename(['sub'], ['empty']));
    assert.equal(readPath(files, ['empty', 'deeper', 'last.txt']), 'last');
    value(files.rename(['empty'], ['empty']));
    refused(files.rename(['empty'], ['empty', 'deeper', 'loop']), 'invalid');
    refused(files.rename(['nothing.txt'], ['empty']), 'is-a-directory');
    refused(files.rename(['empty'], ['nothing.txt']), 'not-a-directory');
    refused(files.rename(['missing'], ['x']), 'not-found');
    refused(files.rename(['nothing.txt'], ['missing', 'x']), 'not-found');
    refused(files.rename([], ['x']), 'not-permitted', 'invalid');
  });
}

/**
 * @param open a fresh file system that shows `CONFORMANCE_TREE`; what it holds is released through the scope
 * @param options `writable`: whether it takes changes; `skip` as `needs(...)` of the tests gives it
 */
export function describeGuestFileSystem(
  name: string,
  open: Open,
  options: { readonly writable: boolean; readonly skip?: string | false },
): void {
  describe(`GuestFileSystem: ${name}`, { skip: options.skip ?? false }, () => {
    describeReading(open);
    if (options.writable) describeWriting(open);
    else describeReadOnly(open);
  });
}
