import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';

import { hasCode } from '@holdfast/core';
import { temporaryDirectory } from '@holdfast/testing';

import { openGitRepository, type ScanSummary, ScanSummarySchema, scanSecrets } from '../src/index.ts';
import { Maker, negatives, POSITIVES } from './secret-corpus.ts';

const NOW_MS = Date.UTC(2026, 5, 1);
const CLEAN = 'export const answer = 42;\n';

class TestRepository {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
    this.git('init', '-q', '-b', 'main');
  }

  git(...args: string[]): string {
    const who = ['user.name=t', 'user.email=t@t.test', 'commit.gpgsign=false', 'protocol.file.allow=always'];
    return execFileSync('git', [...who.flatMap((one) => ['-c', one]), ...args], {
      cwd: this.path,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { PATH: process.env['PATH'], HOME: '/nonexistent', GIT_CONFIG_GLOBAL: '/dev/null' },
    }).trim();
  }

  write(path: string, content: string | Buffer): void {
    mkdirSync(dirname(join(this.path, path)), { recursive: true });
    writeFileSync(join(this.path, path), content);
  }

  commit(path: string, content: string | Buffer, message = 'change'): string {
    this.write(path, content);
    this.git('add', '-A');
    this.git('commit', '-q', '-m', message);
    return this.git('rev-parse', 'HEAD');
  }

  remove(path: string): void {
    rmSync(join(this.path, path));
    this.git('commit', '-qam', 'remove');
  }
}

function repository(t: TestContext): TestRepository {
  const made = new TestRepository(temporaryDirectory(t));
  made.commit('main.ts', CLEAN);
  return made;
}

async function scan({ path }: TestRepository, options: { maxFileBytes?: number } = {}): Promise<ScanSummary> {
  const signal = AbortSignal.timeout(60_000);
  const summary = await scanSecrets(
    { repository: await openGitRepository(path, signal) },
    { nowMs: NOW_MS, ...options },
    signal,
  );
  return ScanSummarySchema.parse(summary);
}

const places = ({ findings }: ScanSummary): string[] =>
  findings.map(({ rule, location }) => `${rule} ${location}`).toSorted();
const token = (seed = 1): string => new Maker(seed).checked('ghp');

