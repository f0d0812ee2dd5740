import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import * as fc from 'fast-check';

import { CONFORMANCE_TREE, describeGuestFileSystem } from '../conformance/guest-file-system.ts';
import type { FileResult } from './capabilities.ts';
import type { SnapshotEntry } from './file-tree.ts';
import { snapshotFileSystem, type SnapshotFileSystem } from './snapshot-file-system.ts';

const TREE: readonly SnapshotEntry[] = [
  ...CONFORMANCE_TREE.directories.map((path) => ({ path: path.split('/'), kind: 'directory' as const })),
  ...Object.entries(CONFORMANCE_TREE.files).map(([path, text]) => ({
    path: path.split('/'),
    kind: 'file' as const,
    bytes: Buffer.from(text),
  })),
];

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const MIB = 1_048_576;
const open = (writable: boolean, quotaBytes = MIB, quotaFiles = 100): SnapshotFileSystem =>
  snapshotFileSystem(TREE, { writable, quotaBytes, quotaFiles });

describeGuestFileSystem('snapshot, read-only', async () => open(false), { writable: false });
describeGuestFileSystem('snapshot, copy-on-write', async () => open(true), { writable: true });

const READ = { create: false, exclusive: false, truncate: false, write: false };
const WRITE = { ...READ, write: true };
const CREATE = { ...WRITE, create: true };

function value<T>(result: FileResult<T>): T {
  assert.ok(result.ok);
  return result.value;
}
const errorOf = (result: FileResult<unknown>): string => (result.ok ? 'ok' : result.error);

function write(files: SnapshotFileSystem, path: string[], text: string): string {
  const opened = files.open(path, CREATE);
  if (!opened.ok) return opened.error;
  const written = opened.value.write(Buffer.from(text), 0);
  opened.value.close();
  return errorOf(written);
}

describe('snapshot file system: quotas', () => {
  it('X-14: takes the last byte of the quota and not one more', () => {
    const files = open(true, 10);
    assert.equal(write(files, ['a'], '12345'), 'ok');
    assert.equal(write(files, ['b'], '123456'), 'quota');
    assert.equal(write(files, ['b'], '12345'), 'ok');
    assert.equal(write(files, ['c'], '1'), 'quota');
    value(files.remove(['a'], 'file'));
    assert.equal(write(files, ['c'], '12345'), 'ok');
  });

  it('X-14: a hole of three gigabytes costs three gigabytes', () => {
    const files = open(true, 1_000);
    const file = value(files.open(['a'], CREATE));
    assert.equal(errorOf(file.resize(3 * 1024 ** 3)), 'quota');
    assert.equal(errorOf(file.write(Buffer.from('x'), Number.MAX_SAFE_INTEGER - 1)), 'quota');
    assert.equal(errorOf(file.write(Buffer.from('x'), 999)), 'ok');
    assert.equal(errorOf(file.write(Buffer.from('x'), 1_000)), 'quota');
  });

  it('X-14: writing one byte of a file of the snapshot costs the copy of it', () => {
    const files = open(true, 11);
    const file = value(files.open(['hello.txt'], WRITE));
    assert.equal(errorOf(file.write(Buffer.from('x'), 0)), 'quota');
    value(file.resize(5));
    assert.equal(errorOf(file.write(Buffer.from('x'), 0)), 'ok');
  });

  it('X-14: files that are removed while open are paid for until they are closed', () => {
    const files = open(true, 10, 2);
    const first = value(files.open(['a'], CREATE));
    value(first.write(Buffer.from('1234567890'), 0));
    value(files.remove(['a'], 'file'));
    value(files.open(['b'], CREATE)).close();
    assert.equal(errorOf(files.open(['c'], CREATE)), 'too-many-files');
    assert.equal(write(files, ['b'], '1'), 'quota');
    first.close();
    first.close();
    assert.equal(write(files, ['b'], '1234567890'), 'ok');
    assert.equal(write(files, ['c'], ''), 'ok');
    assert.equal(errorOf(files.makeDirectory(['d'])), 'too-many-files');
  });

  it('X-14: a quota that goes from file to file is not held by all of them', async () => {
    const quotaBytes = 8 * MIB;
    const files = open(true, quotaBytes);
    collectGarbage();
    const before = process.memoryUsage().arrayBuffers;
    const names = Array.from({ length: 50 }, (_, index) => [`f${index}`]);
    for (const name of names) {
      const file = value(files.open(name, CREATE));
      value(file.resize(quotaBytes));
      value(file.resize(0));
      file.close();
    }
    for (const name of names) assert.equal(value(files.stat(name)).sizeBytes, 0);
    const held = (): number => process.memoryUsage().arrayBuffers - before;
    // Buffers are swept beside the program, some time after a collection.
    for (let round = 0; round < 500 && held() >= quotaBytes; round += 1) {
      collectGarbage();
      await setImmediate();
    }
    assert.ok(held() < quotaBytes);
  });

  it('X-14: no rename makes a tree deeper than a path may be', () => {
    const files = open(true, 10, 1_000);
    const chain = (first: string): string[] => {
      const path: string[] = [];
      for (let depth = 0; depth < 200; depth += 1) {
        path.push(depth === 0 ? first : 'd');
        value(files.makeDirectory(path));
      }
      return path;
    };
    const deep = chain('one');
    chain('two');
    assert.equal(errorOf(files.rename(['two'], [...deep, 'two'])), 'invalid');
    value(files.rename(['two'], ['one', 'two']));
  });
});

