/** Error codes of the change engine. */
import type { ErrorTable } from './table.ts';

export const CHANGE_ERRORS = {
  ERR_CHANGE_OPERATION_UNKNOWN: {
    remedy: 'fix-input',
    title: 'No such operation',
    text: 'The host has no operation of this name. Operations come from the baseline: one that is no longer in it cannot be asked for, and an interrupted change of such an operation freezes the host, because nothing knows how to revert it.',
  },
  ERR_CHANGE_CONFLICT: {
    remedy: 'fix-input',
    title: 'The change id is taken',
    text: 'A change with this id is in the journal with another operation or other parameters. Asking for the same change again with the same id is fine and returns its record; a new change needs a new id.',
  },
  ERR_CHANGE_UNKNOWN: {
    remedy: 'fix-input',
    title: 'No such change',
    text: 'The journal has no change with this id, or its entry has been pruned because it ended long ago.',
  },
  ERR_CHANGE_STATE: {
    remedy: 'give-up',
    title: 'The change is not waiting for that',
    text: 'Only a change that awaits confirmation can be confirmed or reverted by hand. It may have ended meanwhile: its record says how.',
  },
  ERR_CHANGE_FROZEN: {
    remedy: 'give-up',
    title: 'The host is frozen',
    text: 'An earlier change could not be reverted, so the state of the host is not known. No change runs until a person has looked at the host and unfrozen it.',
  },
  ERR_CHANGE_BUSY: {
    remedy: 'retry',
    title: 'Too many changes are waiting',
    text: 'The queue of changes is full. The request was refused before anything was written; ask again later.',
  },
  ERR_CHANGE_CLOSED: {
    remedy: 'retry',
    title: 'The change engine is stopping',
    text: 'The daemon is shutting down and takes no more changes. What is queued stays in the journal and runs after the restart.',
  },
  ERR_CHANGE_ABORTED: {
    remedy: 'retry',
    title: 'The change was called off',
    text: 'Whoever asked for the change stopped it. What had been applied was reverted.',
  },
  ERR_CHANGE_TIMEOUT: {
    remedy: 'retry',
    title: 'A part of the change took too long',
    text: 'Planning, capturing, applying, verifying or reverting did not finish in its time. What had been applied was reverted.',
  },
  ERR_CHANGE_OPERATION_FAILED: {
    remedy: 'give-up',
    title: 'The operation failed',
    text: 'The operation ended with an error that has no code of its own. What had been applied was reverted.',
  },
  ERR_CHANGE_NOT_VERIFIED: {
    remedy: 'give-up',
    title: 'The effect is not there',
    text: 'After the operation ran, looking at the host did not show the wanted state. The reasons are in the change record; what had been applied was reverted.',
  },
  ERR_CHANGE_NOT_CONFIRMED: {
    remedy: 'retry',
    title: 'The change was not confirmed in time',
    text: 'A confirm-or-revert change was not confirmed before its deadline, or the machine restarted while it waited. It was reverted.',
  },
  ERR_CHANGE_REVERT_REQUESTED: {
    remedy: 'give-up',
    title: 'The change was reverted by hand',
    text: 'Somebody reverted the change while it awaited confirmation.',
  },
  ERR_CHANGE_INTERRUPTED: {
    remedy: 'retry',
    title: 'The change was interrupted',
    text: 'The daemon or the machine stopped while the change was being carried out. It was reverted at the next start. Steps taken before the interruption may be missing from its record.',
  },
  ERR_CHANGE_STALE: {
    remedy: 'retry',
    title: 'The change waited too long',
    text: 'The change was still in the queue when its time was over or the machine restarted. Nothing was changed; whoever wanted it has to ask, and be allowed, again.',
  },
  ERR_CHANGE_REVERT_FAILED: {
    remedy: 'give-up',
    title: 'The change could not be reverted',
    text: 'Reverting failed as often as it was tried. The host is frozen: look at what the change record says was done, repair it by hand, then unfreeze.',
  },
  ERR_CHANGE_JOURNAL: {
    remedy: 'retry',
    title: 'The change journal cannot be used',
    text: 'The journal of changes could not be read or written, or its captured state does not open with the key-encryption key. No change starts without it. Free disk space or restore the file, then restart the guard.',
  },
} as const satisfies ErrorTable;