describe('R-24: planted repositories', () => {
  it('a clean one is complete, with what it covered', async (t) => {
    const made = repository(t);
    made.git('tag', 'v1');
    const summary = await scan(made);
    assert.equal(summary.state, 'complete');
    assert.deepEqual(summary.findings, []);
    const { files, bytes, commits, tags, skipped } = summary.coverage;
    assert.deepEqual({ files, commits, tags, skipped }, { files: 1, commits: 1, tags: 1, skipped: [] });
    assert.ok(bytes > CLEAN.length);
  });

  it('in the tree, tracked and not, staged only, and in a test file alike', async (t) => {
    const made = repository(t);
    made.commit('src/a.ts', `a = '${token(1)}'`);
    made.commit('test/a.test.ts', `a = '${token(2)}'`);
    made.write('new.txt', token(3));
    made.write('staged.txt', token(4));
    made.git('add', 'staged.txt');
    made.write('staged.txt', 'changed my mind');
    made.write('ignored.txt', token(5));
    made.write('.gitignore', 'ignored.txt\n');
    const summary = await scan(made);
    assert.deepEqual(places(summary), [
      'github-token new.txt',
      'github-token src/a.ts',
      'github-token staged.txt',
      'github-token test/a.test.ts',
    ]);
    assert.ok(summary.findings.every(({ severity }) => severity === 'P0'));
  });

  it('only in the history, at the commit that brought it', async (t) => {
    const made = repository(t);
    const commit = made.commit('conf/old.env', `TOKEN=${token()}\n`);
    made.commit('conf/old.env', `TOKEN=${token()}\nMORE=1\n`);
    made.remove('conf/old.env');
    assert.deepEqual(places(await scan(made)), [`github-token ${commit}:conf/old.env`]);
  });

  it('only in a tag whose branch is gone; in the message of a tag; in a tag of a file', async (t) => {
    const made = repository(t);
    made.git('checkout', '-q', '-b', 'side');
    const commit = made.commit('side.txt', token(1));
    made.git('tag', 'kept');
    made.git('checkout', '-q', 'main');
    made.git('branch', '-qD', 'side');
    made.git('tag', '-a', 'v2', '-m', `release with ${token(2)}`);
    made.write('blob.txt', token(3));
    made.git('tag', 'loose', made.git('hash-object', '-w', 'blob.txt'));
    rmSync(join(made.path, 'blob.txt'));
    assert.deepEqual(
      places(await scan(made)),
      [
        'github-token (no name)',
        `github-token ${commit}:side.txt`,
        'github-token refs/tags/v2:(tag message)',
      ].toSorted(),
    );
  });

  it('in a merge that brought what no parent had, in an older stash, on another branch and in notes', async (t) => {
    const made = repository(t);
    made.git('checkout', '-q', '-b', 'side');
    made.commit('side.txt', 'side');
    made.git('checkout', '-q', 'main');
    made.commit('more.txt', 'more');
    made.git('merge', '-q', '--no-commit', '--no-ff', 'side');
    const merge = made.commit('evil.txt', token(1));
    made.remove('evil.txt');
    for (const seed of [2, 3]) {
      made.write('main.ts', token(seed));
      made.git('stash');
    }
    made.git('notes', 'add', '-m', token(4));
    const found = await scan(made);
    assert.equal(found.findings.length, 4);
    assert.ok(places(found).includes(`github-token ${merge}:evil.txt`));
  });

  it('in messages of commits and names of files, which the report masks everywhere', async (t) => {
    const made = repository(t);
    const commit = made.commit('a.txt', 'a', `fix: use ${token(1)}`);
    made.commit(`dump-${token(2)}.txt`, `copy: ${token(3)}`);
    const summary = await scan(made);
    assert.deepEqual(
      places(summary),
      [`github-token ${commit}:(commit message)`, 'github-token dump-***.txt', 'github-token dump-***.txt'].toSorted(),
    );
    assert.ok(!JSON.stringify(summary).includes(token(2)));
  });

  it('in a binary, as UTF-16, gzip, base64 and in parts', async (t) => {
    const made = repository(t);
    const half = 20;
    made.write('a.bin', Buffer.concat([Buffer.alloc(5_000, 1), Buffer.alloc(9), Buffer.from(token(1))]));
    made.write('b.txt', Buffer.from(`\uFEFF${token(2)}`, 'utf16le'));
    made.write('c.gz', gzipSync(token(3)));
    made.write('d.yaml', `data: ${Buffer.from(token(4)).toString('base64')}`);
    made.commit('e.ts', `const t = '${token(5).slice(0, half)}' +\n  '${token(5).slice(half)}';`);
    const summary = await scan(made);
    assert.deepEqual(
      summary.findings.map(({ location, message }) => `${location}${/characters(.*?)\./.exec(message)?.[1]}`),
      ['a.bin', 'b.txt as UTF-16', 'c.gz inside gzip', 'd.yaml in base64', 'e.ts split into parts'],
    );
  });

  it('one of every kind, and no report shows one or says more than its length class', async (t) => {
    const made = repository(t);
    const secrets: string[] = [];
    for (const [kind, make] of Object.entries(POSITIVES)) {
      const { text, secret, path = 'file' } = make(new Maker(11));
      if (secret.length > 6) secrets.push(secret);
      made.write(join(kind.replaceAll(/\W+/g, '-'), path), text);
    }
    const summary = await scan(made);
    const found = new Set(summary.findings.map(({ location }) => location.split('/')[0]));
    assert.equal(found.size, Object.keys(POSITIVES).length);
    const report = JSON.stringify(summary);
    for (const secret of secrets) assert.ok(!report.includes(secret));
  });

  it('nothing is found where nothing is', async (t) => {
    const made = repository(t);
    for (const [index, { text, path = 'a' }] of negatives(new Maker(3)).entries()) made.write(`${index}/${path}`, text);
    assert.deepEqual((await scan(made)).findings, []);
  });

  it('secretlint finds what only it knows; its comments switch nothing off', async (t) => {
    const made = repository(t);
    const vercel = `vcp_${new Maker(1).base62(56)}`;
    made.write('a.ts', `/* secretlint-disable */\nconst t = '${token()}';\nconst VERCEL_TOKEN = '${vercel}';\n`);
    const rules = (await scan(made)).findings.map(({ rule }) => rule);
    assert.ok(rules.includes('github-token'));
    assert.equal(rules.length, 2);
  });
});

