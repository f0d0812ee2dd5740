import assert from 'node:assert/strict';
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it, type TestContext } from 'node:test';
import { hasCode } from '@holdfast/core';
import { temporaryDirectory } from '@holdfast/testing';
import { zipSync } from 'fflate';
import { type Ecosystem, ECOSYSTEMS } from '../packages/package.ts';
import { memoryFiles } from '../packages/source-files.ts';
import { ScanSummarySchema } from '../scan-report.ts';
import { buildOpenVex } from '../vex/build-open-vex.ts';
import { importOsv, openOsvDatabase } from './osv-database.ts';
import { scanVulnerabilities, triageVulnerabilities } from './scan-vulnerabilities.ts';

const { signal } = new AbortController();
const nowMs = Date.UTC(2026, 0, 10);
const vectors = JSON.parse(readFileSync(new URL('vectors/advisories.json', import.meta.url), 'utf8')) as Record<
  Ecosystem,
  { id: string }[]
>;

const zipOf = (entries: readonly { id: string }[]): Uint8Array =>
  zipSync(Object.fromEntries(entries.map((entry) => [`${entry.id}.json`, Buffer.from(JSON.stringify(entry))])), {
    mtime: '2026-01-02',
  });

function planted(t: TestContext): string {
  const file = join(temporaryDirectory(t), 'osv.db');
  for (const ecosystem of ECOSYSTEMS) importOsv(file, zipOf(vectors[ecosystem]), { nowMs }, signal);
  return file;
}

const npmLock = (versions: Record<string, string>): string =>
  JSON.stringify({
    lockfileVersion: 3,
    packages: {
      '': { name: 'app', dependencies: Object.fromEntries(Object.keys(versions).map((name) => [name, '*'])) },
      ...Object.fromEntries(
        Object.entries(versions).map(([name, version]) => [
          `node_modules/${name}`,
          { version, integrity: 'sha512-AA==' },
        ]),
      ),
    },
  });

const TREE = {
  'package-lock.json': npmLock({ lodash: '4.17.11', minimist: '1.2.6' }),
  'go/go.mod': 'module example.com/m\ngo 1.19\nrequire golang.org/x/text v0.3.7\n',
  'rust/Cargo.lock':
    'version = 3\n[[package]]\nname = "time"\nversion = "0.1.43"\nsource = "registry+https://github.com/rust-lang/crates.io-index"\nchecksum = "00"\n',
  'python/requirements.txt': 'Requests==2.30.0\n',
};

const decide = (more: string): Record<string, string> => ({
  ...TREE,
  '.holdfast-vulnerabilities.yaml': `version: 1\nentries:\n  - {id: CVE-2019-10744, package: "pkg:npm/lodash@4.17.11", status: not_affected, justification: ${more}, reason: not called, owner: ann}\n`,
});

