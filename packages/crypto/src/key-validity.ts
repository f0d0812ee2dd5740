/**
 * When a pinned public key was good (P-04). Old keys stay pinned for what they signed in their time.
 * Intervals are half-open, so that of two keys that follow one another exactly one is valid at any time.
 */
export interface KeyValidity {
  /** RFC 3339. */
  readonly validFrom: string;
  /** RFC 3339; `null` while the key is in use. */
  readonly validTo: string | null;
}

/** Whether the key was valid at `wallMs`. An interval that cannot be read holds no time at all. */
export function isKeyValidAt(validity: KeyValidity, wallMs: number): boolean {
  const from = Date.parse(validity.validFrom);
  const to = validity.validTo === null ? Infinity : Date.parse(validity.validTo);
  // NaN compares false: fails closed.
  return from <= wallMs && wallMs < to;
}
