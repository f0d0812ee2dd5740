/** What every change journal must do, as a suite (see `ChangeJournal`). */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { type BundleId, formatUuidV7, hasCode } from '@holdfast/core';
import type { ChangeJournal } from '../change-journal.ts';
import type { ChangeEntry } from '../change-record.ts';

/** A change id that sorts by `n`. */
export function changeIdOf(n: number): BundleId {
  return formatUuidV7(1_000 + n, new Uint8Array(10).fill(n % 256));
}

/** A new entry with every field filled, for tests of journals. */
export function sampleEntry(n: number, patch: Partial<ChangeEntry> = {}): ChangeEntry {
  return {
    changeId: changeIdOf(n),
    bundleId: changeIdOf(10_000 + n),
    operation: 'files.restore',
    params: { path: '/etc/motd', 'ключ "1"': [1, 2.5, null, true] },
    meta: { principal: 'local:root' },
    resources: ['file:/etc/motd', 'packet-filter'],
    state: 'intended',
    requestedAt: '2026-01-02T03:04:05.678Z',
    requested: { bootId: 'boot-1', monotonicMs: 12.5 },
    startedAt: null,
    endedAt: null,
    planned: [{ action: 'write /etc/motd', detail: { bytes: 3 } }],
    captured: null,
    steps: [],
    verification: { ok: false, reasons: ['not there'] },
    confirmBy: null,
    outcome: null,
    error: null,
    sealed: false,
    unfrozen: false,
    ...patch,
  };
}

const ids = (entries: readonly ChangeEntry[]): string[] => entries.map(({ changeId }) => changeId);

/** @param open gives a new, empty journal each time and cleans up after itself */
export function describeChangeJournal(name: string, open: (t: TestContext) => Promise<ChangeJournal>): void {
  describe(`ChangeJournal: ${name}`, () => {
    it('P-12: reads back exactly what was written, captured state included', async (t) => {
      const journal = await open(t);
      const entry = sampleEntry(1);
      await journal.add(entry);
      assert.deepEqual(await journal.get(entry.changeId), entry);
      const captured = sampleEntry(1, { state: 'applying', captured: { content: 'secret\u0000\n', list: [null] } });
      await journal.replace(captured);
      assert.deepEqual(await journal.get(entry.changeId), captured);
      assert.deepEqual(await journal.listOpen(), [captured]);
    });

    it('knows nothing at first, and nothing of ids it was not given', async (t) => {
      const journal = await open(t);
      assert.deepEqual(await journal.listOpen(), []);
      assert.deepEqual(await journal.listRecent(10), []);
      assert.equal(await journal.get(changeIdOf(1)), undefined);
    });

    it('refuses to add an id twice and to replace what is not there, and keeps what it has', async (t) => {
      const journal = await open(t);
      await journal.add(sampleEntry(1));
      await assert.rejects(journal.add(sampleEntry(1, { operation: 'other' })), (error) =>
        hasCode(error, 'ERR_CHANGE_CONFLICT'),
      );
      await assert.rejects(journal.replace(sampleEntry(2)), (error) => hasCode(error, 'ERR_CHANGE_UNKNOWN'));
      assert.deepEqual(await journal.listOpen(), [sampleEntry(1)]);
    });

    it('P-14: keeps the order in which entries were added, whatever their ids and later writes', async (t) => {
      const journal = await open(t);
      await Promise.all([3, 1, 2].map((n) => journal.add(sampleEntry(n))));
      await journal.replace(sampleEntry(3, { state: 'applying' }));
      assert.deepEqual(ids(await journal.listOpen()), [3, 1, 2].map(changeIdOf));
      assert.deepEqual(ids(await journal.listRecent(2)), [2, 1].map(changeIdOf));
    });

    it('lists as open what is not ended, not sealed, or still freezes the host', async (t) => {
      const journal = await open(t);
      const ended = { state: 'ended', outcome: 'committed', sealed: true } as const;
      const entries = [
        sampleEntry(1, ended),
        sampleEntry(2, { ...ended, sealed: false }),
        sampleEntry(3, { ...ended, outcome: 'frozen' }),
        sampleEntry(4, { ...ended, outcome: 'frozen', unfrozen: true }),
        sampleEntry(5, { state: 'awaiting-confirmation' }),
      ];
      for (const entry of entries) await journal.add(entry);
      const open_ = await journal.listOpen();
      assert.deepEqual(open_, [entries[1], entries[2], entries[4]]);
    });
  });
}
