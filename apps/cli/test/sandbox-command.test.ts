/** `holdfast sandbox` and `holdfast wasm run` as people start them: as root, and as nobody in particular. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { SANDBOX_LAYERS } from '@holdfast/policy';
import { needs, temporaryDirectory } from '@holdfast/testing';

const MAIN = join(import.meta.dirname, '../src/main.ts');
const NOBODY = 65_534;
const WITHOUT_ROOT = SANDBOX_LAYERS.filter((layer) => layer !== 'own-user' && layer !== 'cgroup');
/** A module whose `_start` does nothing. */
const EMPTY_MODULE = '0061736d0100000001040160000003020100070a01065f737461727400000a040102000b';

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function holdfast(uid: number, ...args: readonly string[]): Ended {
  const argv = ['--disable-warning=ExperimentalWarning', MAIN, ...args];
  const options = { uid, gid: uid, env: {}, cwd: '/', input: '', encoding: 'utf8' } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, argv, options);
  return { status, stdout, stderr };
}
const root = (...args: readonly string[]): Ended => holdfast(0, ...args);
const nobody = (...args: readonly string[]): Ended => holdfast(NOBODY, ...args);

/** One profile as a file, as TOML. */
function profileFile(t: { after(fn: () => void): void }, toml: string): string {
  const file = join(temporaryDirectory(t), 'profile.toml');
  writeFileSync(file, `name = "test"\nuser = "nobody"\n${toml}`);
  return file;
}

describe('holdfast sandbox', needs('root', 'bubblewrap'), () => {
  it('X-08: passes streams and exit code through, and ends a signal as shells do', () => {
    const { status, stdout, stderr } = root('sandbox', 'run', '--', '/bin/sh', '-c', 'echo out; echo err >&2; exit 7');
    assert.deepEqual({ status, stdout, stderr }, { status: 7, stdout: 'out\n', stderr: 'err\n' });
    assert.equal(root('sandbox', 'run', '--', '/bin/sh', '-c', 'kill -TERM $$').status, 143);
    assert.equal(root('sandbox', 'run', '--', '/bin/sh', '-c', 'kill -KILL $$').status, 137);
  });

  it('X-08: one line says which limit ended it', (t) => {
    const timedOut = root('sandbox', 'run', '--timeout', '0.3', '--', '/usr/bin/sleep', '60');
    assert.equal(timedOut.status, 143);
    assert.equal(timedOut.stderr, 'holdfast: the command was ended after its time-out of 0.3 s\n');
    const small = profileFile(t, '[limits]\nmemoryBytes = 33554432\ncpuSeconds = 1\n');
    const greedy = root('sandbox', 'run', '--profile', small, '--', '/usr/bin/tail', '/dev/zero');
    assert.equal(greedy.status, 137);
    assert.match(
      greedy.stderr,
      /^holdfast: the command was ended because it used all of its 33554432 bytes of memory$/m,
    );
    const busy = root('sandbox', 'run', '--profile', small, '--', '/bin/sh', '-c', 'while :; do :; done');
    assert.equal(busy.status, 152);
    assert.match(busy.stderr, /^holdfast: .* its 1 s of processor time$/m);
  });

  it('X-07: --json is one document with everything there is to know', () => {
    const { status, stdout } = root('sandbox', 'run', '--json', '--', '/usr/bin/id', '-u');
    const { profile, argv, layers, endedBy, usage } = JSON.parse(stdout) as Record<string, unknown>;
    assert.equal(status, 0);
    assert.deepEqual(
      { profile, argv, layers, endedBy },
      { profile: 'default', argv: ['/usr/bin/id', '-u'], layers: SANDBOX_LAYERS, endedBy: 'itself' },
    );
    const measures = ['wallMs', 'cpuMs', 'peakMemoryBytes', 'readBytes', 'writtenBytes'];
    assert.deepEqual(Object.keys(usage as object).toSorted(), measures.toSorted());
  });

  it('X-04: whoever is not root gives up own-user and cgroup, is told so, and nothing else', () => {
    const refused = nobody('sandbox', 'run', '--', '/usr/bin/true');
    assert.match(refused.stderr, /ERR_SANDBOX_MISSING[^]*own-user[^]*plain-user/);
    const { status, stdout, stderr } = nobody('sandbox', 'run', '--profile', 'plain-user', '--', '/usr/bin/id', '-u');
    assert.deepEqual({ status, stdout }, { status: 0, stdout: `${NOBODY}\n` });
    assert.equal(stderr, 'holdfast: the profile gives up and this run was without: own-user, cgroup\n');
    const states = JSON.parse(nobody('sandbox', 'layers', '--json').stdout) as { layer: string; available: boolean }[];
    assert.deepEqual(
      states.filter(({ available }) => available).map(({ layer }) => layer),
      WITHOUT_ROOT,
    );
  });

  it('X-09: a module runs for root and for anybody else, who is told what is given up', (t) => {
    const directory = temporaryDirectory(t);
    chmodSync(directory, 0o755);
    const file = join(directory, 'empty.wasm');
    writeFileSync(file, Buffer.from(EMPTY_MODULE, 'hex'));
    for (const [run, layers] of [
      [root, [...SANDBOX_LAYERS]],
      [nobody, WITHOUT_ROOT],
    ] as const) {
      const { status, stdout, stderr } = run('wasm', 'run', '--json', file);
      assert.equal(status, 0, stderr);
      assert.deepEqual((JSON.parse(stdout) as { layers: unknown }).layers, layers);
      assert.equal(/own-user, cgroup/.test(stderr), run === nobody);
    }
  });

  it('X-01: show prints plan, view and system calls in lines that fit', () => {
    const { status, stdout } = root('sandbox', 'show', 'default');
    assert.equal(status, 0);
    for (const text of [
      /^sha256 {4}[0-9a-f]{64}$/m,
      /^ {2}--unshare-net$/m,
      /^ {2}allowed \(\d+\):$/m,
      /^ {4}prctl: arg0/m,
    ]) {
      assert.match(stdout, text);
    }
    assert.deepEqual(
      stdout.split('\n').filter((line) => line.length > 100),
      [],
    );
  });

  it('X-08: what was asked for wrongly is said in a sentence', () => {
    assert.match(
      root('sandbox', 'run', '--', 'id').stderr,
      /the program is an absolute path as seen inside, such as \/usr\/bin\/id/,
    );
    assert.match(
      root('sandbox', 'run', '--timeout', 'soon', '--', '/usr/bin/id').stderr,
      /a time-out is a number of seconds/,
    );
    assert.match(
      root('sandbox', 'run', '--profile', '/none', '--', '/usr/bin/id').stderr,
      /neither a file nor one of default, plain-user/,
    );
  });
});
