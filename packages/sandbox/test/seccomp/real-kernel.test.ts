/**
 * the kernel takes our filters, programs that nobody tuned for run under the default one, and
 * refused calls are refused. The filter is put on by bubblewrap, without the other layers.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { arch } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, it, type TestContext } from 'node:test';
import type { SandboxProfile } from '@holdfast/policy';
import { needs, temporaryDirectory } from '@holdfast/testing';
import { compileSeccomp } from '../../src/seccomp/compile-seccomp.ts';
import { SYSCALLS } from '../../src/seccomp/syscall-table.ts';
import { PROFILES, profileWith } from './profiles.ts';

const DEFAULT = profileWith({});
const ARCHITECTURE = arch() === 'arm64' ? 'arm64' : 'x64';

/** `--as-pid-1`: bubblewrap's own process 1 would be under the filter, too, and has other needs. */
const VIEW = `
  --unshare-all --die-with-parent --new-session --as-pid-1 --ro-bind /usr /usr --symlink usr/lib /lib
  --symlink usr/lib64 /lib64 --symlink usr/bin /bin --ro-bind /etc/alternatives /etc/alternatives
  --proc /proc --dev /dev --tmpfs /tmp --chdir /tmp
`
  .trim()
  .split(/\s+/);

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function runFiltered(
  t: TestContext,
  profile: SandboxProfile,
  argv: string[],
  shown: string[] = [],
): Promise<Ended> {
  const path = join(temporaryDirectory(t), 'filter');
  writeFileSync(path, compileSeccomp(profile, { architecture: ARCHITECTURE, landlockAbi: 0 }));
  const filter = openSync(path, 'r');
  try {
    const binds = shown.flatMap((directory) => ['--ro-bind', directory, directory]);
    const child = spawn('/usr/bin/bwrap', [...VIEW, ...binds, '--seccomp', '3', '--', ...argv], {
      stdio: ['ignore', 'pipe', 'pipe', filter],
      env: { PATH: '/usr/bin:/bin' },
    });
    if (child.stdout === null || child.stderr === null) throw new TypeError('no pipes');
    const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
    return { code: code as number | null, stdout, stderr };
  } finally {
    closeSync(filter);
  }
}

const THREADS = `
#include <pthread.h>
#include <stdio.h>
static void *say(void *text) { puts(text); return NULL; }
int main(void) { pthread_t thread; return pthread_create(&thread, NULL, say, "thread") || pthread_join(thread, NULL); }
`;

const NODE_PROGRAM = `
const { execFileSync, spawn } = require('node:child_process');
const { Worker } = require('node:worker_threads');
const fs = require('node:fs');
fs.writeFileSync('a', 'file');
console.log(fs.readFileSync('a', 'utf8'), execFileSync('/bin/echo', ['child'], { encoding: 'utf8' }).trim());
new Worker("console.log('worker')", { eval: true });
setTimeout(() => console.log('timer'), 1);
WebAssembly.compile(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])).then(() => console.log('wasm'));
fs.watch('.').close();
require('node:net').createServer().on('error', ({ code }) => console.log(code)).listen(0, '127.0.0.1');
spawn('/bin/cat').stdin.end('x');
`;

/** Prints the error of a call made with zeros, by number. */
const CALL = '$! = 0; my $n = shift; syscall($n + 0, map { $_ + 0 } (@ARGV, (0) x (6 - @ARGV))); print $! + 0';

async function errorOf(t: TestContext, name: string | number, ...values: number[]): Promise<string> {
  const number = typeof name === 'number' ? name : SYSCALLS[ARCHITECTURE].get(name);
  const { code, stdout, stderr } = await runFiltered(t, DEFAULT, [
    '/usr/bin/perl',
    '-e',
    CALL,
    ...[number, ...values].map(String),
  ]);
  return code === 0 ? stdout : `exit ${code} ${stderr}`;
}

