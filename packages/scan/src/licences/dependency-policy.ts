/**
 * `.holdfast-dependencies.yaml`: which licences may be used, which packages are excepted from which
 * rule, and which paths are no part of the product (fixtures). Strict: an unknown key is an error.
 */
import { matchesGlob } from 'node:path/posix';
import { z } from 'zod';
import { Decision, Owner, parseDecisions, Purl, Reason } from '../packages/declared-exceptions.ts';
import { readText, type SourceFiles } from '../packages/source-files.ts';

export const DEPENDENCY_POLICY_FILE = '.holdfast-dependencies.yaml';

/** The rules that a package can be excepted from. */
export const PACKAGE_RULES = [
  'licence-unknown',
  'licence-not-allowed',
  'install-script',
  'source-not-registry',
  'integrity-missing',
] as const;
export type PackageRule = (typeof PACKAGE_RULES)[number];

const SpdxId = z.string().min(1).max(200);
const PolicySchema = z.strictObject({
  version: z.literal(1),
  licences: z.strictObject({
    /** SPDX ids, or whole terms such as `GPL-2.0-only WITH Classpath-exception-2.0`. */
    allow: z.array(SpdxId).min(1).max(1_000),
    /** Refused wherever they are not one side of an OR, whatever else is allowed. */
    deny: z.array(SpdxId).max(1_000).default([]),
  }),
  exceptions: z
    .array(z.strictObject({ package: Purl, rule: z.enum(PACKAGE_RULES), ...Decision }))
    .max(10_000)
    .default([]),
  /** Licences that lockfiles do not carry (Go, Rust, Python), as somebody read them. */
  declared: z
    .array(z.strictObject({ package: Purl, licence: SpdxId, source: Reason, owner: Owner }))
    .max(10_000)
    .default([]),
  ignore: z
    .array(z.strictObject({ path: z.string().min(1).max(500), reason: Reason, owner: Owner }))
    .max(100)
    .default([]),
});
export type DependencyPolicy = z.infer<typeof PolicySchema>;

/** `null` when there is none. @throws `ERR_SCAN_INPUT` if it does not parse */
export async function readDependencyPolicy(files: SourceFiles): Promise<DependencyPolicy | null> {
  const text = await readText(files, DEPENDENCY_POLICY_FILE);
  return text === null ? null : parseDecisions(PolicySchema, text, DEPENDENCY_POLICY_FILE);
}

/** Whether the policy says that `path` is no part of the product. */
export const isIgnored = (policy: DependencyPolicy | null, path: string): boolean =>
  policy?.ignore.some((one) => matchesGlob(path, one.path)) ?? false;
