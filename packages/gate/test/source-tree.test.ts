import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { hasCode, isHoldfastError } from '@holdfast/core';
import { needs, temporaryDirectory } from '@holdfast/testing';
import { openSourceTree, type Source } from '../src/index.ts';

const SIGNAL = AbortSignal.timeout(600_000);

function git(directory: string, ...args: readonly string[]): string {
  const settings = [
    'user.name=Ann',
    'user.email=Ann@Example.com',
    'commit.gpgsign=false',
    'protocol.file.allow=always',
  ];
  const options = settings.flatMap((setting) => ['-c', setting]);
  const { status, stdout, stderr } = spawnSync('git', [...options, ...args], { cwd: directory, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return stdout.trim();
}

function repository(t: TestContext, ...options: readonly string[]): string {
  const root = temporaryDirectory(t);
  git(root, 'init', '-q', ...options);
  writeFileSync(join(root, 'a.txt'), 'one\n');
  commit(root, 'first');
  return root;
}

function commit(root: string, message: string): string {
  git(root, 'add', '-A');
  git(root, 'commit', '-q', '--allow-empty', '-m', message);
  return git(root, 'rev-parse', 'HEAD');
}

const read = async (root: string): Promise<Source> => (await openSourceTree(root)).read('.gate', SIGNAL);
const reasonOf = async (promise: Promise<unknown>): Promise<unknown> => {
  try {
    await promise;
  } catch (error) {
    assert.ok(hasCode(error, 'ERR_GATE_SOURCE'), String(error));
    return isHoldfastError(error) ? error.fields['reason'] : null;
  }
  return 'no error';
};

describe('openSourceTree', () => {
  it('R-07: two commits with the same sources share a digest, whatever the records say', async (t) => {
    const root = repository(t);
    const before = await read(root);
    mkdirSync(join(root, '.gate'));
    writeFileSync(join(root, '.gate/log.jsonl'), 'record\n');
    mkdirSync(join(root, '.gate/shop/objects/ab'), { recursive: true });
    const beside = [
      'log.jsonl',
      'checkpoint',
      'lock',
      'lock-journal',
      '.gitignore',
      '.gitattributes',
      '.0123456789abcdef.tmp',
    ];
    const objects = ['c'.repeat(62), '.0123456789abcdef.tmp'].map((name) => `objects/ab/${name}`);
    for (const name of [...beside, ...objects]) writeFileSync(join(root, '.gate/shop', name), 'record\n');
    writeFileSync(join(root, '.gate/review-01.yaml'), 'checks:\n');
    assert.deepEqual(await read(root), before, 'untracked records are not dirt');
    commit(root, 'records');
    const after = await read(root);
    assert.notEqual(after.commit, before.commit);
    assert.deepEqual([after.tree, after.dirtyFiles], [before.tree, 0]);
    writeFileSync(join(root, '.gateway'), 'not below the records\n');
    assert.equal((await read(root)).dirtyFiles, 1);
  });

  it('R-08: everything that a gate writes among the records is a record', async (t) => {
    const root = repository(t);
    const before = await read(root);
    const object = `shop/objects/ab/${'c'.repeat(62)}`;
    const summary = 'shop/summaries/000042-0123456789ab.vsa.json';
    for (const path of ['shop/log.jsonl', 'shop/checkpoint', 'shop/lock', object, summary, 'review-01.yaml']) {
      mkdirSync(dirname(join(root, '.gate', path)), { recursive: true });
      writeFileSync(join(root, '.gate', path), 'record\n');
    }
    assert.deepEqual(await read(root), before);
    commit(root, 'records');
    assert.equal((await read(root)).tree, before.tree);
  });

  it('R-08: code that lies among the records is source, and no record that can be run', async (t) => {
    const root = repository(t);
    const before = await read(root);
    for (const path of [
      'shim.js',
      'shop/log.jsonl.js',
      'shop/objects/ab/shim.js',
      'shop/objects/shim',
      'shop/summaries/shim.js',
      'conftest.py',
    ]) {
      mkdirSync(dirname(join(root, '.gate', path)), { recursive: true });
      writeFileSync(join(root, '.gate', path), 'code\n');
      assert.equal((await read(root)).dirtyFiles, 1, path);
      commit(root, path);
      assert.notEqual((await read(root)).tree, before.tree, path);
      git(root, 'rm', '-q', join('.gate', path));
      commit(root, 'without it');
      assert.equal((await read(root)).tree, before.tree, path);
    }
    mkdirSync(join(root, '.gate'), { recursive: true });
    symlinkSync('../a.txt', join(root, '.gate/log.jsonl'));
    commit(root, 'a record that leads elsewhere');
    assert.notEqual((await read(root)).tree, before.tree);
  });

  const changes: { name: string; change: (root: string) => void }[] = [
    { name: 'content', change: (root) => writeFileSync(join(root, 'a.txt'), 'two\n') },
    { name: 'a name', change: (root) => renameSync(join(root, 'a.txt'), join(root, 'b.txt')) },
    { name: 'a mode', change: (root) => git(root, 'update-index', '--chmod=+x', 'a.txt') },
    { name: 'one file less', change: (root) => rmSync(join(root, 'a.txt')) },
    {
      name: 'a file into a symlink with the same bytes',
      change: (root) => {
        writeFileSync(join(root, 'a.txt'), 'one');
        commit(root, 'without newline');
        rmSync(join(root, 'a.txt'));
        symlinkSync('one', join(root, 'a.txt'));
      },
    },
  ];
  for (const { name, change } of changes) {
    it(`R-07: another ${name} is another digest`, async (t) => {
      const root = repository(t);
      const digests = new Set([(await read(root)).tree]);
      change(root);
      if (name === 'a mode') git(root, 'commit', '-q', '-m', 'mode');
      else commit(root, 'second');
      digests.add((await read(root)).tree);
      assert.equal(digests.size, 2);
    });
  }

  it('R-07: SHA-1 and SHA-256 repositories with the same files have the same digest', async (t) => {
    const [sha1, sha256] = [await read(repository(t)), await read(repository(t, '--object-format=sha256'))];
    assert.equal(sha1.tree, sha256.tree);
    assert.deepEqual([sha1.commit.length, sha256.commit.length], [40, 64]);
  });

  it('R-08: counts what is changed, staged, untracked, in conflict; not what is ignored', async (t) => {
    const root = repository(t);
    writeFileSync(join(root, '.gitignore'), 'ignored\n');
    commit(root, 'ignore');
    writeFileSync(join(root, 'ignored'), '');
    assert.equal((await read(root)).dirtyFiles, 0);
    writeFileSync(join(root, 'a.txt'), 'two\n');
    mkdirSync(join(root, 'deep'));
    writeFileSync(join(root, 'deep/x'), '');
    writeFileSync(join(root, 'deep/y'), '');
    git(root, 'add', 'deep/x');
    assert.equal((await read(root)).dirtyFiles, 3);
  });

  for (const flag of ['--assume-unchanged', '--skip-worktree']) {
    it(`R-08: a file hidden by ${flag} is dirty`, async (t) => {
      const root = repository(t);
      const tree = await openSourceTree(root);
      assert.equal((await tree.read('.gate', SIGNAL)).dirtyFiles, 0);
      git(root, 'update-index', flag, 'a.txt');
      writeFileSync(join(root, 'a.txt'), 'changed unseen\n');
      assert.equal((await tree.read('.gate', SIGNAL)).dirtyFiles, 1);
    });
  }

  it('R-08: settings of the repository neither hide changes nor run programs', async (t) => {
    const root = repository(t);
    const trap = `touch ${join(root, '.git/trapped')}; false`;
    for (const [name, value] of [
      ['core.fsmonitor', trap],
      ['core.pager', trap],
      ['diff.external', trap],
      ['core.ignoreStat', 'true'],
      ['status.showUntrackedFiles', 'no'],
      ['core.fileMode', 'false'],
    ] as const)
      git(root, 'config', name, value);
    spawnSync('chmod', ['+x', join(root, 'a.txt')]);
    writeFileSync(join(root, 'new'), '');
    assert.equal((await read(root)).dirtyFiles, 2);
    assert.equal(existsSync(join(root, '.git/trapped')), false);
  });

  it('R-08: replaced objects are not what was committed', async (t) => {
    const root = repository(t);
    const before = await read(root);
    writeFileSync(join(root, '.git/other'), 'two\n');
    const other = git(root, 'hash-object', '-w', '.git/other');
    git(root, 'replace', git(root, 'rev-parse', 'HEAD:a.txt'), other);
    assert.equal((await read(root)).tree, before.tree);
  });

  it('R-07: names of any bytes, symlinks to nowhere, empty files and submodules', async (t) => {
    const inner = repository(t);
    const root = repository(t);
    for (const name of ['new\nline', '"quoted"', 'tab\there', ' space', '-dash', 'ümlaut', 'star*']) {
      writeFileSync(join(root, name), name);
    }
    writeFileSync(Buffer.concat([Buffer.from(`${root}/latin-`), Buffer.from([0xe9])]), 'e');
    writeFileSync(join(root, 'empty'), '');
    symlinkSync('/nowhere/at/all', join(root, 'link'));
    git(root, 'submodule', '--quiet', 'add', inner, 'module');
    const id = commit(root, 'odd names');
    const source = await read(root);
    assert.equal(source.dirtyFiles, 0);
    const tree = await openSourceTree(root);
    const names = await tree.changedFiles(`${id}~1`, id, '.gate', SIGNAL);
    assert.ok(names.includes('new\nline') && names.includes('latin-\\xe9') && names.includes('module'));
    assert.deepEqual(
      (await tree.changedFiles(null, id, '.gate', SIGNAL)).filter((name) => !names.includes(name)),
      ['a.txt'],
    );
    writeFileSync(join(root, 'new\nline'), 'changed');
    writeFileSync(join(root, 'module/a.txt'), 'changed');
    writeFileSync(join(root, 'module/untracked'), 'new');
    assert.equal((await read(root)).dirtyFiles, 2);
    git(join(root, 'module'), 'commit', '-q', '-am', 'inner');
    git(root, 'commit', '-q', '-am', 'moves the submodule');
    assert.notEqual((await read(root)).tree, source.tree);
  });

  it('R-08: says why there is nothing to read', async (t) => {
    const nothing = temporaryDirectory(t);
    assert.equal(await reasonOf(openSourceTree(nothing)), 'not-a-work-tree');
    assert.equal(await reasonOf(openSourceTree(join(nothing, 'absent'))), 'not-a-work-tree');
    git(nothing, 'init', '-q');
    assert.equal(await reasonOf(read(nothing)), 'no-commit');
    const bare = temporaryDirectory(t);
    git(bare, 'init', '-q', '--bare');
    assert.equal(await reasonOf(openSourceTree(bare)), 'not-a-work-tree');
    const tree = await openSourceTree(repository(t));
    for (const name of ['absent', '--all', '', 'a.txt', 'HEAD:a.txt', 'HEAD..HEAD']) {
      assert.equal(await reasonOf(tree.resolve(name, SIGNAL)), 'unknown-commit', name);
    }
    for (const records of ['.', '..', 'a/../..']) {
      assert.equal(await reasonOf(tree.read(records, SIGNAL)), 'records-directory', records);
    }
  });

  it('R-08: another user’s repository is refused with what to do', needs('root'), async (t) => {
    const root = repository(t);
    for (const name of ['.', '.git']) chownSync(join(root, name), 65_534, 65_534);
    assert.equal(await reasonOf(openSourceTree(root)), 'owned-by-another-user');
    await assert.rejects(openSourceTree(root), /safe\.directory/);
  });

  it('R-08: a file that the object store lost is missed', async (t) => {
    const root = repository(t);
    const blob = git(root, 'rev-parse', 'HEAD:a.txt');
    rmSync(join(root, '.git/objects', blob.slice(0, 2), blob.slice(2)));
    assert.equal(await reasonOf(read(root)), 'object-missing');
  });

  it('reads a detached head, a work tree beside, a shallow clone, and from a directory below', async (t) => {
    const root = repository(t);
    const first = await read(root);
    git(root, 'checkout', '-q', '--detach');
    mkdirSync(join(root, 'below'));
    assert.deepEqual(await read(join(root, 'below')), first);
    const beside = join(temporaryDirectory(t), 'tree');
    git(root, 'worktree', 'add', '-q', '--detach', beside);
    assert.deepEqual(await read(beside), first);
    commit(root, 'second');
    const shallow = join(temporaryDirectory(t), 'clone');
    git(root, 'clone', '-q', '--depth=1', `file://${root}`, shallow);
    assert.equal((await read(shallow)).tree, first.tree);
    await using copy = await (await openSourceTree(shallow)).checkout('HEAD', SIGNAL);
    assert.deepEqual((await read(copy.path)).tree, first.tree);
  });

  it('R-13: names authors, committers and co-authors of what is not a record', async (t) => {
    const root = repository(t);
    const start = git(root, 'rev-parse', 'HEAD');
    writeFileSync(join(root, 'b.txt'), 'b\n');
    git(root, 'add', '-A');
    const message = 'second\n\nCo-Authored-By: Bob <Bob@Example.com>\n\nmore text\n\nco-authored-by: C <c@example.com>';
    git(root, 'commit', '-q', '--author=Dee <dee@example.com>', '-m', message);
    writeFileSync(join(root, '.mailmap'), 'Nobody <nobody@example.com> <dee@example.com>\n');
    commit(root, 'rewrites who wrote what');
    mkdirSync(join(root, '.gate'));
    writeFileSync(join(root, '.gate/log.jsonl'), 'x');
    git(root, 'add', '-A');
    git(root, 'commit', '-q', '--author=Eve <eve@example.com>', '-m', 'records only');
    const tree = await openSourceTree(root);
    const authors = await tree.authors(start, 'HEAD', '.gate', SIGNAL);
    assert.deepEqual(authors, ['ann@example.com', 'bob@example.com', 'c@example.com', 'dee@example.com']);
    assert.deepEqual(await tree.authors('HEAD~1', 'HEAD', '.gate', SIGNAL), []);
    writeFileSync(join(root, '.gate/shim.js'), 'code\n');
    commit(root, 'code among the records');
    assert.deepEqual(await tree.authors('HEAD~1', 'HEAD', '.gate', SIGNAL), ['ann@example.com']);
  });

  it('R-15: a checkout is a copy that is gone afterwards, and the repository stays as it was', async (t) => {
    const root = repository(t);
    const first = git(root, 'rev-parse', 'HEAD');
    writeFileSync(join(root, 'a.txt'), 'two\n');
    commit(root, 'second');
    writeFileSync(join(root, 'a.txt'), 'not committed\n');
    const listing = (): string =>
      readdirSync(join(root, '.git'), { recursive: true, encoding: 'utf8' }).toSorted().join('\n');
    const before = [listing(), readFileSync(join(root, '.git/index')).toString('hex')];
    const tree = await openSourceTree(root);
    await tree.read('.gate', SIGNAL);
    let path = '';
    {
      await using copy = await tree.checkout(first, SIGNAL);
      ({ path } = copy);
      assert.equal(readFileSync(join(path, 'a.txt'), 'utf8'), 'one\n');
      const source = await read(path);
      assert.deepEqual([source.commit, source.dirtyFiles], [first, 0]);
      writeFileSync(join(path, 'a.txt'), 'changed there');
      git(path, 'commit', '-q', '-am', 'committed there');
    }
    assert.equal(existsSync(path), false);
    assert.deepEqual([listing(), readFileSync(join(root, '.git/index')).toString('hex')], before);
    assert.equal(readFileSync(join(root, 'a.txt'), 'utf8'), 'not committed\n');
  });
});
