/**
 * Whether a failed task is tried again, and when. Only what went wrong around the guest is
 * tried again: the same module with the same input traps again, and a refused one is refused again.
 */
import { type ErrorCode, isHoldfastError } from '@holdfast/core';

/** Tries in all, the first among them. */
export const MAX_TRIES = 3;
const FIRST_DELAY_MS = 1_000;
const MAX_DELAY_MS = 300_000;
const PASSING: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'ERR_WASM_RUNNER',
  'ERR_SANDBOX_SPAWNER_GONE',
  'ERR_SANDBOX_BUSY',
]);

/** `fail`: the error is the submitter's. `bury`: it passed every try; kept as a dead letter. */
export type RetryDecision =
  | { readonly kind: 'retry'; readonly delayMs: number }
  | { readonly kind: 'fail' }
  | { readonly kind: 'bury' };

/** @param tries how often it has run, 1 or more */
export function decideRetry(error: unknown, tries: number): RetryDecision {
  if (!isHoldfastError(error) || !PASSING.has(error.code)) return { kind: 'fail' };
  if (tries >= MAX_TRIES) return { kind: 'bury' };
  return { kind: 'retry', delayMs: Math.min(FIRST_DELAY_MS * 2 ** (tries - 1), MAX_DELAY_MS) };
}
