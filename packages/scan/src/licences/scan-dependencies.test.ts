import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, it } from 'node:test';
import { Ajv } from 'ajv';
import { hasCode } from '@holdfast/core';
import { definePackage } from '../packages/package.ts';
import { memoryFiles } from '../packages/source-files.ts';
import { buildCycloneDx } from '../sbom/build-sbom.ts';
import { buildSpdx } from '../sbom/build-spdx.ts';
import { judgeLicence } from './judge-licence.ts';
import { scanDependencies } from './scan-dependencies.ts';

const { signal } = new AbortController();
const nowMs = Date.UTC(2026, 0, 10);
const POLICY = 'version: 1\nlicences: {allow: [MIT, Apache-2.0], deny: [GPL-3.0-only]}\n';
const lock = (entry: object): string =>
  JSON.stringify({
    lockfileVersion: 3,
    packages: { '': {}, 'node_modules/a': { version: '1.0.0', license: 'MIT', integrity: 'sha512-AA==', ...entry } },
  });
const scan = (tree: Record<string, string>) => scanDependencies({ files: memoryFiles(tree) }, { nowMs }, signal);
const rules = async (entry: object, policy = POLICY): Promise<string[]> =>
  (await scan({ 'package-lock.json': lock(entry), '.holdfast-dependencies.yaml': policy })).findings
    .filter(({ suppressed }) => suppressed === null)
    .map(({ rule }) => rule);

const except = (expires: string): string =>
  `${POLICY}exceptions: [{package: "pkg:npm/a", rule: install-script, reason: r, owner: o, expires: ${expires}}]\n`;

const load = (name: string): object => {
  const main = createRequire(import.meta.url).resolve('@cyclonedx/cyclonedx-library/package.json');
  return JSON.parse(
    readFileSync(new URL(`res/schema/${name}.SNAPSHOT.schema.json`, `file://${main}`), 'utf8'),
  ) as object;
};

describe('scanDependencies', () => {
  it('R-26: an orderly tree is clean; each broken rule is a finding', async () => {
    assert.deepEqual(await rules({}), []);
    assert.deepEqual(await rules({ license: 'GPL-3.0-only' }), ['licence-not-allowed']);
    assert.deepEqual(await rules({ license: 'SEE LICENSE IN x' }), ['licence-unknown']);
    assert.deepEqual(await rules({ license: undefined }), ['licence-unknown']);
    assert.deepEqual(await rules({ hasInstallScript: true }), ['install-script']);
    assert.deepEqual(await rules({ integrity: undefined }), ['integrity-missing']);
    assert.deepEqual(await rules({ resolved: 'https://example.com/a.tgz' }), ['source-not-registry']);
  });

  it('R-26: an exception holds to its last day; lapsed and unused ones are findings', async () => {
    assert.deepEqual(await rules({ hasInstallScript: true }, except('2026-01-10')), []);
    assert.deepEqual(await rules({ hasInstallScript: true }, except('2026-01-09')), [
      'exception-expired',
      'install-script',
    ]);
    assert.deepEqual(await rules({}, except('2026-02-01')), ['exception-unused']);
  });

  it('R-26: without a policy it is inconclusive, and an unreadable one is refused', async () => {
    assert.equal((await scan({ 'package-lock.json': lock({}) })).state, 'inconclusive');
    for (const policy of ['version: 1\n', `${POLICY}other: 1\n`, 'licences: {allow: []}\n', '\t']) {
      await assert.rejects(scan({ '.holdfast-dependencies.yaml': policy }), (error) =>
        hasCode(error, 'ERR_SCAN_INPUT'),
      );
    }
  });

  it('R-26: toolchain pins that disagree are named, both of them', async () => {
    const { findings } = await scan({
      '.nvmrc': 'v22.1.0\n',
      'package.json': '{"engines":{"node":">=20"}}',
      Dockerfile: 'FROM node:20-slim\n',
      '.github/workflows/ci.yml': '      node-version: "22"\n',
      '.holdfast-dependencies.yaml': POLICY,
    });
    assert.deepEqual(
      findings.map(({ rule, message }) => [rule, message]),
      [['toolchain-pins-disagree', 'Dockerfile wants node 20, .nvmrc wants 22.1.0: make them agree.']],
    );
  });

  it('R-26: signatures that were not checked are said to be unchecked', async () => {
    const { coverage } = await scan({ 'package-lock.json': lock({}) });
    assert.match(
      coverage.skipped.map(({ path, reason }) => `${path}: ${reason}`).join(),
      /registry signatures: Not checked/,
    );
  });
});

describe('judgeLicence', () => {
  const policy = { allow: ['MIT', 'Apache-2.0'], deny: ['GPL-3.0-only'] };
  for (const [expression, want] of [
    ['MIT', 'allowed'],
    ['(MIT OR GPL-3.0-only)', 'allowed'],
    ['MIT AND GPL-3.0-only', 'not-allowed'],
    ['Apache-2.0 WITH LLVM-exception', 'allowed'],
    ['Apache-2.0+', 'allowed'],
    ['ISC', 'not-allowed'],
    ['UNLICENSED', 'unknown'],
    ['', 'unknown'],
    [null, 'unknown'],
  ] as const) {
    it(`R-26: ${expression} is ${want}`, () => assert.equal(judgeLicence(expression, policy), want));
  }
});

describe('SBOM', () => {
  const packages = ['b', '@x/a', 'b'].map((name) =>
    definePackage({
      ecosystem: 'npm',
      name,
      version: '1.0.0',
      licence: 'MIT',
      integrity: `sha512-${Buffer.alloc(64).toString('base64')}`,
      lockfile: 'l',
    }),
  );
  const subject = { name: 'app', version: '1.0.0', nowMs };

  it('R-26: CycloneDX is valid by its schema, and the same for the same input', () => {
    const text = buildCycloneDx(packages, subject);
    assert.equal(text, buildCycloneDx(packages.toReversed(), subject));
    const ajv = new Ajv({ strict: false, validateFormats: false });
    // The library's copies carry another file name in their references than in their ids.
    for (const name of ['spdx', 'jsf-0.82']) {
      ajv.addSchema({ ...load(name), $id: `http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json` });
    }
    assert.ok(ajv.validate(load('bom-1.6'), JSON.parse(text)), ajv.errorsText());
    assert.deepEqual(
      JSON.parse(text).components.map((one: { purl: string }) => one.purl),
      ['pkg:npm/%40x/a@1.0.0', 'pkg:npm/b@1.0.0'],
    );
  });

  it('R-32: SPDX has each package once, related to what it describes', () => {
    const document = JSON.parse(buildSpdx(packages, subject));
    const ids = new Set(document.packages.map((one: { SPDXID: string }) => one.SPDXID));
    assert.equal(ids.size, 3);
    assert.equal(document.packages[1].checksums[0].checksumValue.length, 128);
    for (const { relatedSpdxElement } of document.relationships) assert.ok(ids.has(relatedSpdxElement));
  });
});
