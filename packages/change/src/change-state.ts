/**
 * The states of a change and what moves it from one to the next, as a total table (P-12, P-13).
 *
 * A state is what the journal says durably; each move is one journal write. `applying` means that
 * the captured state is on disk and that `apply` may have done anything from nothing to everything.
 */
export const CHANGE_STATES = [
  'intended',
  'applying',
  'verifying',
  'awaiting-confirmation',
  'reverting',
  'ended',
] as const;
export type ChangeState = (typeof CHANGE_STATES)[number];

export type ChangeEvent =
  /** Nothing was touched and nothing will be: an empty plan, a refusal, a look that failed. */
  | 'settled'
  /** What revert needs is captured; it is journaled by this very move. */
  | 'captured'
  /** `apply` returned. */
  | 'applied'
  /** `verify` saw the wanted state and nobody has to confirm. */
  | 'held'
  /** `verify` saw the wanted state; it stays only if somebody confirms. */
  | 'provisional'
  | 'confirmed'
  /** Anything that ends the way forward. */
  | 'given-up'
  | 'reverted'
  /** `revert` failed as often as it may. */
  | 'stuck';

const TRANSITIONS: Record<ChangeState, Record<ChangeEvent, ChangeState | null>> = {
  intended: {
    settled: 'ended',
    captured: 'applying',
    applied: null,
    held: null,
    provisional: null,
    confirmed: null,
    'given-up': null,
    reverted: null,
    stuck: null,
  },
  applying: {
    settled: null,
    captured: null,
    applied: 'verifying',
    held: null,
    provisional: null,
    confirmed: null,
    'given-up': 'reverting',
    reverted: null,
    stuck: null,
  },
  verifying: {
    settled: null,
    captured: null,
    applied: null,
    held: 'ended',
    provisional: 'awaiting-confirmation',
    confirmed: null,
    'given-up': 'reverting',
    reverted: null,
    stuck: null,
  },
  'awaiting-confirmation': {
    settled: null,
    captured: null,
    applied: null,
    held: null,
    provisional: null,
    confirmed: 'ended',
    'given-up': 'reverting',
    reverted: null,
    stuck: null,
  },
  reverting: {
    settled: null,
    captured: null,
    applied: null,
    held: null,
    provisional: null,
    confirmed: null,
    'given-up': null,
    reverted: 'ended',
    stuck: 'ended',
  },
  ended: {
    settled: null,
    captured: null,
    applied: null,
    held: null,
    provisional: null,
    confirmed: null,
    'given-up': null,
    reverted: null,
    stuck: null,
  },
};

/** Where `event` leads from `state`. A move that the table does not have is our bug. */
export function nextState(state: ChangeState, event: ChangeEvent): ChangeState {
  const next = TRANSITIONS[state][event];
  if (next === null) throw new TypeError(`a change that is ${state} cannot be ${event}`);
  return next;
}