describe('scanVulnerabilities', () => {
  it('R-25: finds what is planted in four ecosystems, with the ids of all name spaces, and nothing else', async (t) => {
    using database = openOsvDatabase(planted(t));
    const summary = await scanVulnerabilities({ files: memoryFiles(TREE), database }, { nowMs }, signal);
    assert.deepEqual(ScanSummarySchema.parse(summary), summary);
    assert.equal(summary.state, 'complete');
    assert.deepEqual(
      summary.findings.map(({ rule, aliases, location, severity, reachability }) => [
        rule,
        aliases,
        location,
        severity,
        reachability,
      ]),
      [
        ['RUSTSEC-2020-0071', ['CVE-2020-26235', 'GHSA-wcg3-cvx6-7396'], 'pkg:cargo/time@0.1.43', 'P2', 'unknown'],
        [
          'GO-2022-1059',
          ['CVE-2022-32149', 'GHSA-69ch-w2m2-3vjp'],
          'pkg:golang/golang.org/x/text@v0.3.7',
          'P1',
          'unknown',
        ],
        ['GHSA-jf85-cpcp-j695', ['CVE-2019-10744'], 'pkg:npm/lodash@4.17.11', 'P0', 'unknown'],
        ['PYSEC-2023-74', ['CVE-2023-32681', 'GHSA-j8r2-6x86-q33q'], 'pkg:pypi/requests@2.30.0', 'P2', 'unknown'],
      ],
    );
    assert.equal(summary.coverage.packages, 5);
    assert.equal(summary.database?.exportedAt.slice(0, 10), '2026-01-02');
  });

  it('R-25: without a database, without lockfiles, or without data for an ecosystem it is inconclusive', async (t) => {
    const none = await scanVulnerabilities({ files: memoryFiles(TREE), database: null }, { nowMs }, signal);
    assert.deepEqual([none.state, none.database, none.findings.length], ['inconclusive', null, 0]);
    const file = join(temporaryDirectory(t), 'osv.db');
    importOsv(file, zipOf(vectors.npm), { nowMs }, signal);
    using database = openOsvDatabase(file);
    const some = await scanVulnerabilities({ files: memoryFiles(TREE), database }, { nowMs }, signal);
    assert.equal(some.state, 'inconclusive');
    assert.match(some.reasons.join(' '), /no export for Go.*no export for PyPI.*no export for crates.io/);
    for (const tree of [
      {},
      { 'package.json': '{"dependencies":{"lodash":"1"}}' },
      { 'requirements.txt': 'flask>=1\n' },
    ]) {
      const empty = await scanVulnerabilities({ files: memoryFiles(tree), database }, { nowMs }, signal);
      assert.equal(empty.state, 'inconclusive', JSON.stringify(tree));
    }
  });

  it('R-25: a decision in force suppresses; expired, unused and contradicted ones are findings', async (t) => {
    using database = openOsvDatabase(planted(t));
    const rules = async (tree: Record<string, string>) => {
      const { findings } = await scanVulnerabilities({ files: memoryFiles(tree), database }, { nowMs }, signal);
      const lodash = findings.find(({ rule }) => rule === 'GHSA-jf85-cpcp-j695');
      return [
        lodash?.suppressed?.owner,
        ...findings.map(({ rule }) => rule).filter((rule) => rule.startsWith('triage')),
      ];
    };
    const justified = 'vulnerable_code_not_in_execute_path, expires:';
    assert.deepEqual(await rules(decide(`${justified} 2026-01-10`)), ['ann']);
    assert.deepEqual(await rules(decide(`${justified} 2026-01-09`)), [undefined, 'triage-expired']);
    const fixed = { ...decide(`${justified} 2026-02-01`), 'package-lock.json': npmLock({ lodash: '4.17.21' }) };
    assert.deepEqual(await rules(fixed), [undefined, 'triage-unused']);
    const imported = {
      ...decide(`${justified} 2026-02-01`),
      'a.ts': "import 'lodash';",
      'node_modules/lodash/package.json': '{"name":"lodash","version":"4.17.11"}',
      'node_modules/lodash/index.js': '',
    };
    assert.deepEqual(await rules(imported), [undefined, 'triage-contradicted']);
  });

  it('R-25: exports OpenVEX with the decision, and with what the import graph proves', async (t) => {
    using database = openOsvDatabase(planted(t));
    const tree = {
      'package-lock.json': npmLock({ lodash: '4.17.11', minimist: '1.2.5' }),
      'a.ts': "import 'minimist';",
      'node_modules/minimist/package.json': '{"name":"minimist","version":"1.2.5"}',
      'node_modules/minimist/index.js': '',
      'node_modules/lodash/package.json': '{"name":"lodash","version":"4.17.11"}',
      'node_modules/lodash/index.js': '',
    };
    const { summary, triaged } = await triageVulnerabilities({ files: memoryFiles(tree), database }, { nowMs }, signal);
    assert.deepEqual(
      summary.findings.map(({ severity, reachability }) => [severity, reachability]),
      [
        ['P1', 'not-reached'],
        ['P0', 'reachable'],
      ],
    );
    const vex = JSON.parse(buildOpenVex(triaged, { author: 'ann', product: 'pkg:npm/app@1', nowMs }));
    assert.equal(vex['@context'], 'https://openvex.dev/ns/v0.2.0');
    assert.deepEqual(
      vex.statements.map((one: { status: string; justification?: string }) => [one.status, one.justification]),
      [
        ['not_affected', 'vulnerable_code_not_in_execute_path'],
        ['under_investigation', undefined],
      ],
    );
  });
});

