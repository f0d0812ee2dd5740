/**
 * What became of one remediation, told from everything that was heard of it (W-04). Evidence and live
 * progress report the same states, in any order and more than once; the story holds each state once
 * per attempt, with the evidence that proves it. Pure: the same steps always tell the same story.
 */
import type { Remediation } from '@holdfast/api';

export type RemediationState = Remediation['state'];

export interface StoryStep {
  readonly state: RemediationState;
  readonly at: Date;
  /** `null`: live progress, which is only what the agent says. */
  readonly bundleId: string | null;
}

const ENDED: ReadonlySet<RemediationState> = new Set(['fixed', 'reverted', 'failed', 'alert']);
/** What one change does; the evidence of the change proves each of them. */
const WITHIN_CHANGE: ReadonlySet<RemediationState> = new Set(['applying', 'verifying', 'confirming']);
/** Where the outcome of a change shows. */
const ENDS_OF_CHANGE: ReadonlySet<RemediationState> = new Set(['verifying', 'confirming', 'reverted', 'failed']);
const ORDER: Readonly<Record<RemediationState, number>> = {
  detected: 0,
  waiting: 1,
  deferred: 1,
  applying: 2,
  verifying: 3,
  confirming: 4,
  fixed: 5,
  reverted: 5,
  failed: 5,
  alert: 5,
};

/**
 * The states in order, oldest first, starting with the detection; the last one is the present. Never
 * empty unless `steps` is.
 */
export function tellStory(steps: readonly StoryStep[]): StoryStep[] {
  const stops: StoryStep[] = [];
  for (const step of inOrder(steps)) {
    const next = place(stops, step);
    if (next !== undefined) stops.push(next);
  }
  return stops.map(({ state, at, bundleId }, index) => ({
    state,
    at,
    bundleId: bundleId ?? proofOfChange(stops, index),
  }));
}

/** A look that passed is sealed after its change was confirmed, though it was taken before. */
function inOrder(steps: readonly StoryStep[]): StoryStep[] {
  const once = new Map(steps.map((step) => [`${step.at.getTime()} ${step.state} ${step.bundleId}`, step]));
  const sorted = [...once.values()].toSorted(
    (a, b) =>
      a.at.getTime() - b.at.getTime() ||
      ORDER[a.state] - ORDER[b.state] ||
      a.state.localeCompare(b.state) ||
      (a.bundleId ?? '').localeCompare(b.bundleId ?? ''),
  );
  for (let index = sorted.length - 2; index >= 0; index -= 1) {
    const step = sorted[index];
    if (step?.state !== 'fixed' || step.bundleId === null) continue;
    let target = index;
    for (let next = sorted[target + 1]; next !== undefined; next = sorted[target + 1]) {
      if (next.state !== 'verifying' && next.state !== 'confirming') break;
      sorted[target] = next;
      target += 1;
      sorted[target] = { ...step, at: next.at };
    }
  }
  return sorted;
}

/** @returns the stop to add, or `undefined` when the step belongs to one that is there, or says nothing new */
function place(stops: StoryStep[], step: StoryStep): StoryStep | undefined {
  const last = stops.at(-1);
  if (last === undefined) return step;
  if (step.state === last.state) return join(stops, stops.length - 1, step);
  if (step.state === 'detected') {
    // The drift is still there: no news, unless it had been proven to be gone.
    if (last.state === 'fixed' && step.bundleId !== null) return { ...step, state: 'failed' };
    const first = stops.findIndex(({ state }) => state === 'detected');
    return first < 0 ? undefined : join(stops, first, step);
  }
  if (step.bundleId === null) {
    const isProvenEnd = ENDED.has(last.state) && last.bundleId !== null;
    // What evidence proves is not undone by what the agent says; only a new attempt may follow it.
    return isProvenEnd && (last.state === 'fixed' || ENDED.has(step.state)) ? undefined : step;
  }
  const attempt = stops.findLastIndex(({ state }) => state === 'applying' || state === 'detected');
  const same = stops.findLastIndex(({ state }, index) => index >= attempt && state === step.state);
  if (same >= 0) return join(stops, same, step);
  if (ORDER[step.state] >= ORDER[last.state]) return step;
  // Evidence of a state that was left behind unheard: of a change, it still proves the change.
  return WITHIN_CHANGE.has(last.state) && ENDS_OF_CHANGE.has(step.state)
    ? join(stops, stops.length - 1, step)
    : undefined;
}

function join(stops: StoryStep[], index: number, step: StoryStep): undefined {
  const stop = stops[index];
  if (stop !== undefined) stops[index] = { ...stop, bundleId: stop.bundleId ?? step.bundleId };
}

/** The bundle of a change covers its application, its verification and its confirmation. */
function proofOfChange(stops: readonly StoryStep[], index: number): string | null {
  const stop = stops[index];
  if (stop === undefined || !WITHIN_CHANGE.has(stop.state)) return null;
  const start = stops.findLastIndex(({ state }, at) => at <= index && state === 'applying');
  const end = stops.findIndex(({ state }, at) => at > index && (state === 'applying' || state === 'fixed'));
  const attempt = stops.slice(Math.max(start, 0), end < 0 ? undefined : end);
  return attempt.find(({ state, bundleId }) => bundleId !== null && ENDS_OF_CHANGE.has(state))?.bundleId ?? null;
}
