/**
 * States of a packet and what moves them, as one total table: a missing cell does not compile.
 * Who may cause an event and when is `rules.ts`; folding records into a board is `derive-board.ts`.
 */

export const PACKET_STATES = ['PENDING', 'READY', 'IN_PROGRESS', 'BLOCKED', 'CHANGES_REQUESTED', 'DONE'] as const;
export type PacketState = (typeof PACKET_STATES)[number];

export const REVIEWS = ['none', 'APPROVED', 'CHANGES_REQUESTED', 'BLOCKED'] as const;
export type Review = (typeof REVIEWS)[number];

/** What a person signs. */
export const SIGNED_EVENTS = [
  'start',
  'block',
  'unblock',
  'submit',
  'approve',
  'request-changes',
  'block-review',
  'reopen',
] as const;
export type SignedEvent = (typeof SIGNED_EVENTS)[number];
/** What follows from another packet's event or from a freeze; never signed by itself. */
export const CONSEQUENCES = ['unlock', 'invalidate'] as const;
export type PacketEvent = SignedEvent | (typeof CONSEQUENCES)[number];

interface Standing {
  readonly state: PacketState;
  readonly review: Review;
}
const to = (state: PacketState, review: Review = 'none'): Standing => ({ state, review });
const PENDING = to('PENDING');

/** `null`: not legal from there. */
export const TRANSITIONS: Readonly<Record<PacketState, Readonly<Record<PacketEvent, Standing | null>>>> = {
  PENDING: {
    start: null,
    block: null,
    unblock: null,
    submit: null,
    approve: null,
    'request-changes': null,
    'block-review': null,
    reopen: null,
    unlock: to('READY'),
    invalidate: PENDING,
  },
  READY: {
    start: to('IN_PROGRESS'),
    block: to('BLOCKED'),
    unblock: null,
    submit: null,
    approve: null,
    'request-changes': null,
    'block-review': null,
    reopen: null,
    unlock: null,
    invalidate: PENDING,
  },
  IN_PROGRESS: {
    start: null,
    block: to('BLOCKED'),
    unblock: null,
    submit: to('DONE'),
    approve: null,
    'request-changes': null,
    'block-review': null,
    reopen: null,
    unlock: null,
    invalidate: PENDING,
  },
  BLOCKED: {
    start: null,
    block: null,
    unblock: to('IN_PROGRESS'),
    submit: null,
    approve: null,
    'request-changes': null,
    'block-review': null,
    reopen: null,
    unlock: null,
    invalidate: PENDING,
  },
  CHANGES_REQUESTED: {
    start: to('IN_PROGRESS'),
    block: to('BLOCKED'),
    unblock: null,
    submit: null,
    approve: null,
    'request-changes': null,
    'block-review': null,
    reopen: null,
    unlock: null,
    invalidate: PENDING,
  },
  DONE: {
    start: null,
    block: null,
    unblock: null,
    submit: null,
    // A second approval leaves it where it is.
    approve: to('DONE', 'APPROVED'),
    'request-changes': to('CHANGES_REQUESTED', 'CHANGES_REQUESTED'),
    'block-review': to('BLOCKED', 'BLOCKED'),
    reopen: to('IN_PROGRESS'),
    unlock: null,
    invalidate: PENDING,
  },
};