describe('importOsv', () => {
  const code = 'ERR_SCAN_DATABASE';
  it('replaces an ecosystem as a whole and leaves withdrawn advisories out', (t) => {
    const file = planted(t);
    const [first, second] = vectors.npm;
    const report = importOsv(
      file,
      zipOf([first!, { ...second!, withdrawn: '2024-01-01T00:00:00Z' } as { id: string }]),
      { nowMs },
      signal,
    );
    assert.deepEqual([report.ecosystem, report.entries, report.withdrawn], ['npm', 1, 1]);
    using database = openOsvDatabase(file);
    assert.equal(database.find('npm', 'minimist').length, 0);
    assert.equal(database.find('Go', 'golang.org/x/text').length, 2);
  });

  it('refuses archives that are cut off, changed, empty, no advisories, of no ecosystem or from the future', (t) => {
    const file = planted(t);
    const before = readFileSync(file);
    const whole = zipOf(vectors.npm);
    const flipped = Uint8Array.from(whole, (byte, index) => (index === 60 ? byte ^ 1 : byte));
    const bad: Uint8Array[] = [
      whole.subarray(0, -30), flipped, new Uint8Array(), zipOf([]), zipOf([{ id: 'X-1' }]),
      zipOf([vectors.npm[0]!, vectors.Go[0]!]), Buffer.from('{"id":'), whole.subarray(40),
    ]; // prettier-ignore
    for (const [index, bytes] of bad.entries()) {
      assert.throws(
        () => importOsv(file, bytes, { nowMs }, signal),
        (error) => hasCode(error, code),
        `archive ${index}`,
      );
    }
    assert.throws(
      () => importOsv(file, whole, { nowMs, exportedMs: nowMs + 3_600_000 }, signal),
      (error) => hasCode(error, code),
    );
    assert.deepEqual(readFileSync(file), before);
  });

  it('survives every cut of an archive with nothing but its own error', (t) => {
    const file = join(temporaryDirectory(t), 'osv.db');
    const whole = zipOf(vectors.PyPI);
    for (let size = 0; size < whole.length; size++) {
      assert.throws(
        () => importOsv(file, whole.subarray(0, size), { nowMs }, signal),
        (error) => hasCode(error, code),
      );
    }
  });

  it('an abort changes nothing', (t) => {
    const file = planted(t);
    const before = readFileSync(file);
    assert.throws(() => importOsv(file, zipOf(vectors.npm), { nowMs }, AbortSignal.abort()), { name: 'AbortError' });
    assert.deepEqual(readFileSync(file), before);
  });
});

const refuses = (file: string): void =>
  assert.throws(
    () => openOsvDatabase(file),
    (error) => hasCode(error, 'ERR_SCAN_DATABASE'),
  );

describe('openOsvDatabase', () => {
  it('refuses a file that is missing, none of ours, or not what was imported', (t) => {
    const directory = temporaryDirectory(t);
    refuses(join(directory, 'absent.db'));
    appendFileSync(join(directory, 'text.db'), 'no database at all');
    refuses(join(directory, 'text.db'));
    const change = (sql: string): string => {
      const file = planted(t);
      using database = new DatabaseSync(file);
      database.exec(sql);
      return file;
    };
    refuses(change("DELETE FROM advisory WHERE name = 'lodash'"));
    refuses(change('PRAGMA application_id = 1'));
    using changed = openOsvDatabase(change("UPDATE advisory SET json = '{}' WHERE name = 'lodash'"));
    assert.throws(
      () => changed.find('npm', 'lodash'),
      (error) => hasCode(error, 'ERR_SCAN_DATABASE'),
    );
  });
});
