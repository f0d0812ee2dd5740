/**
 * `package-lock.json` and `npm-shrinkwrap.json`, lockfile versions 1 to 3 (docs.npmjs.com,
 * "package-lock.json"). Links and the packages of the workspace itself are first-party.
 */
import { inputError } from './input-error.ts';
import { type Package, definePackage, type PackageSource } from './package.ts';
import { parseJson, type Table, tablesIn, tableOf, textOf } from './parse-document.ts';

const INSTALLED = 'node_modules/';
/** Deeper than npm ever nests; a hostile file must not exhaust the stack. */
const MAX_DEPTH = 100;

export function readNpmLock(text: string, lockfile: string): Package[] {
  const lock = parseJson(text, lockfile);
  if (lock['packages'] !== undefined) return readPaths(tableOf(lock['packages']), lockfile);
  if (lock['lockfileVersion'] === 1) return readTree(tableOf(lock['dependencies']), '', lockfile, 0);
  throw inputError(lockfile, 'has neither `packages` nor lockfile version 1');
}

function readPaths(entries: Table, lockfile: string): Package[] {
  const direct = directPaths(entries);
  const packages: Package[] = [];
  for (const [path, entry] of tablesIn(entries)) {
    const at = path.lastIndexOf(INSTALLED);
    if (at === -1 || entry['link'] === true) continue;
    const version = textOf(entry['version']);
    if (version === null) throw inputError(lockfile, `no version for ${path}`);
    const resolved = textOf(entry['resolved']);
    packages.push(
      definePackage({
        ecosystem: 'npm',
        // An alias is installed under another name than it was published.
        name: textOf(entry['name']) ?? path.slice(at + INSTALLED.length),
        version,
        direct: direct.has(path),
        dev: entry['dev'] === true || entry['devOptional'] === true,
        // A bundled package is part of its parent's archive, and so of its hash.
        integrity: textOf(entry['integrity']) ?? (entry['inBundle'] === true ? 'in-bundle' : null),
        licence: textOf(entry['license']),
        installScript: entry['hasInstallScript'] === true,
        source: entry['inBundle'] === true ? 'registry' : npmSource(resolved, version),
        path,
        lockfile,
      }),
    );
  }
  return packages;
}

/** Where Node would find what each package of the workspace asks for. */
function directPaths(entries: Table): Set<string> {
  const found = new Set<string>();
  for (const [path, entry] of tablesIn(entries)) {
    if (path.includes(INSTALLED)) continue;
    const names = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies'].flatMap((kind) =>
      Object.keys(tableOf(entry[kind])),
    );
    for (const name of names) {
      const parts = path === '' ? [] : path.split('/');
      for (let depth = parts.length; depth >= 0; depth--) {
        const candidate = [...parts.slice(0, depth), `${INSTALLED}${name}`].join('/');
        if (!Object.hasOwn(entries, candidate)) continue;
        found.add(candidate);
        break;
      }
    }
  }
  return found;
}

function readTree(tree: Table, parent: string, lockfile: string, depth: number): Package[] {
  if (depth > MAX_DEPTH) throw inputError(lockfile, 'is nested too deeply');
  return tablesIn(tree).flatMap(([name, entry]) => {
    const given = textOf(entry['version']);
    if (given === null) throw inputError(lockfile, `no version for ${name}`);
    // Version 1 spells an alias `npm:name@version`, and what is no registry's as its URL.
    const alias = /^npm:(.+)@([^@]+)$/.exec(given);
    const version = alias?.[2] ?? given;
    const path = `${parent}${INSTALLED}${name}`;
    const one = definePackage({
      ecosystem: 'npm',
      name: alias?.[1] ?? name,
      version,
      dev: entry['dev'] === true,
      integrity: textOf(entry['integrity']) ?? (entry['bundled'] === true ? 'in-bundle' : null),
      source: npmSource(textOf(entry['resolved']), version),
      path,
      lockfile,
    });
    return [one].concat(readTree(tableOf(entry['dependencies']), `${path}/`, lockfile, depth + 1));
  });
}

/** A registry's archive has the path `/<name>/-/<file>.tgz`, on whatever host the registry is mirrored. */
export function npmSource(resolved: string | null, version: string): PackageSource {
  const from = resolved ?? version;
  if (/^(git[+:@]|github:|gitlab:|bitbucket:|ssh:)/.test(from) || /^https?:\/\/[^?#]*\.git(#|$)/.test(from))
    return 'git';
  if (from.startsWith('file:') || from.startsWith('link:')) return 'path';
  if (/^https?:\/\//.test(from)) return /\/-\/[^/]+\.tgz([?#]|$)/.test(from) ? 'registry' : 'url';
  return 'registry';
}