describe('snapshot file system: changes', () => {
  it('reports what was created, changed and removed, in an order in which it can be applied', () => {
    const files = open(true);
    assert.deepEqual(files.changes(), []);
    write(files, ['sub', 'new.txt'], 'new');
    write(files, ['hello.txt'], 'HELLO');
    value(files.remove(['nothing.txt'], 'file'));
    value(files.remove(['empty'], 'directory'));
    write(files, ['empty'], 'now a file');
    value(files.rename(['sub', 'deeper'], ['moved']));
    const lines = files
      .changes()
      .map(({ path, kind, change, bytes }) =>
        `${change} ${kind} ${path.join('/')} ${bytes === null ? '' : Buffer.from(bytes).toString()}`.trim(),
      );
    assert.deepEqual(lines, [
      'removed file sub/deeper/last.txt',
      'removed directory sub/deeper',
      'removed file nothing.txt',
      'removed directory empty',
      'created file empty now a file',
      'changed file hello.txt HELLO, guest',
      'created directory moved',
      'created file moved/last.txt last',
      'created file sub/new.txt new',
    ]);
  });

  it('X-14: never writes into the bytes it was made of', () => {
    const bytes = Buffer.from('original');
    const entries: SnapshotEntry[] = [{ path: ['a'], kind: 'file', bytes }];
    const files = snapshotFileSystem(entries, { writable: true, quotaBytes: 100, quotaFiles: 1 });
    write(files, ['a'], 'CHANGED');
    value(value(files.open(['a'], WRITE)).resize(0));
    assert.equal(bytes.toString(), 'original');
  });

  for (const path of [[], [''], ['.'], ['..'], ['a/b'], ['a\0'], ['missing', 'x'], ['twice']]) {
    it(`refuses to be made of ${JSON.stringify(path)}`, () => {
      const entries: SnapshotEntry[] = [
        { path: ['twice'], kind: 'file' },
        { path, kind: 'file' },
      ];
      assert.throws(() => snapshotFileSystem(entries, { writable: false, quotaBytes: 0, quotaFiles: 0 }), TypeError);
    });
  }
});

/** The simplest model there is: text by path, and `null` for a directory. */
type Model = Map<string, string | null>;

const below = (model: Model, path: string): string[] => [...model.keys()].filter((key) => key.startsWith(`${path}/`));
const parentIs = (model: Model, path: string): boolean =>
  !path.includes('/') || model.get(path.slice(0, path.lastIndexOf('/'))) === null;

function contentOf(files: SnapshotFileSystem): Model {
  const model: Model = new Map();
  const visit = (path: string[]): void => {
    for (const { name, kind } of value(files.list(path))) {
      const full = [...path, name];
      if (kind === 'directory') {
        model.set(full.join('/'), null);
        visit(full);
      } else {
        const file = value(files.open(full, READ));
        const buffer = new Uint8Array(value(file.stat()).sizeBytes);
        value(file.read(buffer, 0));
        file.close();
        model.set(full.join('/'), Buffer.from(buffer).toString('latin1'));
      }
    }
  };
  visit([]);
  return model;
}

type Step =
  | { readonly do: 'write'; readonly path: string; readonly text: string; readonly at: number }
  | { readonly do: 'resize'; readonly path: string; readonly size: number }
  | { readonly do: 'mkdir' | 'remove' | 'rmdir'; readonly path: string }
  | { readonly do: 'rename'; readonly path: string; readonly to: string };

const pathArbitrary = fc
  .array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 3 })
  .map((names) => names.join('/'));
