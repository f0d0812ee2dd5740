/**
 * The components of a software bill of materials: CycloneDX JSON 1.4 to 1.6
 * (https://cyclonedx.org/docs/1.6/json/) and SPDX 2.3 JSON (https://spdx.github.io/spdx-spec/v2.3/).
 */
import { z } from 'zod';
import { parseDocument, refusedDocument } from './strict-json.ts';

/** More than any product has; bounds what a stranger's file costs. */
const MAX_COMPONENTS = 200_000;
/** Components nest. */
const MAX_DEPTH = 50;

export interface SbomComponent {
  readonly name: string;
  readonly version: string | null;
  /** Package URL, where there is one. */
  readonly purl: string | null;
  /** SPDX ids, expressions or names, as the document has them. */
  readonly licences: readonly string[];
}

export interface Sbom {
  readonly format: 'CycloneDX' | 'SPDX';
  readonly version: string;
  readonly components: readonly SbomComponent[];
}

interface CycloneComponent {
  readonly name: string;
  readonly version?: string | undefined;
  readonly purl?: string | undefined;
  readonly licenses?: readonly z.infer<typeof CycloneLicence>[] | undefined;
  readonly components?: readonly CycloneComponent[] | undefined;
}
const CycloneLicence = z.object({
  expression: z.string().optional(),
  license: z.object({ id: z.string().optional(), name: z.string().optional() }).optional(),
});
const CycloneComponentSchema: z.ZodType<CycloneComponent> = z.lazy(() =>
  z.object({
    name: z.string().min(1),
    version: z.string().optional(),
    purl: z.string().optional(),
    licenses: z.array(CycloneLicence).optional(),
    components: z.array(CycloneComponentSchema).optional(),
  }),
);
const CycloneDx = z.object({
  bomFormat: z.literal('CycloneDX'),
  specVersion: z.enum(['1.4', '1.5', '1.6']),
  components: z.array(CycloneComponentSchema).optional(),
});
const Spdx = z.object({
  spdxVersion: z.literal('SPDX-2.3'),
  packages: z
    .array(
      z.object({
        name: z.string().min(1),
        versionInfo: z.string().optional(),
        licenseConcluded: z.string().optional(),
        licenseDeclared: z.string().optional(),
        externalRefs: z.array(z.object({ referenceType: z.string(), referenceLocator: z.string() })).optional(),
      }),
    )
    .optional(),
});
const Kind = z.object({ bomFormat: z.unknown().optional(), spdxVersion: z.unknown().optional() });

/** @throws `ERR_REPORT_MALFORMED` for other formats and versions, too */
export function readSbom(bytes: Uint8Array): Sbom {
  const kind = parseDocument('sbom', bytes, Kind);
  if (kind.bomFormat !== undefined) return readCycloneDx(bytes);
  if (kind.spdxVersion !== undefined) return readSpdx(bytes);
  throw refusedDocument('sbom', 'it is neither CycloneDX nor SPDX');
}

function readCycloneDx(bytes: Uint8Array): Sbom {
  const { specVersion, components = [] } = parseDocument('cyclonedx', bytes, CycloneDx);
  const all: SbomComponent[] = [];
  const take = (list: readonly CycloneComponent[], depth: number): void => {
    if (depth > MAX_DEPTH) throw refusedDocument('cyclonedx', 'its components are nested too deeply');
    for (const { name, version, purl, licenses = [], components: inner = [] } of list) {
      if (all.length >= MAX_COMPONENTS)
        throw refusedDocument('cyclonedx', `it has more than ${MAX_COMPONENTS} components`);
      const licences = licenses.flatMap(({ expression, license }) => expression ?? license?.id ?? license?.name ?? []);
      all.push({ name, version: version ?? null, purl: purl ?? null, licences });
      take(inner, depth + 1);
    }
  };
  take(components, 0);
  return { format: 'CycloneDX', version: specVersion, components: all };
}

/** §3.5: these say that nothing is known. */
const UNKNOWN: ReadonlySet<string> = new Set(['NOASSERTION', 'NONE', '']);

function readSpdx(bytes: Uint8Array): Sbom {
  const { packages = [] } = parseDocument('spdx', bytes, Spdx);
  if (packages.length > MAX_COMPONENTS) throw refusedDocument('spdx', `it has more than ${MAX_COMPONENTS} packages`);
  const components = packages.map(({ name, versionInfo, licenseConcluded, licenseDeclared, externalRefs = [] }) => ({
    name,
    version: versionInfo ?? null,
    purl: externalRefs.find(({ referenceType }) => referenceType === 'purl')?.referenceLocator ?? null,
    licences: [licenseConcluded ?? '', licenseDeclared ?? ''].filter((licence) => !UNKNOWN.has(licence)).slice(0, 1),
  }));
  return { format: 'SPDX', version: '2.3', components };
}
