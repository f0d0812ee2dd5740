/** What both implementations of `SourceFiles` promise, and what only a disk can show. */
import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { hasCode } from '@holdfast/core';
import { temporaryDirectory } from '@holdfast/testing';
import { MAX_FILE_BYTES, memoryFiles, openDirectory, readText, type SourceFiles } from './source-files.ts';

const { signal } = new AbortController();
type Tree = Readonly<Record<string, string | Uint8Array>>;

function onDisk(t: TestContext, tree: Tree): string {
  const root = temporaryDirectory(t);
  for (const [path, content] of Object.entries(tree)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  return root;
}

const IMPLEMENTATIONS: readonly { name: string; open: (t: TestContext, tree: Tree) => SourceFiles }[] = [
  { name: 'a directory', open: (t, tree) => openDirectory(onDisk(t, tree)) },
  { name: 'a map', open: (_, tree) => memoryFiles(tree) },
];

for (const { name, open } of IMPLEMENTATIONS) {
  describe(`SourceFiles: ${name}`, () => {
    it('R-25: lists its own files, sorted, without what is installed or recorded', async (t) => {
      const own = ['b/c.ts', 'a.ts', 'Z.ts', 'b/targets/d.ts'];
      const others = [
        'node_modules/x/i.js',
        'b/node_modules/y/i.js',
        '.git/config',
        '.gate/shop/log.jsonl',
        'target/o.rs',
      ];
      const files = open(t, Object.fromEntries([...own, ...others].map((path) => [path, 'x'])));
      assert.deepEqual(await files.list(signal), own.toSorted());
    });

    it('R-25: reads bytes as they are, also of what it does not list', async (t) => {
      const bytes = Uint8Array.of(0, 255, 10);
      const files = open(t, { 'a.bin': bytes, 'node_modules/x/i.js': 'code', empty: '' });
      assert.deepEqual(Buffer.from((await files.read('a.bin')) ?? []), Buffer.from(bytes));
      assert.equal(await readText(files, 'node_modules/x/i.js'), 'code');
      assert.equal((await files.read('empty'))?.length, 0);
      assert.equal(await files.resolve('a.bin'), 'a.bin');
    });

    it('R-25: has no file outside, no directory, and nothing under names of object members', async (t) => {
      const files = open(t, { 'a/b.ts': 'x' });
      for (const path of [
        '',
        'a',
        'a/',
        'nowhere',
        'a/b.ts/c',
        '../a/b.ts',
        'a/../../etc/passwd',
        '/etc/passwd',
        '__proto__',
        'toString',
        'n'.repeat(300),
      ]) {
        assert.equal(await files.read(path), null, path);
        assert.equal(await files.resolve(path), null, path);
      }
    });

    it('R-25: refuses text that is not UTF-8', async (t) => {
      const files = open(t, { 'a.json': Uint8Array.of(0x7b, 0xff) });
      await assert.rejects(readText(files, 'a.json'), (error) => hasCode(error, 'ERR_SCAN_INPUT'));
    });
  });
}

describe('SourceFiles on a disk', () => {
  it('R-25: follows links to files inside, and none to outside, to directories or in circles', async (t) => {
    const root = onDisk(t, { 'real/a.ts': 'x' });
    const outside = onDisk(t, { 'secret.ts': 'not yours' });
    symlinkSync('real/a.ts', join(root, 'link.ts'));
    symlinkSync(join(outside, 'secret.ts'), join(root, 'out.ts'));
    symlinkSync(outside, join(root, 'out'));
    symlinkSync('loop.ts', join(root, 'loop.ts'));
    const files = openDirectory(root);
    assert.equal(await files.resolve('link.ts'), 'real/a.ts');
    for (const path of ['out.ts', 'out/secret.ts', 'loop.ts']) assert.equal(await files.read(path), null, path);
    assert.ok(!(await files.list(signal)).some((path) => path.startsWith('out/')));
  });

  it('R-25: takes a file of the largest size, and refuses a byte more', async (t) => {
    const root = onDisk(t, { 'a.json': '' });
    truncateSync(join(root, 'a.json'), MAX_FILE_BYTES);
    assert.equal((await openDirectory(root).read('a.json'))?.length, MAX_FILE_BYTES);
    truncateSync(join(root, 'a.json'), MAX_FILE_BYTES + 1);
    await assert.rejects(openDirectory(root).read('a.json'), (error) => hasCode(error, 'ERR_SCAN_INPUT'));
  });
});
