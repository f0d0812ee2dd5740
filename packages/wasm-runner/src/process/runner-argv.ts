/**
 * How a runner process is started: this Node, with V8 held to what the gate lets pass. The flags are a
 * second bound behind the rewriter's. Node's permission model is a second one behind the sandbox, for a
 * guest that gets hold of JavaScript: who has broken V8 itself is past it.
 */
import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PAGE_BYTES = 65_536;
/** As `DEFAULT_MODULE_LIMITS.tableElements`; the module's own limit is exact. */
const MAX_TABLE_ELEMENTS = 1_000_000;
/** V8's default, in KiB, named so that it does not move with Node: how deep a guest recurses follows from it. */
const STACK_KIB = 984;
/** What JavaScript may keep: a task's input, its files and its output. */
const OLD_SPACE_MIB = 512;

const packageOf = (name: string): string => dirname(dirname(realpathSync(fileURLToPath(import.meta.resolve(name)))));

/** Where packages of this name are found by it: the nearest directory of links above this file. */
function linksAbove(directory: string): string {
  const links = join(directory, 'node_modules/@holdfast');
  return existsSync(links) || directory === '/' ? links : linksAbove(dirname(directory));
}

/** Sources and the packages they import; read-only, and nothing else of the installation. */
export const RUNNER_SOURCES: readonly string[] = [
  dirname(import.meta.dirname),
  packageOf('@holdfast/wasm'),
  packageOf('@holdfast/core'),
  linksAbove(import.meta.dirname),
];

/** Empty but for what stops Node and OpenSSL from reading configuration. */
export const RUNNER_ENV: Readonly<Record<string, string>> = { OPENSSL_CONF: '/dev/null', UV_USE_IO_URING: '0' };

/** @param maxMemoryBytes that any module may have in this process */
export function runnerArgv(maxMemoryBytes: number): [string, ...string[]] {
  return [
    process.execPath,
    `--wasm-max-mem-pages=${Math.ceil(maxMemoryBytes / PAGE_BYTES)}`,
    `--wasm-max-table-size=${MAX_TABLE_ELEMENTS}`,
    `--stack-size=${STACK_KIB}`,
    `--max-old-space-size=${OLD_SPACE_MIB}`,
    '--disallow-code-generation-from-strings',
    '--disable-proto=delete',
    '--permission',
    ...RUNNER_SOURCES.map((path) => `--allow-fs-read=${path}`),
    '--no-addons',
    '--no-warnings',
    '--v8-pool-size=1',
    join(import.meta.dirname, 'runner-main.ts'),
  ];
}
