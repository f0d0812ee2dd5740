/**
 * What is known about one change: the entry as the journal keeps it, and the record that callers
 * and the sealer get, which is the entry without what only revert may see.
 */
import type { BundleId, Json, JsonObject } from '@holdfast/core';
import type { Action } from '@holdfast/evidence';
import type { ChangeState } from './change-state.ts';
import type { ChangeOutcome, Resource, Step, Verification } from './operation.ts';

/** Safe to show and to sign: never the text of an error that some library made. */
export interface ChangeError {
  readonly code: string;
  readonly message: string;
}

/** A point in monotonic time: means something only within its boot (P-09). */
export interface BootInstant {
  readonly bootId: string;
  readonly monotonicMs: number;
}

/** One change as journaled. Everything in it survives a crash. */
export interface ChangeEntry {
  readonly changeId: BundleId;
  /** Id of the evidence about this change, drawn with the intent so that sealing twice seals the same. */
  readonly bundleId: BundleId;
  readonly operation: string;
  readonly params: JsonObject;
  /** The caller's own: decision, principal, cause. The engine only keeps it. */
  readonly meta: JsonObject;
  readonly resources: readonly Resource[];
  readonly state: ChangeState;
  /** UTC with milliseconds. */
  readonly requestedAt: string;
  readonly requested: BootInstant;
  /** When the change got its resources; `null` while it waits. */
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  readonly planned: readonly Step[];
  /** What revert needs. `null` before it is captured and after the change ended. */
  readonly captured: Json;
  /** What was done on the host, revert included, in order (P-27). */
  readonly steps: readonly Action[];
  readonly verification: Verification | null;
  /** After this the change reverts unless it was confirmed (P-15); set with the mark that `apply` returned. */
  readonly confirmBy: BootInstant | null;
  readonly outcome: ChangeOutcome | null;
  readonly error: ChangeError | null;
  /** The sealer has taken the ended change over. */
  readonly sealed: boolean;
  /** A person has dealt with the `frozen` outcome. */
  readonly unfrozen: boolean;
}

export interface ChangeRecord extends Omit<ChangeEntry, 'captured' | 'requested' | 'confirmBy' | 'unfrozen'> {
  /** What planning saw before the change: `{ plan: Step[] }`. */
  readonly preState: JsonObject;
  /** What verification saw after it: `{ verification: Verification | null }`. */
  readonly postState: JsonObject;
  /** Milliseconds left to confirm; `null` unless `state` is `awaiting-confirmation`. */
  readonly confirmWithinMs: number | null;
}

/** Whether the journal may forget the entry: nothing is left to do about it. */
export function isSettled(entry: ChangeEntry): boolean {
  return entry.state === 'ended' && entry.sealed && !isFreezing(entry);
}

/** Whether the entry keeps the host frozen (P-13). */
export function isFreezing(entry: ChangeEntry): boolean {
  return entry.outcome === 'frozen' && !entry.unfrozen;
}

/** The entry without what only revert may see. */
export function toRecord(entry: ChangeEntry, nowMonotonicMs: number): ChangeRecord {
  const { captured: _captured, requested: _requested, confirmBy, unfrozen: _unfrozen, ...shown } = entry;
  const plan = entry.planned.map((step) => ({ ...step }));
  const verification = entry.verification === null ? null : { ...entry.verification };
  const confirmWithinMs =
    entry.state === 'awaiting-confirmation' && confirmBy !== null
      ? Math.max(0, confirmBy.monotonicMs - nowMonotonicMs)
      : null;
  return { ...shown, preState: { plan }, postState: { verification }, confirmWithinMs };
}
