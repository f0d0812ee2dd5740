import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryDirectory } from '@holdfast/testing';

const HOOK = fileURLToPath(new URL('../../../packaging/ci/pre-receive', import.meta.url));

/**
 * Stands in for `holdfast` on the PATH, for the hook's own logic alone: it notes how it was called and what
 * it was shown, and ends as the checked-out file `<step>-exit` says.
 */
const STAND_IN = `#!/bin/sh
printf '%s\\n' "$*" >>"$STAND_IN_LOG"
case $2 in
  status) tree=$4 ;;
  export) tree=$5; echo bundle >"$3" ;;
  verify) tree=\${3%/*}/tree ;;
esac
git -C "$tree" status --porcelain >>"$STAND_IN_LOG" || exit 70
[ -f "$tree/$2-sleeps" ] && exec sleep 60
[ -f "$tree/$2-exit" ] && exit "$(cat "$tree/$2-exit")"
exit 0
`;

class Repositories {
  readonly #root: string;
  readonly #log: string;
  readonly work: string;
  readonly bare: string;

  constructor(t: TestContext) {
    this.#root = temporaryDirectory(t);
    this.work = join(this.#root, 'work');
    this.bare = join(this.#root, 'bare.git');
    this.#log = join(this.#root, 'calls');
    for (const name of ['bin', 'tmp']) mkdirSync(join(this.#root, name));
    writeFileSync(join(this.#root, 'bin/holdfast'), STAND_IN);
    chmodSync(join(this.#root, 'bin/holdfast'), 0o755);
    writeFileSync(join(this.#root, 'pins'), '{}');
    writeFileSync(this.#log, '');
    this.git(this.#root, 'init', '-q', '--bare', 'bare.git');
    copyFileSync(HOOK, join(this.bare, 'hooks/pre-receive'));
    chmodSync(join(this.bare, 'hooks/pre-receive'), 0o755);
    this.configure('holdfast.gatePins', join(this.#root, 'pins'));
    this.git(this.#root, 'init', '-q', '-b', 'main', 'work');
  }

  get calls(): string {
    return readFileSync(this.#log, 'utf8');
  }

  get leftovers(): string[] {
    return readdirSync(join(this.#root, 'tmp'));
  }

  configure(key: string, value: string): void {
    this.git(this.bare, 'config', key, value);
  }

  uninstall(): void {
    writeFileSync(join(this.#root, 'bin/holdfast'), '#!/bin/sh\nexit 127\n');
  }

  commit(files: Readonly<Record<string, string>>): void {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(this.work, name), text);
    this.git(this.work, 'add', '.');
    this.git(this.work, 'commit', '-q', '-m', 'change');
  }

  push(...refs: string[]): { taken: boolean; said: string } {
    const { status, stderr } = this.#run(this.work, ['push', '-q', this.bare, ...refs]);
    return { taken: status === 0, said: stderr };
  }

  git(directory: string, ...argv: string[]): string {
    const { status, stdout, stderr } = this.#run(directory, argv);
    assert.equal(status, 0, stderr);
    return stdout.trim();
  }

  #run(cwd: string, argv: readonly string[]) {
    const who = ['-c', 'user.name=A', '-c', 'user.email=a@shop.example', '-c', 'commit.gpgsign=false'];
    const env = {
      PATH: `${join(this.#root, 'bin')}:${process.env['PATH'] ?? ''}`,
      HOME: this.#root,
      TMPDIR: join(this.#root, 'tmp'),
      STAND_IN_LOG: this.#log,
      GIT_CONFIG_NOSYSTEM: '1',
    };
    return spawnSync('git', [...who, ...argv], { cwd, env, encoding: 'utf8', timeout: 60_000 });
  }
}

describe('pre-receive hook', () => {
  it('R-32: takes a push whose verdict stands and verifies, and leaves nothing behind', (t) => {
    const repositories = new Repositories(t);
    repositories.commit({ a: '1' });
    assert.deepEqual(repositories.push('main'), { taken: true, said: '' });
    assert.match(
      repositories.calls,
      /^gate status -C \S+\/tree\ngate export \S+ -C \S+\/tree\ngate verify \S+ --keys \S+\/pins\n$/,
    );
    assert.deepEqual(repositories.leftovers, []);
  });

  const refusals: { name: string; files: Readonly<Record<string, string>>; says: RegExp }[] = [
    { name: 'a verdict that is NO_GO', files: { 'status-exit': '20' }, says: /gate status ended with 20/ },
    {
      name: 'a bundle that does not verify under the pins',
      files: { 'verify-exit': '30' },
      says: /gate verify ended with 30/,
    },
    { name: 'a verdict with conditions, unless it is told to', files: { 'status-exit': '10' }, says: /ended with 10/ },
    { name: 'a gate that fails', files: { 'export-exit': '70' }, says: /gate export ended with 70/ },
  ];
  for (const { name, files, says } of refusals) {
    it(`R-32: refuses ${name}`, (t) => {
      const repositories = new Repositories(t);
      repositories.commit(files);
      const { taken, said } = repositories.push('main');
      assert.ok(!taken);
      assert.match(said, says);
      assert.equal(repositories.git(repositories.bare, 'for-each-ref'), '');
      assert.deepEqual(repositories.leftovers, []);
    });
  }

  it('R-32: takes conditions where the server allows them', (t) => {
    const repositories = new Repositories(t);
    repositories.configure('holdfast.gateConditions', 'true');
    repositories.commit({ 'status-exit': '10', 'verify-exit': '10' });
    assert.ok(repositories.push('main').taken);
  });

  it('R-32: a step that hangs is ended and refuses', (t) => {
    const repositories = new Repositories(t);
    repositories.configure('holdfast.gateTimeoutSeconds', '1');
    repositories.commit({ 'status-sleeps': '' });
    const { taken, said } = repositories.push('main');
    assert.ok(!taken);
    assert.match(said, /did not end within 1 seconds/);
  });

  it('R-32: without pins or without holdfast nothing gets in', (t) => {
    const repositories = new Repositories(t);
    repositories.commit({ a: '1' });
    repositories.configure('holdfast.gatePins', '/nonexistent/pins');
    assert.match(repositories.push('main').said, /names no readable file/);
    const others = new Repositories(t);
    others.commit({ a: '1' });
    others.uninstall();
    assert.match(others.push('main').said, /not installed/);
  });

  it('R-32: one refused ref refuses the push, and refs that are not gated are not judged', (t) => {
    const repositories = new Repositories(t);
    repositories.commit({ 'status-exit': '20' });
    assert.ok(repositories.push('main:refs/heads/topic').taken);
    assert.equal(repositories.calls, '');
    repositories.git(repositories.work, 'tag', '-a', '-m', 'one', 'v1.0.0');
    assert.ok(!repositories.push('main:refs/heads/other', 'v1.0.0').taken);
    assert.ok(!existsSync(join(repositories.bare, 'refs/heads/other')));
  });

  it('R-32: a fix that is pushed after a refusal is taken, and a deletion is none of its business', (t) => {
    const repositories = new Repositories(t);
    repositories.commit({ 'status-exit': '20' });
    assert.ok(!repositories.push('main').taken);
    repositories.commit({ 'status-exit': '0' });
    assert.ok(repositories.push('main').taken);
    repositories.git(repositories.work, 'tag', 'v1');
    assert.ok(repositories.push('v1').taken);
    assert.ok(repositories.push(':refs/tags/v1').taken);
  });

  it('R-32: what a push calls itself is never run', (t) => {
    const repositories = new Repositories(t);
    repositories.configure('holdfast.gateRef', 'refs/heads/*');
    repositories.commit({ 'status-exit': '20' });
    assert.ok(!repositories.push('main:refs/heads/$(touch${IFS}ran)').taken);
    assert.ok(!existsSync(join(repositories.bare, 'ran')));
  });
});
