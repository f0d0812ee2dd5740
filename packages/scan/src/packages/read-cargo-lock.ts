/** `Cargo.lock`, versions 1 to 4 (doc.rust-lang.org/cargo, "Cargo.toml vs Cargo.lock"). */
import { inputError } from './input-error.ts';
import { definePackage, type Package } from './package.ts';
import { isTable, listOf, parseToml, tableOf, textOf } from './parse-document.ts';

export function readCargoLock(text: string, lockfile: string): Package[] {
  const lock = parseToml(text, lockfile);
  if (lock['package'] !== undefined && !Array.isArray(lock['package'])) {
    throw inputError(lockfile, '`package` is no list');
  }
  const entries = listOf(lock['package']).filter(isTable);
  // Version 1 kept the checksums apart.
  const checksums = tableOf(lock['metadata']);
  const direct = new Set(
    entries
      .filter((entry) => entry['source'] === undefined)
      .flatMap((entry) => listOf(entry['dependencies']))
      .map((dependency) => (typeof dependency === 'string' ? dependency.split(' ', 2).join(' ') : '')),
  );
  return entries.flatMap((entry) => {
    const [name, version, source] = [textOf(entry['name']), textOf(entry['version']), textOf(entry['source'])];
    if (name === null || version === null) throw inputError(lockfile, 'a package has no name or no version');
    // Without a source it is a package of this workspace.
    if (source === null) return [];
    const old = textOf(checksums[`checksum ${name} ${version} (${source})`]);
    const checksum = textOf(entry['checksum']) ?? (old === '<none>' ? null : old);
    return [
      definePackage({
        ecosystem: 'crates.io',
        name,
        version,
        // The version stands behind the name only where there are several.
        direct: direct.has(name) || direct.has(`${name} ${version}`),
        integrity: checksum === null ? null : `sha256:${checksum}`,
        source: source.startsWith('git+') ? 'git' : 'registry',
        lockfile,
      }),
    ];
  });
}
