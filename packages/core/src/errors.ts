/**
 * The one error class of Holdfast. An expected failure is a `HoldfastError` with a closed code, a
 * remedy for whoever sees it, and fields that are safe to log. Misuse by our own code is a
 * `TypeError`; an abort passes `signal.reason` through. Nothing else is thrown on purpose.
 */
import { ERROR_CODES, type ErrorCode, type Remedy } from './error-codes/all.ts';

const BRAND = Symbol.for('holdfast.error');

/** Values that may stand in a log line: never secrets, never text a stranger chose. */
export type LogFields = Readonly<Record<string, string | number | boolean | null>>;

export interface HoldfastErrorOptions {
  readonly code: ErrorCode;
  /** Defaults to the remedy of the code's table entry. */
  readonly remedy?: Remedy;
  readonly fields?: LogFields;
  readonly cause?: unknown;
}

export class HoldfastError extends Error {
  override readonly name = 'HoldfastError';
  readonly code: ErrorCode;
  readonly remedy: Remedy;
  readonly fields: LogFields;

  constructor(message: string, options: HoldfastErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = options.code;
    this.remedy = options.remedy ?? ERROR_CODES[options.code].remedy;
    this.fields = options.fields ?? {};
    Object.defineProperty(this, BRAND, { value: true });
  }
}

/** Recognises a `HoldfastError` by its brand, also one made by another copy of this package. */
export function isHoldfastError(value: unknown): value is HoldfastError {
  return typeof value === 'object' && value !== null && BRAND in value;
}

/** Whether `value` is a `HoldfastError` with this code. */
export function hasCode(value: unknown, code: ErrorCode): value is HoldfastError {
  return isHoldfastError(value) && value.code === code;
}