const file = (fingerprint: string, more = ''): string =>
  `format: holdfast-secrets/v1\nsuppressions:\n  - fingerprint: ${fingerprint}\n    reason: revoked on 2026-05-01, replaced in the vault\n    owner: ada\n${more}`;

describe('R-24: suppressions', () => {
  it('a revoked secret is still found, shown with reason and owner, and stays so when lines move', async (t) => {
    const made = repository(t);
    made.commit('a.env', token());
    const fingerprint = (await scan(made)).findings[0]!.fingerprint;
    made.write('.holdfast-secrets.yaml', file(fingerprint));
    made.write('a.env', `# moved\n\n${token()}`);
    const { findings } = await scan(made);
    assert.equal(findings.length, 1);
    assert.deepEqual(findings[0]?.suppressed, { reason: 'revoked on 2026-05-01, replaced in the vault', owner: 'ada' });
  });

  it('does not cover another secret in the same file, nor the same one elsewhere', async (t) => {
    const made = repository(t);
    made.write('a.env', token(1));
    made.write('.holdfast-secrets.yaml', file((await scan(made)).findings[0]!.fingerprint));
    made.write('a.env', `${token(1)}\n${token(2)}\n`);
    made.write('b.env', token(1));
    const open = (await scan(made)).findings.filter(({ suppressed }) => suppressed === null);
    assert.deepEqual(
      open.map(({ location }) => location),
      ['a.env', 'b.env'],
    );
  });

  it('an unused one and an expired one are findings; the last day still counts', async (t) => {
    const made = repository(t);
    made.write('.holdfast-secrets.yaml', file('ab'.repeat(32)));
    assert.deepEqual(places(await scan(made)), ['suppression-unused .holdfast-secrets.yaml']);
    made.write('a.env', token());
    made.write('.holdfast-secrets.yaml', 'format: holdfast-secrets/v1\nsuppressions: []\n');
    const { fingerprint } = (await scan(made)).findings[0]!;
    made.write('.holdfast-secrets.yaml', file(fingerprint, '    expires: 2026-06-01\n'));
    assert.equal((await scan(made)).findings.filter(({ suppressed }) => suppressed === null).length, 0);
    made.write('.holdfast-secrets.yaml', file(fingerprint, '    expires: 2026-05-31\n'));
    assert.deepEqual(
      (await scan(made)).findings.map(({ rule, severity, suppressed }) => [rule, severity, suppressed]),
      [
        ['github-token', 'P0', null],
        ['suppression-expired', 'P2', null],
      ],
    );
  });

  it('a file that is not valid stops the scan', async (t) => {
    const made = repository(t);
    made.write('.holdfast-secrets.yaml', 'format: holdfast-secrets/v1\nsuppressions:\n  - fingerprint: "*"\n');
    await assert.rejects(scan(made), (error) => hasCode(error, 'ERR_SCAN_INPUT'));
  });
});

