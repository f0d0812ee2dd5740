/**
 * Makes findings. A check says what it saw; what follows from it (controls, remediation, exceptions)
 * is added by `runChecks`, the same way for every check.
 */
import { isHoldfastError, type Json } from '@holdfast/core';
import type { Finding, Severity } from '@holdfast/evidence';

/** Limits of `FindingSchema`. */
const MAX_SUBJECT_CHARS = 300;
const MAX_MESSAGE_CHARS = 1_000;

/** The value a check wanted beside the one it saw. */
export interface Comparison {
  readonly observed: Json;
  readonly expected: Json;
  /** Unified diff, when text differs. */
  readonly diff?: string | null;
}

function make(
  status: Finding['status'],
  severity: Severity,
  kind: string,
  subject: string,
  message: string,
  comparison: Comparison,
): Finding {
  return {
    subject: printable(subject, MAX_SUBJECT_CHARS),
    kind,
    status,
    severity,
    message: printable(message, MAX_MESSAGE_CHARS),
    observed: comparison.observed,
    expected: comparison.expected,
    diff: comparison.diff ?? null,
    controls: {},
    remediation: null,
  };
}

/** As wanted. Passing findings are `info`, so that the severity of a check is that of its worst finding. */
export function pass(kind: string, subject: string, message: string, comparison: Comparison): Finding {
  return make('pass', 'info', kind, subject, message, comparison);
}

/** Drift. */
export function fail(
  severity: Severity,
  kind: string,
  subject: string,
  message: string,
  comparison: Comparison,
): Finding {
  return make('fail', severity, kind, subject, message, comparison);
}

/** Could not be measured: never good (C-06). `severity` is what drift here could mean. */
export function unknown(severity: Severity, kind: string, subject: string, why: string): Finding {
  return make('unknown', severity, kind, subject, why, { observed: null, expected: null });
}

/** The check itself broke. */
export function broken(kind: string, subject: string, why: string): Finding {
  return make('error', 'high', kind, subject, why, { observed: null, expected: null });
}

export function notApplicable(kind: string, subject: string, why: string): Finding {
  return make('not_applicable', 'info', kind, subject, why, { observed: null, expected: null });
}

export type Attempt<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly why: string };

/**
 * Reads from the host; what cannot be read becomes a reason instead of an exception.
 *
 * @throws `signal.reason` when `signal` aborted: a check that was stopped has no findings
 */
export async function attempt<T>(read: () => Promise<T>, signal: AbortSignal): Promise<Attempt<T>> {
  try {
    return { ok: true, value: await read() };
  } catch (error) {
    signal.throwIfAborted();
    return { ok: false, why: reasonOf(error) };
  }
}

/** Why something failed, safe to show: our own messages are constant texts, those of others stay out. */
export function reasonOf(error: unknown): string {
  if (isHoldfastError(error)) return `${error.message} (${error.code})`;
  return error instanceof Error ? `unexpected ${error.name}` : 'unexpected failure';
}

/** Names on a host can hold anything; control characters would spoil logs and screens. */
function printable(text: string, maxChars: number): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  const clean = text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/gu, '\uFFFD').toWellFormed();
  if (clean === '') return '(empty)';
  return clean.length <= maxChars ? clean : `${clean.slice(0, maxChars - 1).toWellFormed()}…`;
}
