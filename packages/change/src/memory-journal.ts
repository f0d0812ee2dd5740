/**
 * A change journal in memory, for tests and for hosts that live no longer than the process. Entries
 * are kept as text, so that nothing is shared with the caller, just as on disk.
 */
import { HoldfastError } from '@holdfast/core';
import type { ChangeJournal } from './change-journal.ts';
import { type ChangeEntry, isSettled } from './change-record.ts';

export function memoryJournal(): ChangeJournal {
  const texts = new Map<string, string>();
  const entries = (): ChangeEntry[] => [...texts.values()].map((text) => JSON.parse(text) as ChangeEntry);
  return {
    async add(entry) {
      if (texts.has(entry.changeId)) {
        throw new HoldfastError('the change id is taken', { code: 'ERR_CHANGE_CONFLICT' });
      }
      texts.set(entry.changeId, JSON.stringify(entry));
    },
    async replace(entry) {
      if (!texts.has(entry.changeId)) throw new HoldfastError('no such change', { code: 'ERR_CHANGE_UNKNOWN' });
      texts.set(entry.changeId, JSON.stringify(entry));
    },
    async get(changeId) {
      return entries().find((entry) => entry.changeId === changeId);
    },
    async listOpen() {
      return entries().filter((entry) => !isSettled(entry));
    },
    async listRecent(limit) {
      return entries().toReversed().slice(0, limit);
    },
  };
}
