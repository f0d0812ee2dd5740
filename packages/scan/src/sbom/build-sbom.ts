/**
 * A CycloneDX 1.6 document of the packages of a tree, deterministic: the same packages, subject
 * and time give the same bytes. It lists components, not their graph.
 */
import { Enums, Models, Serialize, Spec } from '@cyclonedx/cyclonedx-library';
import { PackageURL } from 'packageurl-js';
import type { Package } from '../packages/package.ts';

export interface SbomSubject {
  readonly name: string;
  readonly version: string;
  readonly nowMs: number;
}

export function buildCycloneDx(packages: readonly Package[], subject: SbomSubject): string {
  const bom = new Models.Bom();
  bom.metadata.timestamp = new Date(subject.nowMs);
  bom.metadata.component = new Models.Component(Enums.ComponentType.Application, subject.name, {
    version: subject.version,
    bomRef: `${subject.name}@${subject.version}`,
  });
  for (const one of uniquePackages(packages)) {
    const component = new Models.Component(Enums.ComponentType.Library, one.name, {
      version: one.version,
      bomRef: one.purl,
      purl: one.purl,
      scope: one.dev ? Enums.ComponentScope.Excluded : Enums.ComponentScope.Required,
    });
    const digest = hashOf(one);
    if (digest !== null) component.hashes.set(digest.algorithm, digest.hex);
    if (one.licence !== null) component.licenses.add(new Models.NamedLicense(one.licence));
    bom.components.add(component);
  }
  const serializer = new Serialize.JsonSerializer(new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6));
  return `${serializer.serialize(bom, { sortLists: true, space: 2 })}\n`;
}

/** Each purl once, in order. */
export const uniquePackages = (packages: readonly Package[]): Package[] =>
  [...new Map(packages.map((one) => [PackageURL.fromString(one.purl).toString(), one])).entries()]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, one]) => one);

const SRI: Readonly<Record<string, Enums.HashAlgorithm>> = {
  sha1: Enums.HashAlgorithm['SHA-1'],
  sha256: Enums.HashAlgorithm['SHA-256'],
  sha384: Enums.HashAlgorithm['SHA-384'],
  sha512: Enums.HashAlgorithm['SHA-512'],
};

/** The hash of the archive; Go's `h1:` is one of a list of files and is no component's hash. */
export function hashOf({ integrity }: Package): { algorithm: Enums.HashAlgorithm; hex: string } | null {
  const [, name = '', value = ''] = /^(sha\d+)[-:](\S+)/.exec(integrity ?? '') ?? [];
  const algorithm = SRI[name];
  if (algorithm === undefined) return null;
  const isHex = /^[0-9a-f]+$/.test(value) && integrity?.includes(':') === true;
  return { algorithm, hex: isHex ? value : Buffer.from(value, 'base64').toString('hex') };
}
