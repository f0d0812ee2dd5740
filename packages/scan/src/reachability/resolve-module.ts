/**
 * Where Node (nodejs.org/api, "Modules: Packages" and "Modules: CommonJS") and TypeScript's bundling
 * tools find what a module asks for. Conditions depend on who runs it, so every target that any
 * condition names is taken: more than is loaded, never less.
 */
import { isBuiltin } from 'node:module';
import { dirname, join, normalize } from 'node:path/posix';
import { parseJson, type Table, tableOf, textOf } from '../packages/parse-document.ts';
import { readText, type SourceFiles } from '../packages/source-files.ts';

/** `files: []` with `known: true` is a builtin; `known: false` could not be resolved. */
export interface Resolution {
  readonly files: readonly string[];
  readonly known: boolean;
  /** The package that was asked for, even if it is not installed. */
  readonly name: string | null;
}

const BUILTIN: Resolution = { files: [], known: true, name: null };
const EXTENSIONS = ['', '.ts', '.tsx', '.mts', '.cts', '.js', '.jsx', '.mjs', '.cjs', '.json', '.node'];
const INDEXES = ['/index.ts', '/index.tsx', '/index.js', '/index.mjs', '/index.cjs', '/index.json'];
/** TypeScript lets a module name the file that it will become. */
const COMPILED: Readonly<Record<string, readonly string[]>> = {
  '.js': ['.ts', '.tsx'],
  '.jsx': ['.tsx'],
  '.mjs': ['.mts'],
  '.cjs': ['.cts'],
};

export class ModuleResolver {
  readonly #files: SourceFiles;
  readonly #paths = new Map<string, Promise<string | null>>();
  readonly #manifests = new Map<string, Promise<Table | null>>();

  constructor(files: SourceFiles) {
    this.#files = files;
  }

  /** @param from the real path of the module that asks */
  async resolve(specifier: string, from: string): Promise<Resolution> {
    // A query or fragment asks for the same file.
    const bare = specifier.startsWith('#') ? specifier : (/^[^?#]*/.exec(specifier)?.[0] ?? '');
    if (isBuiltin(bare)) return BUILTIN;
    if (bare.startsWith('.')) return fromFile(await this.file(join(dirname(from), bare)), null);
    if (bare.startsWith('#')) return this.#ownImport(bare, from);
    const name = /^(@[^/]+\/[^/]+|[^@/.][^/]*)/.exec(bare)?.[0];
    if (name === undefined || /^[a-z]+:/.test(bare)) return { files: [], known: false, name: null };
    return this.#inPackage(name, `.${bare.slice(name.length)}`, from);
  }

  /** The nearest manifest that names a package, at or above the file, and its directory. */
  async packageOf(file: string): Promise<{ directory: string; manifest: Table } | null> {
    for (let directory = dirname(file); ; directory = dirname(directory)) {
      const manifest = await this.manifest(directory);
      // `{"type": "module"}` in a sub-directory is a manifest of no package.
      if (manifest !== null && textOf(manifest['name']) !== null) return { directory, manifest };
      if (directory === '.' || directory.endsWith('node_modules')) return null;
    }
  }

  async manifest(directory: string): Promise<Table | null> {
    const path = join(directory, 'package.json');
    let found = this.#manifests.get(path);
    if (found === undefined) {
      found = readText(this.#files, path).then((text) => (text === null ? null : parseJson(text, path)));
      this.#manifests.set(path, found);
    }
    return found;
  }

  /** The real path of a file, by Node's and TypeScript's rules for what may be left out. */
  async file(path: string): Promise<string | null> {
    const plain = normalize(path).replace(/\/$/, '');
    for (const ending of EXTENSIONS) {
      const found = await this.#real(plain + ending);
      if (found !== null) return found;
    }
    const extension = /\.[cm]?jsx?$/.exec(plain)?.[0] ?? '';
    for (const ending of COMPILED[extension] ?? []) {
      const found = await this.#real(plain.slice(0, -extension.length) + ending);
      if (found !== null) return found;
    }
    const manifest = await this.manifest(plain);
    for (const field of ['main', 'module', 'browser']) {
      const main = textOf(manifest?.[field]);
      // Node falls back to index.js when `main` is missing, so a `main` of "." must not come back here.
      const at = main === null ? plain : join(plain, main).replace(/\/$/, '');
      const found = at === plain ? null : await this.file(at);
      if (found !== null) return found;
    }
    for (const ending of INDEXES) {
      const found = await this.#real(plain + ending);
      if (found !== null) return found;
    }
    return null;
  }

  #real(path: string): Promise<string | null> {
    const known = this.#paths.get(path);
    if (known !== undefined) return known;
    const found = this.#files.resolve(path);
    this.#paths.set(path, found);
    return found;
  }

  async #ownImport(specifier: string, from: string): Promise<Resolution> {
    const own = await this.packageOf(from);
    const targets = targetsOf(tableOf(own?.manifest['imports']), specifier);
    const files: string[] = [];
    let known = own !== null && targets.length > 0;
    for (const target of targets) {
      const found = target.startsWith('.')
        ? fromFile(await this.file(join(own?.directory ?? '.', target)), null)
        : await this.resolve(target, from);
      files.push(...found.files);
      known &&= found.known;
    }
    return { files, known, name: null };
  }

  async #inPackage(name: string, subpath: string, from: string): Promise<Resolution> {
    for (let directory = dirname(from); ; directory = dirname(directory)) {
      if (!directory.endsWith('node_modules')) {
        const root = join(directory, 'node_modules', name);
        const manifest = await this.manifest(root);
        if (manifest !== null) return this.#entry(name, root, manifest, subpath);
      }
      if (directory === '.') break;
    }
    const own = await this.packageOf(from);
    // A package may ask for itself by its name ("Self-referencing a package").
    if (own !== null && own.manifest['name'] === name) return this.#entry(name, own.directory, own.manifest, subpath);
    return { files: [], known: false, name };
  }