describe('R-24: what was not seen is never clean', () => {
  it('no file at all is inconclusive', async (t) => {
    const { state, reasons } = await scan(new TestRepository(temporaryDirectory(t)));
    assert.equal(state, 'inconclusive');
    assert.match(reasons.join(), /nothing was scanned/);
  });

  it('a shallow clone and a partial clone are inconclusive, and nothing is fetched', async (t) => {
    const made = repository(t);
    made.commit('a.env', token());
    made.remove('a.env');
    made.git('config', 'uploadpack.allowFilter', 'true');
    for (const [option, reason] of [
      ['--depth=1', /shallow/],
      ['--filter=blob:none', /partial/],
    ] as const) {
      const clone = temporaryDirectory(t);
      made.git('clone', '-q', '--no-local', option, `file://${made.path}`, clone);
      const summary = await scan({ path: clone } as TestRepository);
      assert.equal(summary.state, 'inconclusive');
      assert.match(summary.reasons.join(), reason);
    }
  });

  it('too large a file, a submodule, a repository within and a pipe are named', async (t) => {
    const made = repository(t);
    made.commit('large.txt', 'x'.repeat(2_000));
    made.remove('large.txt');
    made.commit('large.txt', 'y'.repeat(2_000));
    made.git('update-index', '--add', '--cacheinfo', `160000,${made.git('rev-parse', 'HEAD')},sub`);
    mkdirSync(join(made.path, 'nested'));
    new TestRepository(join(made.path, 'nested')).commit('x', 'x');
    rmSync(join(made.path, 'main.ts'));
    execFileSync('mkfifo', [join(made.path, 'main.ts')]);
    const summary = await scan(made, { maxFileBytes: 1_000 });
    const { coverage, state, findings } = summary;
    assert.equal(state, 'complete');
    const skipped = coverage.skipped.map(
      ({ path, reason }) => `${path.replace(/^[0-9a-f]{40}:/, '')}: ${reason.slice(0, 14)}`,
    );
    assert.deepEqual(skipped.toSorted(), [
      'large.txt: it is larger t',
      'large.txt: it is larger t',
      'large.txt: it is larger t',
      'main.ts: no regular fil',
      'nested/: another reposi',
      'sub: a submodule: s',
    ]);
    const places = findings.map(({ rule, severity, location }) => `${rule} ${severity} ${location.split(':').at(-1)}`);
    const wanted = ['large.txt', 'main.ts', 'nested/', 'sub'].map((path) => `not-scanned P2 ${path}`);
    assert.deepEqual(places.toSorted(), wanted, 'each once, whatever versions of it there are');
  });

  it('what was not looked at is a finding until somebody answers for it, by what it is and why', async (t) => {
    const made = repository(t);
    made.commit('movie.bin', 'x'.repeat(2_000));
    const [found, ...more] = (await scan(made, { maxFileBytes: 1_000 })).findings;
    assert.deepEqual([found?.rule, found?.severity, found?.suppressed, more], ['not-scanned', 'P2', null, []]);
    assert.match(found?.message ?? '', /larger than/);
    const suppression = `{ fingerprint: ${found?.fingerprint}, reason: watched it on 2026-05-30, owner: ann }`;
    made.commit('.holdfast-secrets.yaml', `format: holdfast-secrets/v1\nsuppressions: [${suppression}]\n`);
    const answered = await scan(made, { maxFileBytes: 1_000 });
    assert.deepEqual(
      answered.findings.map(({ suppressed }) => suppressed?.owner),
      ['ann'],
    );
    assert.ok(
      answered.coverage.skipped.some(({ path }) => path === 'movie.bin'),
      'it is still listed',
    );
    made.commit('other.bin', 'y'.repeat(2_000));
    const both = await scan(made, { maxFileBytes: 1_000 });
    const owners = both.findings.map(({ location, suppressed }) => `${location} ${suppressed?.owner ?? 'nobody'}`);
    assert.deepEqual(owners.toSorted(), ['movie.bin ann', 'other.bin nobody']);
  });

  it('a missing object is an error or inconclusive, never clean', async (t) => {
    const made = repository(t);
    made.commit('a.txt', 'first');
    const blob = made.git('rev-parse', 'HEAD:a.txt');
    made.commit('a.txt', 'second');
    const path = join(made.path, '.git/objects', blob.slice(0, 2), blob.slice(2));
    chmodSync(path, 0o600);
    rmSync(path);
    const { state, reasons } = await scan(made);
    assert.equal(state, 'inconclusive');
    assert.match(reasons.join(), /missing/);
  });

  it('a directory that is no repository is refused', async (t) => {
    await assert.rejects(scan({ path: temporaryDirectory(t) } as TestRepository), (error) =>
      hasCode(error, 'ERR_SCAN_INPUT'),
    );
  });

  it('an abort ends it', async (t) => {
    const { path } = repository(t);
    const repo = await openGitRepository(path, AbortSignal.timeout(10_000));
    await assert.rejects(
      scanSecrets({ repository: repo }, { nowMs: NOW_MS }, AbortSignal.abort(new Error('stop'))),
      /stop/,
    );
  });
});

