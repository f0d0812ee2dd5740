/**
 * A package as a lockfile pins it: what all of the scanners of dependencies work on. Its identity is
 * the package URL (purl 1.0). First-party packages of a workspace are not among them.
 */
import { PackageURL } from 'packageurl-js';
import { inputError } from './input-error.ts';

/** As OSV spells them (OSV schema 1.7, "Defined Ecosystems"). */
export const ECOSYSTEMS = ['npm', 'Go', 'crates.io', 'PyPI'] as const;
export type Ecosystem = (typeof ECOSYSTEMS)[number];
const PURL_TYPES: Readonly<Record<Ecosystem, string>> = {
  npm: 'npm',
  Go: 'golang',
  'crates.io': 'cargo',
  PyPI: 'pypi',
};

/** Where the bytes come from: only `registry` can be looked up in advisories and compared by version. */
export type PackageSource = 'registry' | 'git' | 'url' | 'path';

export interface Package {
  readonly ecosystem: Ecosystem;
  readonly name: string;
  /** As the lockfile spells it, Go without its `v`. */
  readonly version: string;
  readonly purl: string;
  /** Asked for by a manifest of this tree. */
  readonly direct: boolean;
  /** Only if the lockfile says so; what it does not say counts as needed in production. */
  readonly dev: boolean;
  /** SRI, `h1:…` or `sha256:…` as the lockfile has it; `null` when it pins no bytes. */
  readonly integrity: string | null;
  /** As declared, not yet parsed; `null` when the lockfile does not say. */
  readonly licence: string | null;
  /** `null` when the lockfile cannot say. */
  readonly installScript: boolean | null;
  readonly source: PackageSource;
  /** Where npm installs it, relative to the lockfile; the name elsewhere. */
  readonly path: string;
  readonly lockfile: string;
}

/** What a reader finds out; the rest follows. */
export type PackageFacts = Pick<Package, 'ecosystem' | 'name' | 'version' | 'lockfile'> &
  Partial<Omit<Package, 'purl'>>;

/** PEP 503: one spelling of a Python name. */
export const normalizePythonName = (name: string): string => name.toLowerCase().replaceAll(/[-_.]+/g, '-');

/** The purl of `name`, with `@version` when there is one. @throws `ERR_SCAN_INPUT` for a name that cannot be one */
export function packageUrl(ecosystem: Ecosystem, name: string, version: string | null, file: string): string {
  const slash = name.lastIndexOf('/');
  // Only npm scopes and Go paths have a namespace; a slash elsewhere is part of no valid name.
  const namespace = slash > 0 ? name.slice(0, slash) : null;
  const tagged = version !== null && ecosystem === 'Go' ? `v${version}` : version;
  try {
    return new PackageURL(PURL_TYPES[ecosystem], namespace, name.slice(slash + 1), tagged, null, null).toString();
  } catch (cause) {
    throw inputError(file, 'a package has a name that no registry takes', cause);
  }
}

/** Fills in what a lockfile left open, always with the cautious answer. */
export function definePackage(facts: PackageFacts): Package {
  const { ecosystem, lockfile } = facts;
  const name = ecosystem === 'PyPI' ? normalizePythonName(facts.name) : facts.name;
  if (name === '' || facts.version === '') throw inputError(lockfile, 'a package has no name or no version');
  return {
    direct: false,
    dev: false,
    integrity: null,
    licence: null,
    installScript: null,
    source: 'registry',
    path: name,
    ...facts,
    name,
    purl: packageUrl(ecosystem, name, facts.version, lockfile),
  };
}
