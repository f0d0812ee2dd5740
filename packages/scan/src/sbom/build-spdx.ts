/** An SPDX 2.3 document (spdx.github.io/spdx-spec/v2.3) of the same packages, deterministic. */
import { canonicalJson } from '@holdfast/core';
import { hash } from 'node:crypto';
import parseExpression from 'spdx-expression-parse';
import type { Package } from '../packages/package.ts';
import { hashOf, type SbomSubject, uniquePackages } from './build-sbom.ts';

/** §7.2: letters, digits, `.` and `-` alone. */
const idOf = (purl: string): string => `SPDXRef-Package-${hash('sha256', purl).slice(0, 32)}`;

export function buildSpdx(packages: readonly Package[], subject: SbomSubject): string {
  const listed = uniquePackages(packages);
  const root = 'SPDXRef-Root';
  const digest = hash('sha256', canonicalJson([subject.name, subject.version, listed.map(({ purl }) => purl)]));
  const document = {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: `${subject.name} ${subject.version}`,
    // §6.5 wants a unique URI, which need not resolve.
    documentNamespace: `https://spdx.org/spdxdocs/holdfast-${digest}`,
    // §6.9: without fractions of a second.
    creationInfo: {
      created: new Date(subject.nowMs).toISOString().replace(/\.\d+Z$/, 'Z'),
      creators: ['Tool: holdfast'],
    },
    packages: [
      {
        SPDXID: root,
        name: subject.name,
        versionInfo: subject.version,
        downloadLocation: 'NOASSERTION',
        filesAnalyzed: false,
      },
      ...listed.map(describePackage),
    ],
    relationships: [
      { spdxElementId: 'SPDXRef-DOCUMENT', relationshipType: 'DESCRIBES', relatedSpdxElement: root },
      ...listed.map(({ purl, dev }) =>
        dev
          ? { spdxElementId: idOf(purl), relationshipType: 'DEV_DEPENDENCY_OF', relatedSpdxElement: root }
          : { spdxElementId: root, relationshipType: 'DEPENDS_ON', relatedSpdxElement: idOf(purl) },
      ),
    ],
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function describePackage(one: Package) {
  const digest = hashOf(one);
  return {
    SPDXID: idOf(one.purl),
    name: one.name,
    versionInfo: one.version,
    downloadLocation: 'NOASSERTION',
    filesAnalyzed: false,
    licenseDeclared: one.licence !== null && isExpression(one.licence) ? one.licence : 'NOASSERTION',
    checksums: digest === null ? [] : [{ algorithm: digest.algorithm.replace('-', ''), checksumValue: digest.hex }],
    externalRefs: [{ referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: one.purl }],
  };
}

function isExpression(licence: string): boolean {
  try {
    parseExpression(licence);
    return true;
  } catch {
    return false;
  }
}
