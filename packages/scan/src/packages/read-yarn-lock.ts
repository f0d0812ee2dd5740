/**
 * `yarn.lock`: the format of Yarn 1 (its own indented text) and that of Yarn 2 and later (YAML with
 * `__metadata`). What is asked for directly stands in the `package.json` beside it.
 */
import { inputError } from './input-error.ts';
import { definePackage, type Package } from './package.ts';
import { parseJson, parseYaml, tableOf, tablesIn, textOf } from './parse-document.ts';
import { npmSource } from './read-npm-lock.ts';

export function readYarnLock(text: string, lockfile: string, manifest: string | null): Package[] {
  const direct = manifest === null ? new Set<string>() : directNames(manifest, lockfile);
  return /^__metadata:/m.test(text) ? readBerry(text, lockfile, direct) : readClassic(text, lockfile, direct);
}

function directNames(manifest: string, lockfile: string): Set<string> {
  const file = lockfile.replace(/yarn\.lock$/, 'package.json');
  const read = parseJson(manifest, file);
  return new Set(
    ['dependencies', 'devDependencies', 'optionalDependencies'].flatMap((kind) => Object.keys(tableOf(read[kind]))),
  );
}

function readClassic(text: string, lockfile: string, direct: ReadonlySet<string>): Package[] {
  if (!text.includes('# yarn lockfile v1')) throw inputError(lockfile, 'is no yarn lockfile of version 1');
  const packages: Package[] = [];
  let entry: { names: { asked: string; name: string }; fields: Map<string, string> } | null = null;
  const flush = (): void => {
    if (entry === null) return;
    const version = entry.fields.get('version');
    if (version === undefined) throw inputError(lockfile, `no version for ${entry.names.name}`);
    const resolved = entry.fields.get('resolved') ?? null;
    packages.push(
      definePackage({
        ecosystem: 'npm',
        name: entry.names.name,
        version,
        direct: direct.has(entry.names.asked),
        // Before Yarn 1.10 the archive's SHA-1 stood behind the URL; it pins no bytes any more.
        integrity: entry.fields.get('integrity') ?? null,
        source: npmSource(resolved, version),
        lockfile,
      }),
    );
  };
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    if (!line.startsWith(' ')) {
      flush();
      const descriptor = /^"?([^",:][^",]*?)"?(?:, .*)?:$/.exec(line)?.[1];
      const names = descriptor === undefined ? null : descriptorNames(descriptor);
      if (names === null) throw inputError(lockfile, `line ${index + 1} is no entry`);
      entry = { names, fields: new Map() };
      continue;
    }
    const field = /^ {2}([a-z]+) "?([^"]+)"?$/.exec(line);
    if (field?.[1] !== undefined && field[2] !== undefined) entry?.fields.set(field[1], field[2]);
  }
  flush();
  return packages;
}

/** `name@range`, or `alias@npm:name@range`: as asked for, and as published. */
function descriptorNames(descriptor: string): { asked: string; name: string } | null {
  const at = descriptor.indexOf('@', 1);
  if (at === -1) return null;
  const asked = descriptor.slice(0, at);
  const alias = /^npm:(@?[^@]+)@/.exec(descriptor.slice(at + 1));
  return { asked, name: alias?.[1] ?? asked };
}

function readBerry(text: string, lockfile: string, direct: ReadonlySet<string>): Package[] {
  const packages: Package[] = [];
  for (const [key, entry] of tablesIn(parseYaml(text, lockfile))) {
    if (key === '__metadata') continue;
    const version = textOf(entry['version']);
    const resolution = /^(@?[^@]+)@([a-z]+):(.*)$/.exec(textOf(entry['resolution']) ?? '');
    const [, name, protocol, rest] = resolution ?? [];
    if (version === null || name === undefined || rest === undefined) {
      throw inputError(lockfile, 'an entry has no version or no resolution');
    }
    // `workspace:` and `link:` are first-party; `patch:` is a registry package with our changes in it.
    if (protocol === 'workspace' || protocol === 'link' || protocol === 'portal') continue;
    packages.push(
      definePackage({
        ecosystem: 'npm',
        name,
        version,
        direct: direct.has(/^(@?[^@]+)@/.exec(key)?.[1] ?? name),
        integrity: textOf(entry['checksum']),
        source: protocol === 'npm' || protocol === 'patch' ? 'registry' : npmSource(`${protocol}:${rest}`, version),
        lockfile,
      }),
    );
  }
  return packages;
}
