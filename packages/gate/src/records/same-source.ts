/** When two readings of a repository are of the same sources: the rule that lets evidence survive a squash. */
import type { Source } from './run-record.ts';

/** The same commit, or commits whose files outside the records are the same, byte for byte. */
export function isSameSource(one: Source, other: Source): boolean {
  // The tree digest covers all that a commit says about the sources; the id alone would change with each committed record.
  return one.tree === other.tree;
}
