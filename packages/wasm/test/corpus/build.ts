/**
 * Builds the programs of the corpus, into a cache under `node_modules`: by the digest of the sources,
 * the command line and the compiler, so that a program is built again when one of them changes. What a
 * compiler makes of a source is not in the repository.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { provideDebianSource } from './debian-source.ts';
import type { CorpusProgram } from './programs.ts';

const run = promisify(execFile);

const PACKAGE = dirname(dirname(import.meta.dirname));
const SOURCES = join(PACKAGE, 'corpus');
const CACHE = join(dirname(dirname(PACKAGE)), 'node_modules', '.cache', 'holdfast-corpus');
const CLANG = '/usr/bin/clang-19';
const RUSTC = '/usr/bin/rustc'; // Debian's: another in PATH may lack the WASI target
const GCC = '/usr/bin/gcc';
const ASC = fileURLToPath(import.meta.resolve('assemblyscript/asc')).replace(/dist\/asc\.js$/u, 'bin/asc.js');
/** The C library that is linked in decides the bytes as much as the compiler does. */
const WASI_LIBC = '/usr/lib/wasm32-wasi/libc.a';

export interface BuiltProgram {
  readonly path: string;
  readonly bytes: Uint8Array;
  /** First line of what the compiler says about itself. */
  readonly compiler: string;
}

interface Recipe {
  readonly compiler: string;
  /** Files that decide the result. */
  readonly inputs: readonly string[];
  /** To run in. */
  readonly directory: string;
  readonly command: readonly [string, ...string[]];
}

const versions = new Map<string, Promise<string>>();
async function versionOf(command: string, ...args: string[]): Promise<string> {
  const { stdout } = await run(command, [...args, '--version']);
  return stdout.split('\n', 1)[0]!; // a string split has at least one part
}
function compilerVersion(command: string, ...args: string[]): Promise<string> {
  const version = versions.get(command) ?? versionOf(command, ...args);
  versions.set(command, version);
  return version;
}

interface Sources {
  /** The one with `main` first. */
  readonly files: readonly [string, ...string[]];
  readonly flags: readonly string[];
}

async function sourcesOf({ debian, source, flags = [] }: CorpusProgram): Promise<Sources> {
  const own = join(SOURCES, source);
  if (debian === undefined) return { files: [own], flags };
  const tree = join(CACHE, debian.package);
  await mkdir(CACHE, { recursive: true });
  await provideDebianSource(debian, tree);
  // Other people's warnings are not ours to heed.
  return {
    files: [own, ...debian.files.map((file) => join(tree, file))],
    flags: ['-w', '-I', join(tree, debian.includeDirectory), ...flags],
  };
}

type Recipes = Record<
  CorpusProgram['language'],
  (files: Sources['files'], flags: readonly string[]) => Promise<Recipe>
>;

const RECIPES: Recipes = {
  c: async (files, flags) => ({
    compiler: await compilerVersion(CLANG),
    inputs: [...files, WASI_LIBC],
    directory: dirname(files[0]),
    command: [CLANG, '--target=wasm32-wasi', '--sysroot=/usr', '-O2', '-Wl,--strip-all', ...flags, ...files, '-o'],
  }),
  rust: async (files, flags) => ({
    compiler: await compilerVersion(RUSTC),
    inputs: files,
    directory: dirname(files[0]),
    command: [RUSTC, '--target=wasm32-wasi', '-O', '-Cstrip=symbols', ...flags, ...files, '-o'],
  }),
  assemblyscript: async (files, flags) => {
    const directory = dirname(files[0]);
    const options = ['--optimize', '--runtime', 'minimal', '--use', 'abort=', '--baseDir', directory, ...flags];
    return {
      compiler: `asc ${await compilerVersion(process.execPath, ASC)}`,
      inputs: [...files, join(directory, 'wasi_snapshot_preview1.ts')],
      directory,
      command: [process.execPath, ASC, basename(files[0]), ...options, '-o'],
    };
  },
};

/** Runs `command` with a path to write to appended, unless an earlier run with the same inputs left its result. */
async function make(
  name: string,
  extension: string,
  { compiler, inputs, directory, command }: Recipe,
): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify([compiler, command]));
  for (const input of inputs) hash.update(await readFile(input));
  const path = join(CACHE, `${name}-${hash.digest('hex').slice(0, 16)}${extension}`);
  if (existsSync(path)) return path;
  await mkdir(CACHE, { recursive: true });
  const scratch = await mkdtemp(join(CACHE, 'build-'));
  try {
    const out = join(scratch, `out${extension}`);
    const [executable, ...args] = command;
    await run(executable, [...args, out], { cwd: directory });
    await rename(out, path);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return path;
}

/** @throws what the compiler, or fetching the sources, failed with */
export async function buildProgram(program: CorpusProgram): Promise<BuiltProgram> {
  const { files, flags } = await sourcesOf(program);
  const recipe = await RECIPES[program.language](files, flags);
  const path = await make(program.name, '.wasm', recipe);
  return { path, bytes: await readFile(path), compiler: recipe.compiler };
}

/** The same program for this machine, by another compiler. Programs in C only. @returns its path */
export async function buildNative(program: CorpusProgram): Promise<string> {
  const { files, flags } = await sourcesOf(program);
  const command = [GCC, '-O2', ...flags.filter((flag) => !flag.startsWith('-l')), ...files, '-lm', '-o'] as const;
  const recipe = { compiler: await compilerVersion(GCC), inputs: files, directory: dirname(files[0]), command };
  return make(`${program.name}-native`, '', recipe);
}
