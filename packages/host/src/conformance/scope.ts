/** What every suite shares: how a subject is opened, and the assertions on contract errors. */
import assert from 'node:assert/strict';

import { type ErrorCode, hasCode } from '@holdfast/core';

/** The part of a `TestContext` that cleaning up needs. */
export interface Scope {
  after(fn: () => void | Promise<void>): void;
}

/** As `needs(...)` of `@holdfast/testing` gives them. */
export interface SuiteOptions {
  readonly skip?: string | false;
}

/** A signal that never aborts. */
export const calm = (): AbortSignal => new AbortController().signal;

/** `action` rejects with exactly this code. */
export async function rejectsWith(code: ErrorCode, action: Promise<unknown>): Promise<void> {
  await assert.rejects(action, (error: unknown) => {
    assert.ok(hasCode(error, code), `wanted ${code}, got ${String(error)}`);
    return true;
  });
}

/** An aborted signal ends `action` with the signal's own reason. */
export async function honoursAbort(action: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
  const reason = new Error('the caller went away');
  await assert.rejects(action(AbortSignal.abort(reason)), (error: unknown) => error === reason);
}