describe('the kernel', { ...needs('bubblewrap') }, () => {
  const programs: { name: string; script: string; says: RegExp }[] = [
    {
      name: 'the shell and coreutils',
      script:
        'echo hi > a && cp a b && mv b c && mkdir d && ln -s ../a d/l && chmod 640 c && sort c d/l | uniq -c && touch -d @0 a && stat -c %Y a && tar cf t a c && gzip t && dd if=/dev/zero of=z count=1 status=none && find . -name z -delete && ls -l d >/dev/null && mktemp >/dev/null && mkfifo f && (sleep 0.01 & wait) && timeout 5 true && rm -r d && echo done',
      says: /2 hi\n0\ndone\n$/,
    },
    { name: 'perl', script: `perl -e 'print "perl ", \`echo child\`'`, says: /^perl child$/m },
    {
      name: 'git',
      script:
        'git init -q r && cd r && git config user.email a@b && git config user.name a && echo 1 > f && git add f && git commit -q -m first && git gc -q && git log --format=%s',
      says: /^first$/m,
    },
    {
      name: 'the compiler, and a program with threads that it makes',
      script: `cat > t.c <<'END'\n${THREADS}END\nclang-19 -pthread -o t t.c && ./t`,
      says: /^thread$/m,
    },
  ];
  for (const { name, script, says } of programs) {
    it(`X-02: runs ${name} under the default filter`, needs('clang'), async (t) => {
      const { code, stdout, stderr } = await runFiltered(t, DEFAULT, ['/bin/sh', '-c', script]);
      assert.match(stdout, says, stderr);
      assert.equal(code, 0, stderr);
    });
  }

  it('X-02: runs Node with code generation', async (t) => {
    const profile = profileWith({
      syscalls: { purposes: ['base', 'files', 'processes', 'threads', 'signals', 'events', 'jit'] },
    });
    const argv = [process.execPath, '-e', NODE_PROGRAM];
    const { code, stdout, stderr } = await runFiltered(t, profile, argv, [dirname(process.execPath)]);
    assert.equal(code, 0, stderr);
    assert.deepEqual(stdout.trim().split('\n').toSorted(), ['EAFNOSUPPORT', 'file child', 'timer', 'wasm', 'worker']);
  });

  it('X-02: runs Node without it under the default filter, if told so', async (t) => {
    const argv = [process.execPath, '--jitless', '-p', '6 * 7'];
    assert.deepEqual(await runFiltered(t, DEFAULT, argv, [dirname(process.execPath)]), {
      code: 0,
      stdout: '42\n',
      stderr: '',
    });
  });

  it('X-02: takes every filter of the other tests', async (t) => {
    for (const profile of Object.values(PROFILES)) {
      const { code, stderr } = await runFiltered(t, profile, ['/bin/true']);
      assert.equal(code, 0, stderr);
    }
  });

  it('X-02: refuses calls with the error that the plan says', async (t) => {
    const [EPERM, EINVAL, ENOTTY, ENOSYS, EAFNOSUPPORT] = ['1', '22', '25', '38', '97'];
    assert.equal(await errorOf(t, 'bpf'), EPERM);
    assert.equal(await errorOf(t, 'clone3'), ENOSYS);
    assert.equal(await errorOf(t, 420), ENOSYS);
    assert.equal(await errorOf(t, 'socket', 2, 1, 0), EAFNOSUPPORT);
    assert.equal(await errorOf(t, 'ioctl', 0, 0x5412, 0), ENOTTY);
    assert.equal(await errorOf(t, 'personality', 0x40000), EPERM);
    assert.equal(await errorOf(t, 'personality', 0xffff_ffff), '0');
    assert.equal(await errorOf(t, 'memfd_create', 0, 0x10), EPERM);
    assert.equal(await errorOf(t, 'kill', 0, 0x1000), EINVAL, 'an allowed call reaches the kernel');
  });

  it(
    'X-02: kills a process that makes an x32 call',
    { skip: ARCHITECTURE === 'x64' ? false : 'needs x86-64' },
    async (t) => {
      const SIGSYS = 31;
      assert.match(await errorOf(t, 0x4000_0000 + 39), new RegExp(`^exit ${128 + SIGSYS} `));
    },
  );
});
