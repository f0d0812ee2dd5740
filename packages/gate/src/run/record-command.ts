/** Runs one command of a session and writes down what happened. */
import { randomBytes } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { canonicalJson, type Clock, formatUuidV7, hasCode } from '@holdfast/core';
import { sha256Hex } from '@holdfast/crypto';
import type { ScanSummary } from '@holdfast/scan';
import { commandDigest } from '../gate-file/definition-digest.ts';
import type { GateCommand } from '../gate-file/gate-schema.ts';
import type { RunRecord, Source, TestResult } from '../records/run-record.ts';
import type { CommandEnvironment } from './command-environment.ts';
import { executeConfined, type SandboxedCommands } from './confined.ts';
import { execute, type ExecuteOptions, type Execution } from './execute.ts';
import { findExecutable } from './find-executable.ts';
import { countMatches, showsCache } from './output-signs.ts';
import { discardReport, readReport as readReportFile, type ReportFile } from './report-file.ts';
import { type ReadReport, readReport } from './read-report.ts';
import type { SessionObserver, SourceTree } from './runner.ts';
import { CapturedStream, type SessionPack } from './session-pack.ts';
import type { Watchdog } from './watchdog.ts';

/** Where a command runs: the work tree, or a changed copy of it. */
export interface RunPlace {
  readonly tree: Pick<SourceTree, 'root' | 'read'>;
  /** The records' directory. */
  readonly exclude: string;
  readonly environment: CommandEnvironment;
  readonly pack: SessionPack;
  readonly watchdog: Watchdog;
  readonly clock: Clock;
  readonly sandbox: SandboxedCommands | null;
}

export type AppliedMutation = NonNullable<RunRecord['mutation']> & {
  /** A mutation that does not apply proves nothing: the command is not started. */
  readonly isApplied: boolean;
};

export interface RecordedRun {
  readonly run: RunRecord;
  readonly tests: readonly TestResult[] | null;
  readonly scan: ScanSummary | null;
}

/** @param before the source as it was read last; nothing of ours ran since */
export async function recordCommand(
  place: RunPlace,
  command: GateCommand,
  before: Source,
  mutation: AppliedMutation | null,
  observer: SessionObserver,
  signal: AbortSignal,
): Promise<RecordedRun> {
  const { tree, exclude, clock, pack } = place;
  observer.onStart(command);
  const { report: wanted } = command;
  if (wanted !== null && wanted.from !== 'stdout' && !signal.aborted)
    await discardReport(tree.root, wanted.from, signal);
  const startedMs = clock.wallMs();
  const id = formatUuidV7(startedMs, randomBytes(10));
  const [stdout, stderr] = [new CapturedStream(), new CapturedStream()];
  const execution =
    mutation?.isApplied === false
      ? NOT_STARTED
      : await executeIn(place, command, id, { stdout, stderr }, observer, signal);
  const packed = { stdout: pack.add(stdout), stderr: pack.add(stderr) };
  const output = Buffer.concat([stdout.kept(), stderr.kept()]).toString();
  const report =
    command.report === null ? null : await takeReport(place, command.report, packed.stdout, stdout, startedMs);
  const after = await readSource(tree, exclude);
  const { ending, exitCode, signal: killedBy, durationMs, sandbox } = execution;
  const run: RunRecord = {
    id,
    command: command.id,
    commandDigest: commandDigest(command),
    argv: [...command.argv],
    mutation: mutation === null ? null : { test: mutation.test, digest: mutation.digest },
    before,
    after,
    startedAt: new Date(startedMs).toISOString(),
    durationMs: Math.max(0, durationMs),
    ending,
    exitCode,
    signal: killedBy,
    ...packed,
    report: report?.record ?? null,
    tests: report === null || report.tests === null ? null : countTests(report.tests),
    cached: report?.cached === true || showsCache(output),
    matches: command.kind === 'search' ? countMatches(Buffer.from(stdout.kept()).toString()) : null,
    sandbox,
  };
  observer.onEnd(command, run);
  return { run, tests: report?.tests ?? null, scan: report?.scan ?? null };
}

