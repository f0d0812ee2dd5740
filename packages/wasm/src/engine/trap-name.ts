/**
 * Stable names for the ways a module can trap. V8 words its messages differently between versions and
 * may name indices in them: what leaves here is one of these names only.
 */
export type TrapName =
  | 'unreachable'
  | 'out-of-bounds-memory'
  | 'out-of-bounds-table'
  | 'out-of-bounds-segment'
  | 'integer-divide-by-zero'
  | 'integer-overflow'
  | 'float-to-integer'
  | 'indirect-call'
  | 'other';

/** The first that matches; segments are named before memories and tables, which their messages may mention. */
const PATTERNS: readonly (readonly [RegExp, TrapName])[] = [
  [/unreachable/u, 'unreachable'],
  [/segment/u, 'out-of-bounds-segment'],
  [/memory.*out of bounds|out of bounds.*memory/u, 'out-of-bounds-memory'],
  [/signature mismatch|null function|null reference|null pointer/u, 'indirect-call'],
  [/table.*(?:out of|bounds)|bounds.*table/u, 'out-of-bounds-table'],
  [/(?:divide|remainder) by zero/u, 'integer-divide-by-zero'],
  [/unrepresentable in integer range/u, 'float-to-integer'],
  [/divide result unrepresentable/u, 'integer-overflow'],
];

export function trapName(message: string): TrapName {
  return PATTERNS.find(([pattern]) => pattern.test(message))?.[1] ?? 'other';
}
