/**
 * Which advisories affect which packages: advisories that are aliases of each other become one
 * vulnerability, which keeps the ids of all of them. Pure.
 */
import { type Ecosystem, type Package } from '../packages/package.ts';
import { firstFixed, type Match, matchVersion } from './match-version.ts';
import { keyOf, type OsvDatabase } from './osv-database.ts';
import type { OsvAffected, OsvEntry } from './osv-entry.ts';
import { type Level, levelOf, worst } from './severity.ts';

export interface Vulnerability {
  /** The one package; where several lockfiles pin it, all of its places. */
  readonly package: Package;
  readonly lockfiles: readonly string[];
  /** The id in the ecosystem's own name space first. */
  readonly ids: readonly [string, ...string[]];
  readonly level: Level;
  readonly summary: string | null;
  /** `unknown`: the version could not be compared; it counts as affected. */
  readonly match: Exclude<Match, 'no'>;
  readonly fixed: string | null;
}

/** Where each ecosystem's own advisories are; other ids follow in alphabetical order. */
const OWN_PREFIX: Readonly<Record<Ecosystem, string>> = {
  npm: 'GHSA-',
  Go: 'GO-',
  'crates.io': 'RUSTSEC-',
  PyPI: 'PYSEC-',
};

interface Hit {
  readonly entry: OsvEntry;
  readonly affected: readonly OsvAffected[];
  readonly match: Exclude<Match, 'no'>;
}

export function findVulnerabilities(packages: readonly Package[], database: OsvDatabase): Vulnerability[] {
  const byPurl = Map.groupBy(packages, ({ purl }) => purl);
  return [...byPurl.values()].flatMap((places) => {
    // A package that any lockfile needs in production is needed there.
    const one = places.find(({ dev }) => !dev) ?? places[0]!; // groupBy makes no empty group
    const hits = database.find(one.ecosystem, one.name).flatMap((entry) => matchEntry(one, entry));
    const lockfiles = [...new Set(places.map(({ lockfile }) => lockfile))];
    return groupAliases(hits).map((group) => describe(one, lockfiles, group));
  });
}

function matchEntry({ ecosystem, name, version }: Package, entry: OsvEntry): Hit[] {
  const affected = (entry.affected ?? []).filter(
    ({ package: one }) =>
      one !== undefined && one.ecosystem.split(':', 1)[0] === ecosystem && keyOf(ecosystem, one.name) === name,
  );
  const matches = new Set(affected.map((one) => matchVersion(ecosystem, version, one)));
  const match = matches.has('yes') ? 'yes' : matches.has('unknown') ? 'unknown' : null;
  return match === null ? [] : [{ entry, affected, match }];
}

/** Advisories that share an id, directly or over others, are about one thing. */
function groupAliases(hits: readonly Hit[]): Hit[][] {
  let groups: { ids: Set<string>; hits: Hit[] }[] = [];
  for (const hit of hits) {
    const ids = new Set([hit.entry.id, ...(hit.entry.aliases ?? [])]);
    const joined = groups.filter((group) => !group.ids.isDisjointFrom(ids));
    const merged = {
      ids: joined.reduce((all, group) => all.union(group.ids), ids),
      hits: [...joined.flatMap((group) => group.hits), hit],
    };
    groups = [...groups.filter((group) => !joined.includes(group)), merged];
  }
  return groups.map((group) => group.hits);
}

function describe(one: Package, lockfiles: readonly string[], hits: readonly Hit[]): Vulnerability {
  const own = OWN_PREFIX[one.ecosystem];
  const ids = [...new Set(hits.flatMap(({ entry }) => [entry.id, ...(entry.aliases ?? [])]))].toSorted(
    (a, b) => Number(b.startsWith(own)) - Number(a.startsWith(own)) || (a < b ? -1 : 1),
  ) as [string, ...string[]]; // a hit has its own id
  return {
    package: one,
    lockfiles,
    ids,
    level: worst(hits.map(({ entry, affected }) => levelOf(entry, affected))),
    summary: hits.map(({ entry }) => entry.summary ?? null).find((summary) => summary !== null) ?? null,
    match: hits.some(({ match }) => match === 'yes') ? 'yes' : 'unknown',
    fixed: firstFixed(
      one.ecosystem,
      one.version,
      hits.flatMap(({ affected }) => affected),
    ),
  };
}
