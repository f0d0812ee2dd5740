/**
 * Which sources somebody reviewed. A review is about all that changed between where a packet's
 * work began and what was submitted; so what was submitted is reviewed when where it began was. The first
 * freeze is where everything begins: what was there before it, the gate takes as it is.
 */
import type { Board } from '../board/board.ts';
import { isApproved } from '../board/rules.ts';
import type { Source } from '../records/run-record.ts';

/** Whether every change between the first freeze and `candidate` was part of a packet that is approved. */
export function isReviewed(board: Board, candidate: Source): boolean {
  const [first] = board.freezes;
  if (first === undefined) return false;
  const endsByStart = new Map<string, string[]>();
  for (const packet of board.packets.values()) {
    const { startedSource, submittedSource } = packet;
    if (!isApproved(packet) || startedSource === null || submittedSource === null) continue;
    const ends = endsByStart.get(startedSource.tree) ?? [];
    endsByStart.set(startedSource.tree, [...ends, submittedSource.tree]);
  }
  const reviewed = new Set([first.source.tree]);
  // A set that grows while it is walked is walked to its end.
  for (const tree of reviewed) for (const end of endsByStart.get(tree) ?? []) reviewed.add(end);
  return reviewed.has(candidate.tree);
}
