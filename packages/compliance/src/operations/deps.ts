/** What the operations of this package need beside the host, and how they refuse. */
import { HoldfastError, type JsonObject } from '@holdfast/core';
import { type Baseline, expectationOf } from '../baseline.ts';
import type { Check } from '../check.ts';

export interface ComplianceOperationDeps {
  /** A stored copy of a file by the digest of its content, or `null`. What it returns is checked against the digest. */
  readonly blobs: (sha256: string, signal: AbortSignal) => Promise<Uint8Array | null>;
  /** Unguessable bytes, for canary tokens. */
  readonly randomBytes: (sizeBytes: number) => Uint8Array;
}

/**
 * The section an operation works from.
 *
 * @throws `ERR_NOT_IN_BASELINE` when there is no baseline, or none of this
 */
export function requireExpectation<E extends JsonObject>(baseline: Baseline | null, check: Check<E>): E {
  const expectation = expectationOf(baseline, check);
  if (expectation === null) throw notInBaseline(`the section ${check.name}`);
  return expectation;
}

/** @param what a constant text: the fields are logged */
export function notInBaseline(what: string): HoldfastError {
  return new HoldfastError(`the baseline does not have ${what}`, { code: 'ERR_NOT_IN_BASELINE', fields: { what } });
}