const stepArbitrary: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('write' as const),
    path: pathArbitrary,
    text: fc.string({ unit: 'grapheme-ascii', maxLength: 8 }),
    at: fc.nat(12),
  }),
  fc.record({ do: fc.constant('resize' as const), path: pathArbitrary, size: fc.nat(20) }),
  fc.record({ do: fc.constantFrom('mkdir' as const, 'remove' as const, 'rmdir' as const), path: pathArbitrary }),
  fc.record({ do: fc.constant('rename' as const), path: pathArbitrary, to: pathArbitrary }),
);

const padded = (text: string, length: number): string => text.slice(0, length).padEnd(length, '\0');

/** What the step does to the model; nothing when it must be refused. */
function applyToModel(model: Model, step: Step): void {
  const { path } = step;
  const here = model.get(path);
  switch (step.do) {
    case 'write': {
      if (here === null || !parentIs(model, path)) return;
      const old = here ?? '';
      if (step.text === '') {
        model.set(path, old);
        return;
      }
      model.set(path, padded(old, step.at) + step.text + old.slice(step.at + step.text.length));
      return;
    }
    case 'resize':
      if (typeof here === 'string') model.set(path, padded(here, step.size));
      return;
    case 'mkdir':
      if (here === undefined && parentIs(model, path)) model.set(path, null);
      return;
    case 'remove':
      if (typeof here === 'string') model.delete(path);
      return;
    case 'rmdir':
      if (here === null && below(model, path).length === 0) model.delete(path);
      return;
    case 'rename': {
      const there = model.get(step.to);
      if (here === undefined || path === step.to || step.to.startsWith(`${path}/`) || !parentIs(model, step.to)) return;
      if (there !== undefined && (there === null) !== (here === null)) return;
      if (below(model, step.to).length > 0) return;
      for (const key of [path, ...below(model, path)]) {
        model.set(step.to + key.slice(path.length), model.get(key)!);
        model.delete(key);
      }
      return;
    }
    default:
      step satisfies never;
  }
}

function applyToFiles(files: SnapshotFileSystem, step: Step): void {
  const path = step.path.split('/');
  switch (step.do) {
    case 'write':
    case 'resize': {
      const opened = files.open(path, step.do === 'write' ? CREATE : WRITE);
      if (!opened.ok) return;
      if (step.do === 'write') opened.value.write(Buffer.from(step.text), step.at);
      else opened.value.resize(step.size);
      opened.value.close();
      return;
    }
    case 'mkdir':
      files.makeDirectory(path);
      return;
    case 'remove':
      files.remove(path, 'file');
      return;
    case 'rmdir':
      files.remove(path, 'directory');
      return;
    case 'rename':
      files.rename(path, step.to.split('/'));
      return;
    default:
      step satisfies never;
  }
}

describe('snapshot file system: against a model', () => {
  it('X-14: any sequence of operations leaves what the model says, and changes() rebuilds it', () => {
    fc.assert(
      fc.property(fc.array(stepArbitrary, { maxLength: 40 }), (steps) => {
        const files = snapshotFileSystem([], { writable: true, quotaBytes: MIB, quotaFiles: 1_000 });
        const model: Model = new Map();
        for (const step of steps) {
          applyToModel(model, step);
          applyToFiles(files, step);
        }
        assert.deepEqual(contentOf(files), model);
        const rebuilt = files
          .changes()
          .map(({ path, bytes }) => [path.join('/'), bytes === null ? null : Buffer.from(bytes).toString('latin1')]);
        assert.deepEqual(new Map(rebuilt as [string, string | null][]), model);
      }),
      { numRuns: 500 },
    );
  });

  it('X-14: when everything is removed, the whole quota is there again', () => {
    fc.assert(
      fc.property(fc.array(stepArbitrary, { maxLength: 40 }), (steps) => {
        const files = snapshotFileSystem([], { writable: true, quotaBytes: 40, quotaFiles: 4 });
        for (const step of steps) applyToFiles(files, step);
        for (const path of [...contentOf(files).keys()].toSorted().toReversed()) {
          if (!files.remove(path.split('/'), 'file').ok) value(files.remove(path.split('/'), 'directory'));
        }
        const file = value(files.open(['all'], CREATE));
        value(file.write(new Uint8Array(40), 0));
        assert.equal(errorOf(file.resize(41)), 'quota');
        for (const name of ['b', 'c', 'd']) value(files.makeDirectory([name]));
        assert.equal(errorOf(files.makeDirectory(['e'])), 'too-many-files');
      }),
      { numRuns: 300 },
    );
  });
});
