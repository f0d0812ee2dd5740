import { temporaryDirectory } from '@holdfast/testing';
import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { DirectoryChange } from '../runner.ts';
import { commitChanges } from './commit-changes.ts';

const file = (path: string, text: string): DirectoryChange => ({
  directory: 0,
  path: path.split('/'),
  kind: 'file',
  change: 'changed',
  bytes: Buffer.from(text),
});
const removed = (path: string, kind: 'file' | 'directory'): DirectoryChange => ({
  ...file(path, ''),
  kind,
  change: 'removed',
  bytes: null,
});

describe('commit changes', () => {
  it('X-14: writes, makes and removes, and keeps the mode of what it replaces', (t) => {
    const root = temporaryDirectory(t);
    mkdirSync(join(root, 'old'));
    writeFileSync(join(root, 'old/gone'), 'x');
    writeFileSync(join(root, 'kept'), 'before');
    chmodSync(join(root, 'kept'), 0o4_640);
    commitChanges(root, [
      removed('old/gone', 'file'),
      removed('old', 'directory'),
      { ...file('new', ''), kind: 'directory', change: 'created', bytes: null },
      file('new/a', 'A'),
      file('kept', 'after'),
    ]);
    assert.deepEqual(readdirSync(root).toSorted(), ['kept', 'new']);
    assert.equal(readFileSync(join(root, 'new/a'), 'utf8'), 'A');
    assert.equal(readFileSync(join(root, 'kept'), 'utf8'), 'after');
    assert.equal(statSync(join(root, 'kept')).mode & 0o7_777, 0o640);
  });

  it('X-14: follows no link, neither on the way nor at the end', (t) => {
    const base = temporaryDirectory(t);
    const root = join(base, 'root');
    mkdirSync(root);
    mkdirSync(join(base, 'outside'));
    writeFileSync(join(base, 'outside/file'), 'untouched');
    symlinkSync('../outside', join(root, 'way'));
    symlinkSync('../outside/file', join(root, 'end'));
    assert.throws(() => commitChanges(root, [file('way/file', 'x')]), { code: 'ERR_WASM_DIRECTORY' });
    commitChanges(root, [file('end', 'mine')]);
    assert.equal(readFileSync(join(base, 'outside/file'), 'utf8'), 'untouched');
    assert.equal(readFileSync(join(root, 'end'), 'utf8'), 'mine');
  });

  it('stops at the first that fails, and leaves no half file', (t) => {
    const root = temporaryDirectory(t);
    mkdirSync(join(root, 'full/inside'), { recursive: true });
    assert.throws(() => commitChanges(root, [file('a', 'A'), file('full', 'x'), file('b', 'B')]), {
      code: 'ERR_WASM_DIRECTORY',
      fields: { written: 1, wanted: 3 },
    });
    assert.deepEqual(readdirSync(root).toSorted(), ['a', 'full']);
    assert.ok(existsSync(join(root, 'full/inside')));
  });
});