  async #entry(name: string, root: string, manifest: Table, subpath: string): Promise<Resolution> {
    const { exports } = manifest;
    if (exports === undefined || exports === null) {
      return fromFile(await this.file(subpath === '.' ? root : join(root, subpath)), name);
    }
    const isMap = Object.keys(tableOf(exports)).some((key) => key.startsWith('.'));
    const targets = targetsOf(isMap ? tableOf(exports) : { '.': exports }, subpath);
    const found = await Promise.all(targets.map((target) => this.file(join(root, target))));
    const files = found.filter((file) => file !== null);
    // A condition's file may not be shipped (sources, types); one that is there is enough.
    return { files: [...new Set(files)], known: files.length > 0, name };
  }
}

const fromFile = (file: string | null, name: string | null): Resolution => ({
  files: file === null ? [] : [file],
  known: file !== null,
  name,
});

/** Every target of `key` in an `exports` or `imports` map, over all conditions; the longest pattern counts. */
function targetsOf(map: Table, key: string): string[] {
  if (Object.hasOwn(map, key)) return stringsIn(map[key]);
  const patterns = Object.keys(map)
    .filter((pattern) => {
      const [start = '', end, ...more] = pattern.split('*');
      return (
        end !== undefined &&
        more.length === 0 &&
        key.startsWith(start) &&
        key.endsWith(end) &&
        key.length >= pattern.length
      );
    })
    .toSorted((a, b) => b.indexOf('*') - a.indexOf('*') || b.length - a.length);
  const [best] = patterns;
  if (best === undefined) return [];
  const [start = '', end = ''] = best.split('*');
  const middle = key.slice(start.length, key.length - end.length);
  return stringsIn(map[best]).map((target) => target.replaceAll('*', () => middle));
}

/** Every string in a manifest's field, over all conditions. Declarations alone load nothing. */
export function stringsIn(target: unknown): string[] {
  if (typeof target === 'string') return /\.d\.[cm]?ts$/.test(target) ? [] : [target];
  if (Array.isArray(target)) return target.flatMap(stringsIn);
  return Object.values(tableOf(target)).flatMap(stringsIn);
}
