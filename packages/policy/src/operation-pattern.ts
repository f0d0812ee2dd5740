/** Operation names and the patterns over them: `services.restart`, `services.*`. */

/** The part before the last dot: `exec.backup` is in the area `exec`. */
export function areaOf(operation: string): string {
  return operation.slice(0, Math.max(0, operation.lastIndexOf('.')));
}

/** Whether `pattern` names `operation`. `area.*` covers the area itself and not the areas inside it. */
export function matchesOperation(pattern: string, operation: string): boolean {
  if (pattern === operation) return true;
  return pattern.endsWith('.*') && areaOf(operation) === pattern.slice(0, -2);
}

/** Whether everything `inner` matches is matched by `outer`. */
export function coversPattern(outer: string, inner: string): boolean {
  if (outer === inner) return true;
  return !inner.endsWith('.*') && matchesOperation(outer, inner);
}
