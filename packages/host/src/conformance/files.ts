/** The contract of `Files`. Give it an empty directory and the way to make things in it that `Files` cannot make. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';

import type { FileContent, Files } from '../ports.ts';
import { calm, honoursAbort, rejectsWith, type Scope, type SuiteOptions } from './scope.ts';

export interface FilesSubject {
  readonly files: Files;
  /** Absolute path of an existing empty directory, as `files` sees it. */
  readonly directory: string;
  /** Owner of what is written: the running user where it is not root. */
  readonly owner: { readonly uid: number; readonly gid: number };
  /** Makes `path` a symlink to `target`, both as `files` sees them. */
  symlink(target: string, path: string): void;
  /** Names in the directory. */
  names(): string[];
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');

const content = (body: string, { owner }: FilesSubject, mode = '0640'): FileContent => ({
  bytes: Buffer.from(body),
  mode,
  ...owner,
});

export function describeFiles(
  name: string,
  open: (scope: Scope) => Promise<FilesSubject>,
  options: SuiteOptions = {},
): void {
  describe(`Files: ${name}`, options, () => {
    it('C-01: a missing file is an answer of stat and an error of read', async (t) => {
      const { files, directory } = await open(t);
      const path = `${directory}/absent`;
      assert.deepEqual(await files.stat(path, calm()), { path, kind: 'missing' });
      assert.deepEqual(await files.stat(`${path}/below`, calm()), { path: `${path}/below`, kind: 'missing' });
      await rejectsWith('ERR_HOST_FILE_MISSING', files.read(path, 10, calm()));
    });

    it('writes bytes, mode and owner, and tells them back', async (t) => {
      const subject = await open(t);
      const { files, directory, owner } = subject;
      const path = `${directory}/a`;
      await files.write(path, content('hello', subject), calm());
      assert.deepEqual(await files.stat(path, calm()), {
        path,
        kind: 'file',
        sizeBytes: 5,
        mode: '0640',
        ...owner,
        sha256: createHash('sha256').update('hello').digest('hex'),
      });
      assert.equal(text(await files.read(path, 5, calm())), 'hello');
    });

    it('replaces a file and its mode, and leaves nothing beside it', async (t) => {
      const subject = await open(t);
      const { files, directory } = subject;
      await files.write(`${directory}/a`, content('one', subject, '0600'), calm());
      await files.write(`${directory}/a`, content('two', subject, '0444'), calm());
      assert.equal(text(await files.read(`${directory}/a`, 100, calm())), 'two');
      const state = await files.stat(`${directory}/a`, calm());
      assert.equal(state.kind === 'missing' ? null : state.mode, '0444');
      assert.deepEqual(subject.names(), ['a']);
    });

    it('reads a file of exactly the allowed size and refuses one byte more', async (t) => {
      const subject = await open(t);
      const { files, directory } = subject;
      await files.write(`${directory}/a`, content('12345', subject), calm());
      assert.equal((await files.read(`${directory}/a`, 5, calm())).length, 5);
      await rejectsWith('ERR_HOST_FILE_TOO_LARGE', files.read(`${directory}/a`, 4, calm()));
    });

    it('reads and writes the empty file', async (t) => {
      const subject = await open(t);
      const { files, directory } = subject;
      await files.write(`${directory}/a`, content('', subject), calm());
      assert.equal((await files.read(`${directory}/a`, 0, calm())).length, 0);
    });

    it('never reads or writes through a symlink, and the target stays as it was', async (t) => {
      const subject = await open(t);
      const { files, directory } = subject;
      await files.write(`${directory}/target`, content('precious', subject), calm());
      subject.symlink(`${directory}/target`, `${directory}/link`);
      const state = await files.stat(`${directory}/link`, calm());
      assert.ok(state.kind !== 'missing');
      assert.deepEqual([state.kind, state.sha256], ['symlink', null]);
      await rejectsWith('ERR_HOST_FILE_REFUSED', files.read(`${directory}/link`, 100, calm()));
      await rejectsWith('ERR_HOST_FILE_REFUSED', files.write(`${directory}/link`, content('evil', subject), calm()));
      assert.equal(text(await files.read(`${directory}/target`, 100, calm())), 'precious');
      assert.deepEqual(subject.names(), ['link', 'target']);
    });

    it('removes a symlink itself, not what it points to', async (t) => {
      const subject = await open(t);
      const { files, directory } = subject;
      await files.write(`${directory}/target`, content('precious', subject), calm());
      subject.symlink(`${directory}/target`, `${directory}/link`);
      await files.remove(`${directory}/link`, calm());
      assert.deepEqual(subject.names(), ['target']);
    });

    it('removing what is not there succeeds, twice', async (t) => {
      const subject = await open(t);
      const { files, directory } = subject;
      await files.write(`${directory}/a`, content('x', subject), calm());
      await files.remove(`${directory}/a`, calm());
      await files.remove(`${directory}/a`, calm());
      await files.remove(`${directory}/nowhere/a`, calm());
      assert.deepEqual(subject.names(), []);
    });

    it('refuses a directory where a file belongs', async (t) => {
      const subject = await open(t);
      const { files, directory } = subject;
      assert.equal((await files.stat(directory, calm())).kind, 'directory');
      await rejectsWith('ERR_HOST_FILE_REFUSED', files.read(directory, 100, calm()));
      await rejectsWith('ERR_HOST_FILE_REFUSED', files.write(directory, content('x', subject), calm()));
      await rejectsWith('ERR_HOST_FILE_REFUSED', files.remove(directory, calm()));
    });

    it('refuses to write where there is no directory, and makes none', async (t) => {
      const subject = await open(t);
      const { files, directory } = subject;
      await rejectsWith('ERR_HOST_FILE_MISSING', files.write(`${directory}/d/a`, content('x', subject), calm()));
      assert.deepEqual(subject.names(), []);
    });

    for (const hostile of ['relative', '', '/a/../b', '/a/./b', '/a\0b', '/a//b', '/a/']) {
      it(`takes ${JSON.stringify(hostile)} for no path`, async (t) => {
        const subject = await open(t);
        await rejectsWith('ERR_INPUT_INVALID', subject.files.stat(hostile, calm()));
        await rejectsWith('ERR_INPUT_INVALID', subject.files.read(hostile, 10, calm()));
        await rejectsWith('ERR_INPUT_INVALID', subject.files.write(hostile, content('x', subject), calm()));
        await rejectsWith('ERR_INPUT_INVALID', subject.files.remove(hostile, calm()));
      });
    }

    for (const mode of ['644', '00644', '0888', 'rw-r--r--', '']) {
      it(`refuses the mode ${JSON.stringify(mode)} and writes nothing`, async (t) => {
        const subject = await open(t);
        const { files, directory } = subject;
        await rejectsWith('ERR_INPUT_INVALID', files.write(`${directory}/a`, content('x', subject, mode), calm()));
        assert.deepEqual(subject.names(), []);
      });
    }

    it('a reader sees the old or the new content while it is replaced, never a part', async (t) => {
      const subject = await open(t);
      const { files, directory } = subject;
      const size = 100_000;
      await files.write(`${directory}/a`, content('a'.repeat(size), subject), calm());
      const writes = (async () => {
        for (const letter of 'bcdefgh')
          await files.write(`${directory}/a`, content(letter.repeat(size), subject), calm());
      })();
      for (let round = 0; round < 30; round += 1) {
        const seen = text(await files.read(`${directory}/a`, size, calm()));
        assert.equal(seen, seen.charAt(0).repeat(size));
      }
      await writes;
    });

    it('does nothing once the signal is aborted', async (t) => {
      const subject = await open(t);
      const { files, directory } = subject;
      await files.write(`${directory}/a`, content('x', subject), calm());
      await honoursAbort((signal) => files.stat(`${directory}/a`, signal));
      await honoursAbort((signal) => files.read(`${directory}/a`, 10, signal));
      await honoursAbort((signal) => files.write(`${directory}/a`, content('y', subject), signal));
      await honoursAbort((signal) => files.remove(`${directory}/a`, signal));
      assert.equal(text(await files.read(`${directory}/a`, 10, calm())), 'x');
    });
  });
}
