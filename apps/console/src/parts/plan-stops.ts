/**
 * A remediation as stops on a line (W-04): what was, what is, and what is still to come if all goes
 * well. Pure. It takes histories as they come: a state reported twice is one stop.
 */
import type { Remediation } from '@holdfast/api';

export type RemediationState = Remediation['state'];

/** The way every remediation hopes to go. */
const ROAD: readonly RemediationState[] = ['detected', 'applying', 'verifying', 'fixed'];
/** States from which nothing more happens by itself. */
const ENDS: ReadonlySet<RemediationState> = new Set(['fixed', 'reverted', 'failed', 'alert']);

export interface Stop {
  readonly state: RemediationState;
  /** `past`: left behind; `present`: where it stands; `ahead`: not reached. */
  readonly place: 'past' | 'present' | 'ahead';
  readonly at: string | null;
  readonly bundleId: string | null;
}

export interface Track {
  /** The detection and the newest attempt. */
  readonly stops: readonly Stop[];
  /** Attempts between the two that did not hold. */
  readonly earlierAttempts: number;
}

export function planStops({ history }: Pick<Remediation, 'history'>): Track {
  const past: Stop[] = [];
  for (const { state, at, bundleId } of history) {
    const last = past.at(-1);
    if (last?.state === state) past[past.length - 1] = { ...last, bundleId: last.bundleId ?? bundleId };
    else past.push({ state, place: 'past', at, bundleId });
  }
  const newest = past.findLastIndex(({ state }) => state === 'applying');
  const attempts = past.filter(({ state }) => state === 'applying').length;
  const kept = attempts > 1 ? [...past.slice(0, 1), ...past.slice(newest)] : past;
  const present = kept.at(-1);
  if (present === undefined) return { stops: [], earlierAttempts: 0 };
  const reached = [...kept.slice(0, -1), { ...present, place: 'present' as const }];
  const road = ENDS.has(present.state) ? [] : ROAD.slice(progressOf(kept) + 1);
  const ahead = road.map((state): Stop => ({ state, place: 'ahead', at: null, bundleId: null }));
  return { stops: [...reached, ...ahead], earlierAttempts: Math.max(attempts - 1, 0) };
}

/** How far down the road it is; waiting is before the application, confirming after the verification. */
function progressOf(stops: readonly Stop[]): number {
  const last = stops.at(-1)?.state;
  if (last === 'waiting' || last === 'deferred') return ROAD.indexOf('detected');
  return Math.max(...stops.map(({ state }) => ROAD.indexOf(state)));
}

/** What a person reads below the line. */
export const MEANINGS: Readonly<Record<RemediationState, string>> = {
  detected: 'observed differs from expected',
  waiting: 'for its turn, approval or the maintenance window',
  deferred: 'until the maintenance window',
  applying: 'the change is being made',
  verifying: 'the effect is looked at',
  confirming: 'kept only if the host stays reachable',
  fixed: 'a new look passes',
  reverted: 'the change was taken back',
  failed: 'it did not help',
  alert: 'a person is needed',
};
