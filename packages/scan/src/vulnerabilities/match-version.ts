/**
 * Whether a version is affected (OSV schema, "Evaluation"). What cannot be decided is `unknown`,
 * never `no`: a range of commits, or a version that is none.
 */
import semver from 'semver';
import type { Ecosystem } from '../packages/package.ts';
import type { OsvAffected, OsvRange } from './osv-entry.ts';
import { comparePep440 } from './pep440.ts';

export type Match = 'yes' | 'no' | 'unknown';

type Compare = (a: string, b: string) => number | null;

/** Semantic Versioning 2.0.0 §11; Go's pseudo-versions are pre-releases of it, `+incompatible` is build metadata. */
const compareSemver: Compare = (a, b) => {
  const [left, right] = [semver.parse(a), semver.parse(b)];
  return left === null || right === null ? null : left.compare(right);
};
const COMPARE: Readonly<Record<Ecosystem, Compare>> = {
  npm: compareSemver,
  Go: compareSemver,
  'crates.io': compareSemver,
  PyPI: comparePep440,
};

export function matchVersion(ecosystem: Ecosystem, version: string, affected: OsvAffected): Match {
  const compare = COMPARE[ecosystem];
  const listed = affected.versions ?? [];
  if (listed.some((one) => one === version || compare(one, version) === 0)) return 'yes';
  const ranges = affected.ranges ?? [];
  const compared = ranges.filter(({ type }) => type !== 'GIT').map((range) => matchRange(range, version, compare));
  if (compared.includes('yes')) return 'yes';
  if (compared.includes('unknown')) return 'unknown';
  // Only commits: the list of versions, where there is one, was made from them and is complete.
  return compared.length === 0 && listed.length === 0 ? 'unknown' : 'no';
}

/** "0" is before every version; the others are of the ecosystem. */
const ZERO = '0';

function matchRange({ events }: OsvRange, version: string, compare: Compare): Match {
  const place = (event: string): number | null => (event === ZERO ? 1 : compare(version, event));
  const limits = events.flatMap(({ limit }) => (limit === undefined ? [] : [limit]));
  if (limits.length > 0 && !limits.some((limit) => limit === '*' || (place(limit) ?? -1) < 0)) return 'no';
  // Both bounds of the newest event at or before the version decide; events come in any order.
  let last: { at: string; affected: boolean } | null = null;
  for (const { introduced, fixed, last_affected: lastAffected } of events) {
    const at = introduced ?? fixed ?? lastAffected;
    if (at === undefined) continue;
    const side = place(at);
    if (side === null) return 'unknown';
    // `last_affected` itself is still affected; everything after it is not.
    if (side < 0 || (side === 0 && lastAffected !== undefined)) continue;
    const since = last === null ? 1 : last.at === ZERO ? 1 : at === ZERO ? -1 : (compare(at, last.at) ?? 0);
    // An event pair at one version affects nothing: the fix wins.
    if (since > 0 || (since === 0 && introduced === undefined)) last = { at, affected: introduced !== undefined };
  }
  return last?.affected === true ? 'yes' : 'no';
}

/** The lowest version above `version` that an advisory calls fixed; `null` when there is none. */
export function firstFixed(ecosystem: Ecosystem, version: string, affected: readonly OsvAffected[]): string | null {
  const compare = COMPARE[ecosystem];
  return (
    affected
      .flatMap(({ ranges }) => ranges ?? [])
      .filter(({ type }) => type !== 'GIT')
      .flatMap(({ events }) => events.flatMap(({ fixed }) => (fixed === undefined ? [] : [fixed])))
      .filter((fixed) => (compare(fixed, version) ?? -1) > 0)
      .toSorted((a, b) => compare(a, b) ?? 0)[0] ?? null
  );
}
