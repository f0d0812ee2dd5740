import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hasCode } from '@holdfast/core';
import { readSbom } from './read-sbom.ts';

const bytes = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
const isRefusal = (error: unknown): boolean => hasCode(error, 'ERR_REPORT_MALFORMED');

const cyclone = (specVersion: string): Uint8Array =>
  bytes({
    bomFormat: 'CycloneDX',
    specVersion,
    components: [
      {
        type: 'library',
        name: 'a',
        version: '1',
        purl: 'pkg:npm/a@1',
        licenses: [{ license: { id: 'MIT' } }],
        components: [{ name: 'b', licenses: [{ expression: 'MIT OR ISC' }] }],
      },
    ],
  });
const spdx = (spdxVersion: string): Uint8Array =>
  bytes({
    spdxVersion,
    packages: [
      {
        name: 'a',
        versionInfo: '1',
        licenseConcluded: 'NOASSERTION',
        licenseDeclared: 'MIT',
        externalRefs: [
          { referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: 'pkg:npm/a@1' },
        ],
      },
    ],
  });
const a = { name: 'a', version: '1', purl: 'pkg:npm/a@1', licences: ['MIT'] };

describe('readSbom', () => {
  it('R-32: reads CycloneDX 1.4 to 1.6, components in components, too', () => {
    for (const version of ['1.4', '1.5', '1.6']) {
      const b = { name: 'b', version: null, purl: null, licences: ['MIT OR ISC'] };
      assert.deepEqual(readSbom(cyclone(version)), { format: 'CycloneDX', version, components: [a, b] });
    }
  });

  it('R-32: reads SPDX 2.3', () =>
    assert.deepEqual(readSbom(spdx('SPDX-2.3')), { format: 'SPDX', version: '2.3', components: [a] }));

  it('R-32: refuses other versions, other files, and components nested without end', () => {
    let nested: object = { name: 'x' };
    for (let depth = 0; depth < 60; depth++) nested = { name: 'x', components: [nested] };
    for (const input of [
      cyclone('1.3'),
      spdx('SPDX-2.2'),
      bytes({}),
      bytes({ bomFormat: 'CycloneDX', specVersion: '1.6', components: [nested] }),
    ])
      assert.throws(() => readSbom(input), isRefusal);
  });
});
