/**
 * Which installed npm packages the code of a tree reaches, by its import graph:
 *
 * - `reachable`: production imports it, directly or through other packages.
 * - `imported`: only tests and tools do.
 * - `not-reached`: proven. It is installed, nothing imports it, and no module that production reaches
 *   loads, or asks for, something that cannot be seen.
 * - `unknown`: everything else; it counts as reachable.
 *
 * The proof is about imports: a program that production starts as a process of its own is not seen,
 * unless it is named as an entry.
 */
import { basename, dirname, join } from 'node:path/posix';
import type { Package } from '../packages/package.ts';
import { textOf } from '../packages/parse-document.ts';
import { readText, type SourceFiles } from '../packages/source-files.ts';
import type { Reachability } from '../vulnerabilities/apply-triage.ts';
import { readImports, SOURCE_FILE } from './read-imports.ts';
import { ModuleResolver, stringsIn } from './resolve-module.ts';

/** Endings of what is loaded and loads nothing further. */
const LEAF = /\.(?:json|node|wasm|css|scss|less|svg|png|jpe?g|gif|webp|avif|ico|woff2?|ttf|txt|md|html)$/;
/** First-party code that is not shipped. */
const DEVELOPMENT =
  /(?:^|\/)(?:tests?|__tests__|__mocks__|spec|e2e|bench|benchmarks|fixtures|scripts|examples)\/|\.(?:test|spec|bench|stories|config)\.[cm]?[jt]sx?$/;

interface Walk {
  /** `name@version` of packages with a module that is reached. */
  readonly packages: Set<string>;
  /** Names that are asked for and not installed. */
  readonly missing: Set<string>;
  readonly seen: Set<string>;
  /** Something is loaded that cannot be seen. */
  open: boolean;
}

/**
 * @param packages everything that the lockfiles pin
 * @param entries files where production starts; without, every source file of ours that is no test is one
 * @returns by purl
 */
export async function analyseReachability(
  files: SourceFiles,
  packages: readonly Package[],
  entries: readonly string[] | null,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Reachability>> {
  const npm = packages.filter(({ ecosystem }) => ecosystem === 'npm');
  const resolver = new ModuleResolver(files);
  const locked = new Set(npm.map(({ name }) => name));
  const own = (await files.list(signal)).filter((path) => SOURCE_FILE.test(path));
  const roots = entries ?? [
    ...(await manifestEntries(files, resolver, signal)),
    ...own.filter((path) => !DEVELOPMENT.test(path)),
  ];
  const production = await walk({ files, resolver, locked }, roots, new Set(), signal);
  // No code of ours at all proves nothing: what is installed may be a tool that is run by hand.
  if (roots.length === 0) production.open = true;
  const development = await walk({ files, resolver, locked }, own, production.seen, signal);
  const found = new Map<string, Reachability>();
  for (const one of npm) {
    const key = `${one.name}@${one.version}`;
    const isIn = ({ packages, missing }: Walk): boolean => packages.has(key) || missing.has(one.name);
    let reachability: Reachability;
    if (isIn(production)) reachability = 'reachable';
    else if (production.open || !(await isInstalled(resolver, one))) reachability = 'unknown';
    else reachability = isIn(development) || development.open ? 'imported' : 'not-reached';
    found.set(one.purl, reachability);
  }
  return found;
}

interface WalkDeps {
  readonly files: SourceFiles;
  readonly resolver: ModuleResolver;
  /** Names that a lockfile pins: others are never installed. */
  readonly locked: ReadonlySet<string>;
}

async function walk(
  { files, resolver, locked }: WalkDeps,
  roots: readonly string[],
  done: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<Walk> {
  const found: Walk = { packages: new Set(), missing: new Set(), seen: new Set(), open: false };
  const pending = [...roots];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    signal.throwIfAborted();
    if (found.seen.has(path) || done.has(path)) continue;
    found.seen.add(path);
    const owner = await resolver.packageOf(path);
    if (owner !== null) found.packages.add(`${textOf(owner.manifest['name'])}@${textOf(owner.manifest['version'])}`);
    if (LEAF.test(path)) continue;
    const text = await readText(files, path);
    // Programs have no extension; whatever else is no script is transformed by a tool in its own way.
    if (text === null || !(SOURCE_FILE.test(path) || /(^|\/)[^.]+$/.test(path))) {
      found.open = true;
      continue;
    }
    const { specifiers, open } = readImports(SOURCE_FILE.test(path) ? path : `${path}.js`, text);
    found.open ||= open;
    for (const specifier of specifiers) {
      const { files: targets, known, name } = await resolver.resolve(specifier, path);
      pending.push(...targets);
      if (known || LEAF.test(specifier)) continue;
      if (name !== null && locked.has(name)) found.missing.add(name);
      // A package may ask for another that is optional; what no lockfile pins is not installed anywhere.
      const isOptional = name !== null && !locked.has(name) && path.includes('node_modules/');
      found.open ||= !isOptional;
    }
  }
  return found;
}

/** What the manifests of the tree offer: `main`, `module`, `exports`, `bin`, as far as it is built. */
async function manifestEntries(files: SourceFiles, resolver: ModuleResolver, signal: AbortSignal): Promise<string[]> {
  const manifests = (await files.list(signal)).filter((path) => basename(path) === 'package.json');
  const found: (string | null)[] = [];
  for (const path of manifests) {
    const manifest = await resolver.manifest(dirname(path));
    for (const target of ['main', 'module', 'exports', 'bin'].flatMap((field) => stringsIn(manifest?.[field]))) {
      found.push(await resolver.file(join(dirname(path), target)));
    }
  }
  return found.filter((path) => path !== null);
}

/** Whether what the lockfile pins is what lies where its name is looked up; another platform's package is not. */
async function isInstalled(resolver: ModuleResolver, { lockfile, path, name, version }: Package): Promise<boolean> {
  const at = path.startsWith('node_modules/') || path.includes('/node_modules/') ? path : `node_modules/${name}`;
  const manifest = await resolver.manifest(join(dirname(lockfile), at));
  return manifest?.['name'] === name && manifest['version'] === version;
}