/** After an abort the tree is still read, so that the record says what was left; but not for ever. */
const READ_TIMEOUT_MS = 60_000;

/**
 * What stands in a record when a command left no repository to read: git's null id, the digest of
 * nothing, and dirty, so that it fits no candidate.
 */
const UNREADABLE: Source = { commit: '0'.repeat(40), tree: sha256Hex(''), dirtyFiles: 1 };

async function readSource(tree: RunPlace['tree'], exclude: string): Promise<Source> {
  const signal = AbortSignal.timeout(READ_TIMEOUT_MS);
  try {
    return await tree.read(exclude, signal);
  } catch (error) {
    if (hasCode(error, 'ERR_GATE_SOURCE') || signal.aborted) return UNREADABLE;
    throw error;
  }
}

const NOT_STARTED: Execution = { ending: 'not-started', exitCode: null, signal: null, durationMs: 0, sandbox: null };

async function executeIn(
  place: RunPlace,
  command: GateCommand,
  run: string,
  streams: Record<'stdout' | 'stderr', CapturedStream>,
  observer: SessionObserver,
  signal: AbortSignal,
): Promise<Execution> {
  if (signal.aborted) return { ...NOT_STARTED, ending: 'interrupted' };
  const { tree, environment, clock, sandbox, watchdog } = place;
  const { argv } = command;
  const cwd = await directoryIn(tree.root, command.cwd);
  const program = cwd === null ? null : await findExecutable(argv[0] ?? '', environment.variables['PATH'] ?? '', cwd);
  if (cwd === null || program === null) return NOT_STARTED;
  const tee = (name: 'stdout' | 'stderr'): ExecuteOptions['stdout'] => ({
    write: (bytes) => {
      streams[name].write(bytes);
      observer.onOutput(bytes, name);
    },
  });
  const options: ExecuteOptions = {
    run,
    program,
    argv,
    cwd,
    environment: environment.variables,
    timeoutMs: command.timeoutSeconds * 1_000,
    watchdog,
    stdout: tee('stdout'),
    stderr: tee('stderr'),
  };
  if (command.sandbox === null) return execute(clock, options, signal);
  return executeConfined(clock, sandbox, command.sandbox, tree.root, options, signal);
}

/** The directory with its symlinks resolved, if it is there and below the root. */
async function directoryIn(root: string, path: string): Promise<string | null> {
  try {
    const [base, directory] = await Promise.all([realpath(root), realpath(join(root, path))]);
    return directory === base || directory.startsWith(base + sep) ? directory : null;
  } catch {
    return null; // no such directory
  }
}

type TakenReport = ReadReport & { readonly record: NonNullable<RunRecord['report']> };

async function takeReport(
  { tree, pack }: RunPlace,
  report: NonNullable<GateCommand['report']>,
  place: RunRecord['stdout'],
  stdout: CapturedStream,
  startedMs: number,
): Promise<TakenReport> {
  if (report.from === 'stdout') {
    const file: ReportFile = stdout.whole ? { status: 'read', bytes: stdout.kept() } : { status: 'too-large' };
    const read = readReport(report, file, tree.root);
    return { ...read, record: { format: report.format, status: read.status, ...place } };
  }
  const file = await readReportFile(tree.root, report.from, startedMs);
  const read = readReport(report, file, tree.root);
  const packed = pack.add(CapturedStream.of(file.status === 'read' ? file.bytes : new Uint8Array()));
  return { ...read, record: { format: report.format, status: read.status, ...packed } };
}

function countTests(tests: readonly TestResult[]): NonNullable<RunRecord['tests']> {
  const count = (status: TestResult['status']): number => tests.filter((test) => test.status === status).length;
  return {
    passed: count('passed'),
    failed: count('failed'),
    skipped: count('skipped'),
    digest: sha256Hex(canonicalJson(tests.map(({ id, status }) => ({ id, status })))),
  };
}
