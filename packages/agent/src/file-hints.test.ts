import assert from 'node:assert/strict';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { describe, it } from 'node:test';
import { temporaryDirectory } from '@holdfast/testing';
import { eventually } from '../test/virtual-time.ts';
import { FileHints } from './file-hints.ts';

describe('file hints', () => {
  it('C-13: a named file that is written, replaced or removed gives a hint; its neighbours do not', async (t) => {
    const directory = temporaryDirectory(t);
    const path = join(directory, 'sshd_config');
    writeFileSync(path, 'a');
    let hints = 0;
    using files = new FileHints(() => {
      hints++;
    });
    files.follow([path, join(directory, 'missing', 'x')]);
    const touches: (() => void)[] = [
      () => writeFileSync(path, 'b'),
      () => {
        writeFileSync(join(directory, 'new'), 'c');
        renameSync(join(directory, 'new'), path);
      },
      () => rmSync(path),
    ];
    for (const touch of touches) {
      const before = hints;
      touch();
      await eventually(() => hints > before, 'a hint');
    }
    const before = hints;
    writeFileSync(join(directory, 'other'), 'x');
    writeFileSync(path, 'last');
    await eventually(() => hints > before, 'a hint for the named file, which came later');
  });

  it('C-13: a directory that appears later is watched from the next cycle on, and nothing after the end', async (t) => {
    const directory = temporaryDirectory(t);
    const path = join(directory, 'etc', 'motd');
    let hints = 0;
    const files = new FileHints(() => {
      hints++;
    });
    files.follow([path]);
    mkdirSync(join(directory, 'etc'));
    files.follow([path]);
    writeFileSync(path, 'a');
    await eventually(() => hints > 0, 'a hint');
    files[Symbol.dispose]();
    const before = hints;
    writeFileSync(path, 'b');
    await setImmediate();
    assert.equal(hints, before);
  });
});
