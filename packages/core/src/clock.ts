/**
 * Time as a capability. Pure code takes times as arguments; shells take a `Clock`.
 */
export interface Clock {
  /** Wall clock, milliseconds since the epoch. For display and expiry only (P-09). */
  wallMs(): number;
  /** Milliseconds that never step, from an arbitrary origin of this boot. For order, ages and timeouts. */
  monotonicMs(): number;
}