describe('R-24: hostile repositories', () => {
  it('runs nothing of theirs: fsmonitor, hooks, filters, aliases, signature programs', async (t) => {
    const made = repository(t);
    const witness = join(made.path, '.git/ran');
    const program = join(made.path, '.git/program');
    writeFileSync(program, `#!/bin/sh\ntouch ${witness}\n`, { mode: 0o755 });
    for (const key of [
      'core.fsmonitor',
      'core.sshCommand',
      'gpg.program',
      'diff.external',
      'core.pager',
      'filter.x.clean',
      'filter.x.smudge',
      'diff.x.textconv',
      'diff.x.command',
    ]) {
      made.git('config', key, program);
    }
    made.git('config', 'log.showSignature', 'true');
    made.write('.gitattributes', '* filter=x diff=x\n');
    await scan(made);
    assert.throws(() => execFileSync('stat', [witness], { stdio: 'ignore' }));
  });

  it('neither grafts nor replaced objects hide a commit', async (t) => {
    const made = repository(t);
    const commit = made.commit('a.env', token());
    made.remove('a.env');
    const tip = made.git('rev-parse', 'HEAD');
    made.write('.git/info/grafts', `${tip}\n`);
    made.git('replace', commit, made.git('rev-parse', `${commit}^`));
    made.git('update-ref', '-d', `refs/replace/${'0'.repeat(40)}`);
    assert.deepEqual(places(await scan(made)), [`github-token ${commit}:a.env`]);
  });

  it('a symlink is its target text, and a directory that became one is not followed', async (t) => {
    const made = repository(t);
    const outside = temporaryDirectory(t);
    writeFileSync(join(outside, 'x.env'), token(1));
    made.commit('conf/x.env', CLEAN);
    rmSync(join(made.path, 'conf'), { recursive: true });
    symlinkSync(outside, join(made.path, 'conf'));
    symlinkSync(join(outside, 'x.env'), join(made.path, 'link'));
    symlinkSync(`/nowhere/${token(2)}`, join(made.path, 'telling'));
    assert.deepEqual(places(await scan(made)), ['github-token telling']);
  });

  it('a work tree that the repository puts elsewhere is refused', async (t) => {
    const made = repository(t);
    made.git('config', 'core.worktree', temporaryDirectory(t));
    await assert.rejects(scan(made), (error) => hasCode(error, 'ERR_SCAN_INPUT'));
  });

  it('names with line ends, quotes and control characters are read and shown harmless', async (t) => {
    const made = repository(t);
    made.commit('a\nb\t"c"\u001B[31m.txt', token());
    assert.deepEqual(places(await scan(made)), ['github-token a?b?"c"?[31m.txt']);
  });
});
