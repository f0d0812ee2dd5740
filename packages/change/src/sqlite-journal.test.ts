import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { hasCode, Secret } from '@holdfast/core';
import { temporaryDirectory } from '@holdfast/testing';
import { changeIdOf, describeChangeJournal, sampleEntry } from './conformance/index.ts';
import { openSqliteJournal } from './sqlite-journal.ts';

const newKek = (): Secret<Uint8Array> => new Secret(randomBytes(32));
const isJournalError = (error: unknown): boolean => hasCode(error, 'ERR_CHANGE_JOURNAL');

describeChangeJournal('SQLite', async (t) => {
  const journal = openSqliteJournal(join(temporaryDirectory(t), 'journal.db'), newKek());
  t.after(() => journal[Symbol.dispose]());
  return journal;
});

describe('openSqliteJournal', () => {
  it('P-12: what was written is there after closing and opening again', async (t) => {
    const path = join(temporaryDirectory(t), 'journal.db');
    const kek = newKek();
    const entry = sampleEntry(1, { captured: { a: 1 } });
    {
      using journal = openSqliteJournal(path, kek);
      await journal.add(entry);
    }
    using journal = openSqliteJournal(path, kek);
    assert.deepEqual(await journal.listOpen(), [entry]);
  });

  it('P-12: captured state is in no file of the journal in the clear, and does not open with another key', async (t) => {
    const directory = temporaryDirectory(t);
    const path = join(directory, 'journal.db');
    const secret = 'hunter2-the-captured-password';
    {
      using journal = openSqliteJournal(path, newKek());
      await journal.add(sampleEntry(1, { captured: { shadow: secret } }));
      for (const name of readdirSync(directory)) {
        const bytes = readFileSync(join(directory, name));
        assert.equal(bytes.includes(secret), false, name);
        assert.equal(statSync(join(directory, name)).mode & 0o077, 0, `${name} is private`);
      }
    }
    using journal = openSqliteJournal(path, newKek());
    await assert.rejects(journal.listOpen(), isJournalError);
  });

  it('P-12: a captured state moved to another change does not open', async (t) => {
    const path = join(temporaryDirectory(t), 'journal.db');
    const kek = newKek();
    {
      using journal = openSqliteJournal(path, kek);
      await journal.add(sampleEntry(1, { captured: 'one' }));
      await journal.add(sampleEntry(2, { captured: 'two' }));
    }
    const { DatabaseSync } = await import('node:sqlite');
    const db = new DatabaseSync(path);
    db.prepare('UPDATE change SET captured = (SELECT captured FROM change WHERE change_id = ?)').run(changeIdOf(1));
    db.close();
    using journal = openSqliteJournal(path, kek);
    assert.equal((await journal.get(changeIdOf(1)))?.captured, 'one');
    await assert.rejects(journal.get(changeIdOf(2)), isJournalError);
  });

  it('refuses a journal that is open elsewhere, also in the same process', (t) => {
    const path = join(temporaryDirectory(t), 'journal.db');
    using _first = openSqliteJournal(path, newKek());
    assert.throws(() => openSqliteJournal(path, newKek()), isJournalError);
  });

  it('refuses a file that is no journal, and leaves it as it is', (t) => {
    const path = join(temporaryDirectory(t), 'journal.db');
    writeFileSync(path, 'not a database, and long enough to be seen as a damaged one'.repeat(20));
    const before = readFileSync(path);
    assert.throws(() => openSqliteJournal(path, newKek()), isJournalError);
    assert.deepEqual(readFileSync(path), before);
  });

  it('refuses a journal that lost its second half', async (t) => {
    const path = join(temporaryDirectory(t), 'journal.db');
    {
      using journal = openSqliteJournal(path, newKek());
      for (let n = 0; n < 50; n += 1) await journal.add(sampleEntry(n));
    }
    truncateSync(path, Math.floor(statSync(path).size / 2));
    assert.throws(() => {
      using journal = openSqliteJournal(path, newKek());
      void journal;
    }, isJournalError);
  });

  it('refuses a key of the wrong length before it touches the file', (t) => {
    const directory = temporaryDirectory(t);
    assert.throws(
      () => openSqliteJournal(join(directory, 'journal.db'), new Secret(randomBytes(31))),
      (error) => hasCode(error, 'ERR_KEY_INVALID'),
    );
    assert.deepEqual(readdirSync(directory), []);
  });
});
