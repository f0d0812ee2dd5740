import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { sha256Hex } from '@holdfast/crypto';
import { temporaryDirectory } from '@holdfast/testing';
import { GateSchema, MemoryGateLog, openSourceTree, runSession } from '../src/index.ts';
import type { GateCommand, GateLog, RecordOf, RunRecord, SandboxedCommands } from '../src/index.ts';
import { parse } from 'yaml';
import { ANN, freeze, gateText } from './sample-gate.ts';

const CLOCK = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };
const IGNORED = 'node_modules\nreport.*\n';

function git(directory: string, ...args: readonly string[]): void {
  const who = ['-c', 'user.name=Ann', '-c', 'user.email=ann@example.com', '-c', 'commit.gpgsign=false'];
  const { status, stderr } = spawnSync('git', [...who, ...args], { cwd: directory, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
}

/** A repository whose files are committed. */
function repository(t: TestContext, files: Readonly<Record<string, string>>): string {
  const root = temporaryDirectory(t);
  git(root, 'init', '-q');
  for (const [name, text] of Object.entries({ '.gitignore': IGNORED, ...files })) writeFileSync(join(root, name), text);
  git(root, 'add', '-A');
  git(root, 'commit', '-q', '-m', 'first');
  return root;
}

type CommandInput = Partial<Omit<GateCommand, 'argv'>> & { readonly argv: readonly string[] };
interface SessionOptions {
  readonly signal?: AbortSignal;
  readonly sandbox?: SandboxedCommands;
  readonly environment?: Readonly<Record<string, string>>;
  readonly mutations?: boolean;
  readonly log?: GateLog;
  readonly onOutput?: (text: string) => void;
}

/** Runs `inputs` as one session in `root`, with a log that was frozen before. */
async function run(root: string, inputs: readonly CommandInput[], options: SessionOptions = {}) {
  const commands = inputs.map((input, at) => ({ id: `c${at}`, kind: 'test', ...input }));
  const shape = parse(gateText()) as Record<string, unknown>;
  const environment = { pass: ['PATH', 'SECRET'], set: { GOFLAGS: '-mod=mod', FIXED: 'yes' } };
  const gate = GateSchema.parse({ ...shape, commands, environment, toolchain: TOOLS });
  const log = options.log ?? new MemoryGateLog(gate.id);
  if (log.records.length === 0) await log.append([freeze()], ANN);
  const records = await runSession(
    {
      log,
      tree: await openSourceTree(root),
      signer: ANN,
      clock: CLOCK,
      environment: { PATH: process.env['PATH'], NOT_PASSED: 'x', ...options.environment },
      sandbox: options.sandbox ?? null,
    },
    {
      gate,
      revision: 1,
      author: 'ann',
      role: 'implementer',
      packet: '01',
      commands: gate.commands,
      mutations: options.mutations ?? false,
    },
    {
      onStart: () => undefined,
      onOutput: (bytes) => options.onOutput?.(Buffer.from(bytes).toString()),
      onEnd: () => undefined,
    },
    options.signal ?? new AbortController().signal,
  );
  const [session] = records;
  assert.ok(session);
  const pack = await log.getObject(session.predicate.pack.digest);
  const out = (place: { at: number; kept: number }): string =>
    Buffer.from(pack.subarray(place.at, place.at + place.kept)).toString();
  return { log, records, session: session.predicate, runs: session.predicate.runs, out };
}

const TOOLS = [
  { name: 'sh', argv: ['/bin/sh', '-c', 'echo; echo sh 1.2; echo more'], release: 'sh 1.2' },
  { name: 'absent', argv: ['no-such-tool-anywhere'], release: '1' },
  { name: 'breaks', argv: ['/bin/sh', '-c', 'echo 1; exit 3'], release: '1' },
];
const sh = (script: string, more: Partial<GateCommand> = {}): CommandInput => ({
  ...more,
  argv: ['/bin/sh', '-c', script],
});
const only = (runs: readonly RunRecord[]): RunRecord => {
  assert.equal(runs.length, 1);
  const [first] = runs;
  assert.ok(first);
  return first;
};

/** Processes with `text` in their command line, other than this one. */
function processesWith(text: string): readonly string[] {
  return readdirSync('/proc').filter((name) => {
    try {
      return (
        Number(name) > 0 && Number(name) !== process.pid && readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(text)
      );
    } catch {
      return false; // it ended meanwhile
    }
  });
}

describe('runSession', () => {
  it('R-07: records what it measured, and nothing that anybody said', async (t) => {
    const root = repository(t, { 'a.txt': 'one\n' });
    const script = 'echo out; echo err >&2; echo "$FIXED$NOT_PASSED|$SECRET|$GOFLAGS|$PYTHONDONTWRITEBYTECODE"; exit 4';
    const environment = { SECRET: 'only-a-digest-1' };
    const { session, runs, out, log } = await run(root, [sh(script)], { environment });
    const record = only(runs);
    assert.equal(record.ending, 'itself');
    assert.equal(record.exitCode, 4);
    assert.equal(out(record.stdout), 'out\nyes|only-a-digest-1|-mod=mod -count=1|1\n');
    assert.equal(out(record.stderr), 'err\n');
    assert.equal(record.stdout.digest, sha256Hex(out(record.stdout)));
    assert.equal(record.before.dirtyFiles, 0);
    assert.deepEqual(record.before, record.after);
    assert.equal(session.cachesOff, true);
    assert.deepEqual(
      session.toolchain.map(({ name, version }) => [name, version]),
      [
        ['sh', 'sh 1.2'],
        ['absent', 'not found'],
        ['breaks', 'failed: itself, exit code 3'],
      ],
    );
    assert.deepEqual(
      log.records.map(({ kind }) => kind),
      ['freeze', 'attempt', 'command-run'],
    );
    assert.doesNotMatch(JSON.stringify(log.records), /only-a-digest/);
    const other = await run(root, [sh('exit 0')], { environment: { SECRET: 'only-a-digest-2' } });
    assert.notEqual(other.session.environmentDigest, session.environmentDigest);
  });

  it('R-08: a command that changes the tree or moves HEAD shows', async (t) => {
    const root = repository(t, { 'a.txt': 'one\n' });
    const commit = 'git -c user.name=x -c user.email=x@y -c commit.gpgsign=false commit -qam two';
    const { runs } = await run(root, [sh('echo two > a.txt'), sh(commit)]);
    assert.deepEqual(
      runs.map(({ before, after }) => [before.dirtyFiles, after.dirtyFiles]),
      [
        [0, 1],
        [1, 0],
      ],
    );
    assert.notEqual(runs[1]?.before.commit, runs[1]?.after.commit);
    assert.notEqual(runs[1]?.before.tree, runs[1]?.after.tree);
  });

  it('R-08: a command that deletes the repository is recorded, with a source that fits nothing', async (t) => {
    const root = repository(t, { 'a.txt': 'one\n' });
    const { after } = only((await run(root, [sh('rm -rf .git')])).runs);
    assert.deepEqual(after, { commit: '0'.repeat(40), tree: sha256Hex(''), dirtyFiles: 1 });
  });

  it('R-08: counts and hashes all of a flood, and keeps the first 16 MiB', async (t) => {
    const root = repository(t, {});
    const { stdout } = only((await run(root, [sh('head -c 100000000 /dev/zero')])).runs);
    assert.equal(stdout.bytes, 100_000_000);
    assert.equal(stdout.digest, sha256Hex(new Uint8Array(100_000_000)));
    assert.equal(stdout.kept, 16 * 1024 * 1024);
  });

  it('R-08: a time-out ends the command and its descendants, also those that ignore SIGTERM or left the group', async (t) => {
    const root = repository(t, {});
    const marker = `holdfast-${process.pid}-timeout`;
    const stubborn = `trap '' TERM; setsid sh -c 'trap "" TERM; : ${marker}; while :; do sleep 1; done' & : ${marker}; while :; do sleep 1; done`;
    const record = only((await run(root, [sh(stubborn, { timeoutSeconds: 1 })])).runs);
    assert.equal(record.ending, 'timeout');
    assert.deepEqual(processesWith(marker), []);
  });

  it('R-07: nothing outlives a command that ended by itself', async (t) => {
    const root = repository(t, {});
    const marker = `holdfast-${process.pid}-daemon`;
    const record = only((await run(root, [sh(`setsid sh -c ': ${marker}; sleep 300; :' & echo started`)])).runs);
    assert.deepEqual([record.ending, record.exitCode], ['itself', 0]);
    assert.deepEqual(processesWith(marker), []);
  });

  it('R-09: an abort is recorded as interrupted, and what came before it is sealed', async (t) => {
    const root = repository(t, {});
    const controller = new AbortController();
    const commands = [sh('echo first'), sh('echo ready; sleep 300'), sh('echo never')];
    const onOutput = (text: string): void => {
      if (text === 'ready\n') controller.abort();
    };
    const { runs, log } = await run(root, commands, { signal: controller.signal, onOutput });
    assert.deepEqual(
      runs.map(({ ending }) => ending),
      ['itself', 'interrupted'],
    );
    assert.equal(log.records.at(-1)?.kind, 'command-run');
  });

  it('R-08: what cannot be started is no result', async (t) => {
    const root = repository(t, { 'plain.txt': 'no program\n' });
    const commands = [
      { argv: ['no-such-program'] },
      { argv: ['./plain.txt'] },
      sh('exit 0', { cwd: 'nowhere' }),
      sh('exit 0', { sandbox: 'strict' }),
    ];
    const { runs } = await run(root, commands);
    for (const { ending, exitCode } of runs) assert.deepEqual([ending, exitCode], ['not-started', null]);
    assert.equal(runs.length, 4);
  });

  it('R-07: a command with a profile runs only through the sandbox', async (t) => {
    const root = repository(t, {});
    const profileHash = 'c'.repeat(64);
    const jobs: unknown[] = [];
    const sandbox: SandboxedCommands = {
      start: async (profile, tree, job) => {
        jobs.push([profile, tree, job.argv, job.cwd, job.env?.['FIXED']]);
        return {
          write: async () => undefined,
          end: async () => undefined,
          kill: () => undefined,
          stdout: bytes('inside'),
          stderr: bytes(''),
          result: Promise.resolve({
            exitCode: 0,
            signal: null,
            endedBy: 'itself',
            usage: { wallMs: 1, cpuMs: NONE, peakMemoryBytes: NONE, readBytes: NONE, writtenBytes: NONE },
            layers: [],
            profileHash,
            stdoutBytes: 6,
            stderrBytes: 0,
            truncated: false,
          }),
          [Symbol.asyncDispose]: async () => undefined,
        };
      },
    };
    const { runs, out } = await run(root, [sh('exit 9', { sandbox: 'strict' })], { sandbox });
    const record = only(runs);
    assert.deepEqual(record.sandbox, { profile: 'strict', profileHash });
    assert.deepEqual([record.exitCode, out(record.stdout)], [0, 'inside']);
    assert.deepEqual(jobs, [['strict', root, ['/bin/sh', '-c', 'exit 9'], root, 'yes']]);
  });

  it('R-07: reads executed tests from standard output and from files', async (t) => {
    const root = repository(t, {});
    const tap = "printf 'ok 1 - a\\nnot ok 2 - b\\nok 3 - c # SKIP\\n1..3\\n'";
    const xml = `echo '<testsuite tests="1"><testcase classname="A" name="x"/></testsuite>' > report.xml`;
    const { runs, log } = await run(root, [
      sh(tap, { report: { format: 'tap', from: 'stdout' } }),
      sh(xml, { report: { format: 'junit', from: 'report.xml' } }),
    ]);
    const counts = runs.map(({ tests, report }) => [report?.status, tests?.passed, tests?.failed, tests?.skipped]);
    assert.deepEqual(counts, [
      ['read', 1, 1, 1],
      ['read', 1, 0, 0],
    ]);
    const results = log.records.filter((record): record is RecordOf<'test-result'> => record.kind === 'test-result');
    assert.deepEqual(
      results.map(({ predicate }) => predicate.tests.map(({ id }) => id)),
      [['a', 'b', 'c'], ['A > x']],
    );
    assert.deepEqual(
      runs.map(({ after }) => after.dirtyFiles),
      [0, 0],
    );
  });

  it('R-15: a report path that names a tracked file, or one of git, costs nobody that file', async (t) => {
    const root = repository(t, { 'tracked.xml': '<testsuite><testcase name="old"/></testsuite>' });
    for (const from of ['tracked.xml', '.git/config']) {
      const text = readFileSync(join(root, from), 'utf8');
      const { report } = only((await run(root, [sh('echo x', { report: { format: 'junit', from } })])).runs);
      assert.equal(report?.status, 'missing');
      assert.equal(readFileSync(join(root, from), 'utf8'), text);
    }
  });

  const reports: { name: string; script: string; want: string }[] = [
    { name: 'an old file does not count', script: 'exit 0', want: 'missing' },
    { name: 'a symlink is not followed', script: 'ln -s /etc/shadow report.xml', want: 'missing' },
    { name: 'a pipe is not waited for', script: 'mkfifo report.xml', want: 'missing' },
    { name: 'a directory is no report', script: 'mkdir report.xml', want: 'missing' },
    { name: 'an empty file has no tests', script: ': > report.xml', want: 'empty' },
    { name: 'what does not parse counts as missing', script: 'echo "<x" > report.xml', want: 'malformed' },
    { name: 'a file without end is not read', script: 'truncate -s 1T report.xml', want: 'too-large' },
  ];
  for (const { name, script, want } of reports) {
    it(`R-08: of report files, ${name}`, async (t) => {
      const root = repository(t, {});
      writeFileSync(join(root, 'report.xml'), '<testsuite><testcase name="old"/></testsuite>');
      const { report, tests } = only(
        (await run(root, [sh(script, { report: { format: 'junit', from: 'report.xml' } })])).runs,
      );
      assert.deepEqual([report?.status, tests], [want, null]);
    });
  }

  it('R-09: counts the matches of a search by file', async (t) => {
    const root = repository(t, {});
    const search = "printf './a.ts:1:x\\na.ts:2:x\\nb:c.ts:1\\nBinary file matches\\n'";
    const { matches } = only((await run(root, [sh(search, { kind: 'search' })])).runs);
    assert.deepEqual(matches, { 'a.ts': 2, b: 1, 'Binary file matches': 1 });
  });

  it('R-08: sees a result that came from a cache', async (t) => {
    const root = repository(t, {});
    const { runs } = await run(root, [sh("printf 'ok  \\texample.com/a\\t(cached)\\n'"), sh('echo cached')]);
    assert.deepEqual(
      runs.map(({ cached }) => cached),
      [true, false],
    );
  });

  it('R-06: a gap-closing test is run again in a copy without the protection', async (t) => {
    const check = `if grep -q 'deny' auth.txt; then echo 'ok 1 - refuses'; else echo 'not ok 1 - refuses'; fi; echo 1..1`;
    const root = repository(t, {
      'auth.txt': 'deny all\n',
      'remove.patch': '--- a/auth.txt\n+++ b/auth.txt\n@@ -1 +1 @@\n-deny all\n+allow all\n',
    });
    const mutations = [
      { file: 'auth.txt', replace: 'deny', with: 'allow' },
      { patch: 'remove.patch' },
      { file: 'auth.txt', replace: 'l', with: '' },
      { file: 'absent.txt', replace: 'deny', with: 'allow' },
    ];
    const gapTests = mutations.map((mutation) => ({ test: 'refuses', mutation }));
    const command = sh(check, { report: { format: 'tap', from: 'stdout' }, gapTests });
    const { runs, records } = await run(root, [command], { mutations: true });
    assert.equal(only(runs).tests?.passed, 1);
    const mutated = records[1]?.predicate;
    assert.equal(mutated?.role, 'mutation');
    assert.deepEqual(
      mutated.runs.map(({ ending, tests, before }) => [ending, tests?.failed, before.dirtyFiles]),
      [
        ['itself', 1, 1],
        ['itself', 1, 1],
        ['not-started', undefined, 0], // it occurs twice
        ['not-started', undefined, 0],
      ],
    );
    assert.equal(readFileSync(join(root, 'auth.txt'), 'utf8'), 'deny all\n');
  });

  it('R-06: the copy borrows installed packages, and resolves those of the repository to itself', async (t) => {
    const root = repository(t, { 'guard.txt': 'deny\n' });
    for (const path of ['node_modules/@own', 'node_modules/lib', 'node_modules/.cache']) {
      mkdirSync(join(root, path), { recursive: true });
    }
    writeFileSync(join(root, 'node_modules/lib/index'), 'lib\n');
    symlinkSync('../..', join(root, 'node_modules/@own/shop'));
    const script = 'cat node_modules/lib/index node_modules/@own/shop/guard.txt; ls -A node_modules';
    const gapTests = [{ test: 'x', mutation: { file: 'guard.txt', replace: 'deny', with: 'allow' } }];
    const { records, log } = await run(root, [sh(script, { gapTests })], { mutations: true });
    const pack = await log.getObject(records[1]?.predicate.pack.digest ?? '');
    assert.equal(Buffer.from(pack).toString(), 'lib\nallow\n@own\nlib\n');
  });

  it('R-24: reads the report of a scanner into a record of its own', async (t) => {
    const root = repository(t, { 'scan.json': JSON.stringify(SCAN) });
    const scan: Partial<GateCommand> = { kind: 'scan', report: { format: 'scan', from: 'stdout' } };
    const commands = [sh('cat scan.json', scan), sh("echo '{}'", scan)];
    const { runs, log } = await run(root, commands);
    assert.deepEqual(
      runs.map(({ report }) => report?.status),
      ['read', 'malformed'],
    );
    const results = log.records.filter((record) => record.kind === 'scan-result');
    assert.deepEqual(
      results.map(({ predicate }) => predicate.scan),
      [SCAN],
    );
  });

  it('R-09: a runner that was killed leaves the attempt, and no process of its group', async (t) => {
    const root = repository(t, {});
    const marker = `holdfast-${process.pid}-killed`;
    const child = spawn(process.execPath, [join(import.meta.dirname, 'killed-runner.ts'), root, marker], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.after(() => child.kill('SIGKILL'));
    const [said] = (await once(child.stdout, 'data')) as [Buffer];
    assert.equal(said.toString(), 'attempt running\n');
    assert.notDeepEqual(processesWith(`: ${marker}`), []);
    child.kill('SIGKILL');
    for (let polls = 0; polls < 100 && processesWith(`: ${marker}`).length > 0; polls++) await wait(50);
    assert.deepEqual(processesWith(`: ${marker}`), []);
  });
});

async function* bytes(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

const SCAN = {
  format: 'holdfast-scan/v1',
  scanner: 'secrets',
  rules: { name: 'rules', version: '1', count: 1 },
  state: 'complete',
  reasons: [],
  coverage: { files: 1, bytes: 4, commits: 1, tags: 0, packages: null, skipped: [] },
  database: null,
  findings: [],
};
const NONE = { unknown: 'not measured' };
