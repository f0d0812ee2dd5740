/** Error codes of the audit log. */
import type { ErrorTable } from './table.ts';

export const AUDIT_ERRORS = {
  ERR_AUDIT_DAMAGED: {
    remedy: 'give-up',
    title: 'The audit log is damaged',
    text: 'The audit log does not have the bytes that were written to it: a record is changed, missing or out of order, a segment is gone, or the signed head names a record that is not there. The fields name the segment and the offset. Keep a copy of the directory, run `holdfast audit verify` on it, and find out who changed it before starting a new log.',
  },
  ERR_AUDIT_UNWRITABLE: {
    remedy: 'retry',
    title: 'The audit log cannot be written',
    text: 'The record could not be made durable, so what it stands for must not happen. The log tries again by itself; when writing works again a signed gap record says how many records were refused meanwhile. The usual cause is a full or failing disk.',
  },
  ERR_AUDIT_LOCKED: {
    remedy: 'give-up',
    title: 'The audit log is in use',
    text: 'Another process has this audit log open for appending. Only one guard may run on a host.',
  },
  ERR_AUDIT_RECORD_INVALID: {
    remedy: 'fix-input',
    title: 'The audit record is too large or not valid',
    text: 'A record has an empty or overlong field, or is larger than 256 KiB as JSON. Put a digest into the record and the content into evidence.',
  },
  ERR_AUDIT_CLOSED: {
    remedy: 'retry',
    title: 'The audit log is closed',
    text: 'The daemon is shutting down and takes no more records.',
  },
} as const satisfies ErrorTable;
