/**
 * The patterns by which a surface names its tests: the test's id, with `*` for any characters.
 * Everything else stands for itself; there is nothing to escape, and matching takes no more steps than
 * pattern times id.
 */

/** @returns whether an id matches `pattern` as a whole */
export function testPattern(pattern: string): (id: string) => boolean {
  const pieces = pattern.split('*');
  const first = pieces[0] ?? '';
  const last = pieces.at(-1) ?? '';
  if (pieces.length === 1) return (id) => id === pattern;
  const between = pieces.slice(1, -1);
  return (id) => {
    if (id.length < first.length + last.length || !id.startsWith(first) || !id.endsWith(last)) return false;
    const end = id.length - last.length;
    let at = first.length;
    for (const piece of between) {
      const found = id.indexOf(piece, at);
      if (found === -1 || found + piece.length > end) return false;
      at = found + piece.length;
    }
    return true;
  };
}
