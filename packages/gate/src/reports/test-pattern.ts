/** Patterns over test ids, as surfaces declare them: `*` stands for any characters, everything else for itself. */

/** Whether `pattern` names the test `id`, whole. Takes time linear in the lengths for each `*`; never backtracks. */
export function matchesTestPattern(pattern: string, id: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  const last = rest.pop();
  if (last === undefined) return id === pattern;
  if (!id.startsWith(first)) return false;
  let at = first.length;
  for (const part of rest) {
    // The leftmost place leaves the most for what follows.
    const found = id.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return id.length - last.length >= at && id.endsWith(last);
}
