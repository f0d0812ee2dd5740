/** What the runner reads from a command's plain output: signs of a cache, and matches of a search. */

/** Lines by which tools say that they did not do the work now. Each is linear: no nested repetition. */
const CACHE_SIGNS: readonly RegExp[] = [
  /^ok[ \t]+\S+[ \t]+\(cached\)/m, // go test
  /\(cached\) PASSED/, // bazel
  /cache hit, replaying (?:output|logs)/, // turbo
  /^> nx run .*\[(?:local|remote) cache\]/m,
  /existing outputs match the cache, left as is/, // nx
  /^> Task \S+ (?:FROM-CACHE|UP-TO-DATE)$/m, // gradle
];

export const showsCache = (output: string): boolean => CACHE_SIGNS.some((sign) => sign.test(output));

/** Of the record's schema; a longer path is no path of the repository. */
const MAX_PATH_CHARS = 1_000;

/**
 * Counts the lines `path:…` of a search by path. A line without a colon counts under itself, so that
 * what does not look like a match never vanishes.
 */
export function countMatches(output: string): Readonly<Record<string, number>> {
  const matches = new Map<string, number>();
  for (const line of output.split('\n')) {
    if (line === '') continue;
    const colon = line.indexOf(':');
    const path = line.slice(line.startsWith('./') ? 2 : 0, colon === -1 ? undefined : colon).slice(0, MAX_PATH_CHARS);
    // No schema keeps a member called `__proto__`, and a file of that name must not vanish.
    const key = path === '' ? '(no path)' : path === '__proto__' ? './__proto__' : path.toWellFormed();
    matches.set(key, (matches.get(key) ?? 0) + 1);
  }
  return Object.fromEntries(matches);
}
