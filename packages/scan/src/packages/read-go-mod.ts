/**
 * `go.mod` with its `go.sum` (go.dev/ref/mod). Since Go 1.17 go.mod names every module of the build;
 * an older one does not, and then every module whose contents go.sum pins counts: more than is built,
 * never less. The standard library is not among them: `govulncheck` knows which is used.
 */
import { inputError } from './input-error.ts';
import { definePackage, type Package } from './package.ts';

/** The first version whose go.mod lists indirect modules completely ("Lazy module loading"). */
const COMPLETE_SINCE_MINOR = 17;
const VERSION = /^v\d+\.\d+\.\d+[-+.0-9A-Za-z]*$/;

interface Requirement {
  readonly name: string;
  readonly version: string;
  readonly direct: boolean;
}

export function readGoMod(text: string, lockfile: string, sum: string | null): Package[] {
  const hashes = readSums(sum ?? '', lockfile.replace(/go\.mod$/, 'go.sum'));
  const requirements: Requirement[] = [];
  const replaced = new Map<string, { name: string; version: string } | 'path'>();
  let minor = 0;
  for (const [verb, words, comment, line] of directives(text)) {
    const [first = '', second = ''] = words;
    if (verb === 'go') minor = Number(/^1\.(\d+)/.exec(first)?.[1] ?? 0);
    else if (verb === 'require') {
      if (!VERSION.test(second)) throw inputError(lockfile, `line ${line} requires no version`);
      requirements.push({ name: first, version: second, direct: !/^indirect\b/.test(comment) });
    } else if (verb === 'replace') {
      const arrow = words.indexOf('=>');
      const [name = '', version] = words.slice(arrow + 1);
      if (arrow < 1 || name === '') throw inputError(lockfile, `line ${line} replaces nothing`);
      const old = words.slice(0, arrow).join('@');
      replaced.set(old, version === undefined ? 'path' : { name, version });
    }
  }
  if (minor < COMPLETE_SINCE_MINOR) {
    const known = new Set(
      requirements.flatMap(({ name, version }) => {
        const other = replaced.get(`${name}@${version}`) ?? replaced.get(name);
        return other === undefined || other === 'path' ? [`${name}@${version}`] : [`${other.name}@${other.version}`];
      }),
    );
    for (const key of hashes.keys()) {
      const at = key.lastIndexOf('@');
      if (!known.has(key)) requirements.push({ name: key.slice(0, at), version: key.slice(at + 1), direct: false });
    }
  }
  return requirements.flatMap(({ name, version, direct }) => {
    const other = replaced.get(`${name}@${version}`) ?? replaced.get(name);
    if (other === 'path') return [];
    const used = other ?? { name, version };
    const integrity = hashes.get(`${used.name}@${used.version}`) ?? null;
    return [
      definePackage({ ecosystem: 'Go', name: used.name, version: used.version.slice(1), direct, integrity, lockfile }),
    ];
  });
}

/** Verb, words, comment and line number of each directive, blocks unrolled. */
function* directives(text: string): Generator<[verb: string, words: string[], comment: string, line: number]> {
  let block: string | null = null;
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const [code = '', comment = ''] = raw.split('//', 2);
    const words = code
      .trim()
      .split(/\s+/)
      .filter((word) => word !== '')
      .map((word) => word.replaceAll(/^["`]|["`]$/g, ''));
    if (words.length === 0) continue;
    if (block !== null) {
      if (words[0] === ')') block = null;
      else yield [block, words, comment.trim(), index + 1];
    } else if (words[1] === '(') block = words[0] ?? '';
    else yield [words[0] ?? '', words.slice(1), comment.trim(), index + 1];
  }
}

/** Contents' hashes by `module@version`; the hashes of go.mod files alone are no contents. */
function readSums(text: string, file: string): Map<string, string> {
  const hashes = new Map<string, string>();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '') continue;
    const [name, version, hash, ...rest] = line.trim().split(/\s+/);
    if (name === undefined || version === undefined || hash === undefined || rest.length > 0) {
      throw inputError(file, `line ${index + 1} is no hash`);
    }
    if (!version.endsWith('/go.mod')) hashes.set(`${name}@${version}`, hash);
  }
  return hashes;
}
