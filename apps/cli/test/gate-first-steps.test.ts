/** What somebody meets who has just begun with a gate: every dead end says what to do next. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { encodeBase64, signerFromSeed } from '@holdfast/crypto';
import { temporaryDirectory } from '@holdfast/testing';

const MAIN = join(import.meta.dirname, '../src/main.ts');
const ARGV = ['--disable-warning=ExperimentalWarning', MAIN, 'gate'];

function gate(directory: string, ...args: readonly string[]) {
  const env = { PATH: process.env['PATH'], HOME: directory };
  const { status, stdout, stderr } = spawnSync(process.execPath, [...ARGV, ...args], {
    cwd: directory,
    env,
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

const git = (root: string, ...args: readonly string[]): string => {
  const who = ['-c', 'user.name=Maker', '-c', 'user.email=maker@example.com', '-c', 'commit.gpgsign=false'];
  return execFileSync('git', [...who, ...args], { cwd: root, encoding: 'utf8' });
};

/** What `init` writes, with people; `commit` says whether it is committed. */
function begun(t: TestContext, manifest: string, inGit = true): string {
  const root = temporaryDirectory(t);
  writeFileSync(join(root, manifest), manifest === 'package.json' ? '{"name":"shop"}' : '');
  if (inGit) git(root, 'init', '-q');
  assert.equal(gate(root, 'init').status, 0);
  let person = 0;
  const text = readFileSync(join(root, 'gate.yaml'), 'utf8')
    .replaceAll('name: FILL-IN', 'name: Somebody')
    .replaceAll('FILL-IN@example.invalid', () => `p${++person}@example.com`)
    .replaceAll('keys: []', () => {
      const { publicKey } = signerFromSeed(new Uint8Array(32).fill(++person));
      return `keys: ["${encodeBase64(publicKey)}"]`;
    })
    .replaceAll('"FILL-IN"', '"v1"');
  writeFileSync(join(root, 'gate.yaml'), text);
  return root;
}

describe('holdfast gate: first steps', () => {
  it('R-01: without a gate file, `status` names the command that writes one', (t) => {
    const { status, stderr } = gate(temporaryDirectory(t), 'status');
    assert.equal(status, 65);
    assert.match(stderr, /there is no gate file here: `holdfast gate init`/);
  });

  it('R-07: outside git, `status` says that a gate judges commits, and how to begin', (t) => {
    const { status, stderr } = gate(begun(t, 'package.json', false), 'status');
    assert.equal(status, 65);
    assert.match(stderr, /ERR_GATE_SOURCE/);
    assert.match(stderr, /git init/);
  });

  it('R-07: without a commit, `status` says to make one', (t) => {
    const { status, stderr } = gate(begun(t, 'package.json'), 'status');
    assert.equal(status, 65);
    assert.match(stderr, /ERR_GATE_SOURCE/);
    assert.match(stderr, /git commit/);
  });

  it('R-03: before the freeze, `status` names who freezes, with which command', (t) => {
    const root = begun(t, 'package.json');
    git(root, 'add', '--all');
    git(root, 'commit', '-qm', 'begin');
    const { status, stdout } = gate(root, 'status');
    assert.equal(status, 20);
    assert.match(stdout, /NONE[^]*maker: commit the gate file and freeze it\n +holdfast gate freeze/);
  });

  it('R-08: `lint` warns of a report that git would see, and no longer once it is ignored', (t) => {
    const root = begun(t, 'setup.py');
    const warned = gate(root, 'lint');
    assert.equal(warned.status, 0, warned.stdout);
    assert.match(
      warned.stdout,
      /warning +R-08 +commands\[0\]\.report\.from: git does not ignore gate-reports\/pytest\.xml/,
    );
    writeFileSync(join(root, '.gitignore'), '/gate-reports/\n');
    assert.doesNotMatch(gate(root, 'lint').stdout, /git does not ignore/);
  });

  it('R-08: a report that is committed is not ignored, whatever .gitignore says', (t) => {
    const root = begun(t, 'setup.py');
    writeFileSync(join(root, '.gitignore'), '/gate-reports/\n');
    execFileSync('mkdir', [join(root, 'gate-reports')]);
    writeFileSync(join(root, 'gate-reports/pytest.xml'), '<testsuites/>');
    git(root, 'add', '--force', 'gate-reports/pytest.xml');
    assert.match(gate(root, 'lint').stdout, /git does not ignore/);
  });

  it('ends quietly when whoever reads its output has seen enough', async (t) => {
    const child = spawn(process.execPath, [...ARGV, 'schema'], {
      cwd: temporaryDirectory(t),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.destroy();
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    await once(child, 'close');
    assert.equal(stderr, '');
  });
});
