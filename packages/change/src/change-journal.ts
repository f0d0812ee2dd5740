/**
 * The durable memory of the change engine (P-12).
 *
 * Both implementations, `openSqliteJournal` and `memoryJournal`, pass `describeChangeJournal` from
 * `@holdfast/change/conformance`.
 */
import type { ChangeEntry } from './change-record.ts';

/**
 * A journal of changes, in the order they were added. That order is the queue (P-14).
 *
 * - What `add` and `replace` were given MUST be on disk when they resolve, and be there whole or
 *   not at all after a crash. Calls take effect in call order.
 * - What is read back MUST equal what was written.
 * - `captured` MUST NOT be readable at rest without the key-encryption key.
 * - Failures are `ERR_CHANGE_JOURNAL`; after a failed write either version may be there.
 */
export interface ChangeJournal {
  /** Adds an entry at the end. @throws `ERR_CHANGE_CONFLICT` when its change id is known */
  add(entry: ChangeEntry): Promise<void>;
  /** Replaces the entry with the same change id, whole. @throws `ERR_CHANGE_UNKNOWN` */
  replace(entry: ChangeEntry): Promise<void>;
  get(changeId: string): Promise<ChangeEntry | undefined>;
  /** Entries that are not settled (`isSettled`), oldest first. */
  listOpen(): Promise<ChangeEntry[]>;
  /** The newest entries, newest first. */
  listRecent(limit: number): Promise<ChangeEntry[]>;
}

/** Settled entries beyond this number are forgotten, oldest first. About 20 MB at 2 KB each. */
export const MAX_SETTLED_ENTRIES = 10_000;
