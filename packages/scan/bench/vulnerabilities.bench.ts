/**
 * what is found of what is planted, and how fast: an import of 50,000 made-up advisories against
 * parsing their JSON alone, and matching 2,000 packages against them. Advisories and packages are
 * numbered, so that which are affected is known: every package at an even place, and no other.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { costOf, perSecond } from '@holdfast/testing';
import { zipSync } from 'fflate';
import { importOsv, memoryFiles, openOsvDatabase, scanVulnerabilities } from '../src/index.ts';

const ADVISORIES = 50_000;
const PACKAGES = 2_000;
const nowMs = Date.UTC(2026, 0, 2);
const { signal } = new AbortController();

const advisory = (number: number) => ({
  id: `TEST-${number}`,
  modified: '2026-01-01T00:00:00Z',
  summary: 'made up',
  details: 'x'.repeat(1_000), // about as long as real ones
  affected: [
    {
      package: { ecosystem: 'npm', name: `package-${number}` },
      ranges: [{ type: 'SEMVER', events: [{ introduced: '0' }, { fixed: '2.0.0' }] }],
    },
  ],
});

export async function bench() {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
  try {
    const texts = Array.from({ length: ADVISORIES }, (_, number) => JSON.stringify(advisory(number)));
    const archive = zipSync(Object.fromEntries(texts.map((text, index) => [`${index}.json`, Buffer.from(text)])), {
      level: 1,
      mtime: '2026-01-01',
    });
    const file = join(directory, 'osv.db');
    const parsed = await costOf(() => texts.map((text) => JSON.parse(text) as unknown));
    const imported = await costOf(() => importOsv(file, archive, { nowMs }, signal));
    const entries = Array.from({ length: PACKAGES }, (_, place) => [
      `node_modules/package-${place}`,
      { version: place % 2 === 0 ? '1.9.9' : '2.0.0' },
    ]);
    const lock = JSON.stringify({ lockfileVersion: 3, packages: Object.fromEntries(entries) });
    using database = openOsvDatabase(file);
    let found: string[] = [];
    const matched = await costOf(async () => {
      const files = memoryFiles({ 'package-lock.json': lock });
      const summary = await scanVulnerabilities({ files, database }, { nowMs }, signal);
      found = summary.findings.map(({ location }) => location);
    });
    const hits = found.filter((location) => location.endsWith('@1.9.9')).length;
    return [
      {
        row: 'R-25',
        name: `found of ${PACKAGES / 2} planted packages, ${found.length - hits} false`,
        measured: `${hits}`,
        against: `${PACKAGES / 2} planted`,
        ratio: hits / (PACKAGES / 2),
        wanted: { atLeast: 1 },
      },
      {
        row: 'R-25',
        name: `import of ${ADVISORIES} advisories`,
        measured: perSecond(ADVISORIES / imported.wallS),
        against: `JSON.parse of the same at ${perSecond(ADVISORIES / parsed.wallS)}`,
        ratio: imported.wallS / parsed.wallS,
        wanted: null,
      },
      {
        row: 'R-25',
        name: `packages matched against ${ADVISORIES} advisories`,
        measured: perSecond(PACKAGES / matched.wallS),
        against: `import at ${perSecond(ADVISORIES / imported.wallS)}`,
        ratio: matched.wallS / imported.wallS,
        wanted: null,
      },
    ];
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
