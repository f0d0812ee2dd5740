/**
 * `requirements*.txt` (pip.pypa.io, "Requirements File Format"). Only `name==version` pins a package;
 * every other requirement is reported as unpinned, because what it installs is not known here.
 * Included files (`-r`, `-c`) are not followed: they are found by their own name, or reported.
 */
import { definePackage, type Package } from './package.ts';

export interface Unpinned {
  readonly file: string;
  readonly line: number;
}

const PIN = /^([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[[^\]]*\])?\s*===?\s*([A-Za-z0-9.!+_-]+)\s*(?:;.*)?$/;
const INCLUDE = /^(?:-r|-c|--requirement|--constraint)[\s=]+(\S+)$/;
/** What `read-packages.ts` finds by itself. */
export const REQUIREMENTS_FILE = /(^|\/)requirements[^/]*\.txt$/;

export function readRequirements(text: string, lockfile: string): { packages: Package[]; unpinned: Unpinned[] } {
  const packages: Package[] = [];
  const unpinned: Unpinned[] = [];
  const lines = text.split(/\r?\n/);
  for (let index = 0; index < lines.length; index++) {
    const first = index + 1;
    let line = lines[index] ?? '';
    // pip joins continued lines before it takes comments away.
    while (line.endsWith('\\') && index + 1 < lines.length) line = line.slice(0, -1) + (lines[++index] ?? '');
    line = line.replace(/(^|\s)#.*$/, '').trim();
    if (line === '') continue;
    const hash = /--hash[= ](\S+)/.exec(line)?.[1] ?? null;
    const requirement = line.replaceAll(/\s--(hash|config-settings|global-option)[= ]\S+/g, '').trim();
    const [, name, version] = PIN.exec(requirement) ?? [];
    if (name !== undefined && version !== undefined) {
      packages.push(definePackage({ ecosystem: 'PyPI', name, version, direct: true, integrity: hash, lockfile }));
      continue;
    }
    const included = INCLUDE.exec(requirement)?.[1];
    const isOption = requirement.startsWith('--') || requirement.startsWith('-i ') || requirement.startsWith('-f ');
    if (
      included === undefined ? !isOption || requirement.startsWith('--editable') : !REQUIREMENTS_FILE.test(included)
    ) {
      unpinned.push({ file: lockfile, line: first });
    }
  }
  return { packages, unpinned };
}
