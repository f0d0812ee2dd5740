/** `holdfast gate runbooks drill`: whether a runbook works, done in a copy of the commit and put on record. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { HoldfastError } from '@holdfast/core';
import { type NewRecord, openSourceTree, type PredicateOf, type Source } from '@holdfast/gate';
import { systemClock } from '@holdfast/host-linux';
import { type DrillReport, drillRunbook, parseRunbook, type Runbook, verifyRunbooks } from '@holdfast/runbook';
import { type CommandResult, formatTable } from '../../output.ts';
import { appendDecided } from './append-decided.ts';
import { findProgram } from './find-program.ts';
import { identify, type SigningOptions } from './opened-gate.ts';
import { refused } from './refusal.ts';
import { candidateIn, gateHere, pathInTree, TOOLS } from './runbook-files.ts';

const DRILL_TIMEOUT_MS = 600_000;
const MAX_NAME_CHARS = 300;
const EXIT_FAILED = 20;

interface DrillCommandOptions extends SigningOptions {
  readonly record: boolean;
}

/** In a copy of the committed tree, which is gone afterwards. */
export async function drill(path: string, options: DrillCommandOptions, signal: AbortSignal): Promise<CommandResult> {
  const opened = options.record ? await gateHere(options, signal) : null;
  const isRecorded = opened !== null && opened.board.freeze !== null;
  if (isRecorded) identify(opened, options);
  const tree = opened?.tree ?? (await openSourceTree(resolve(options.directory)));
  const source = opened?.source ?? (await tree.read('.gate', signal));
  if (isRecorded && source.dirtyFiles > 0) throw notOfOneCommit(`${source.dirtyFiles} files differ from the commit`);
  const file = pathInTree(tree.root, options.directory, path);
  await using copy = await tree.checkout(source.commit, signal);
  const runbook = readRunbook(copy.path, file);
  // Before the drill, whose steps may change the copy.
  const digest = await digestOf(copy.path, file, signal);
  const report = await drillRunbook(
    {
      clock: systemClock(),
      onOutput: (bytes) => {
        if (options.json !== true) process.stderr.write(bytes);
      },
    },
    runbook,
    { root: copy.path, tools: toolPaths(), env: {}, timeoutMs: DRILL_TIMEOUT_MS },
    signal,
  );
  const why = isRecorded ? null : whyNot(options, opened === null);
  const record = isRecorded && report.steps.length > 0 ? await put(report, { source, digest }, options, signal) : null;
  const text = [
    ...shown(report),
    `${report.passed ? 'passed' : 'FAILED'}: ${file} at ${source.commit.slice(0, 12)}`,
    ...report.notDrilled.map(({ phase, name }) => `  not drilled, for a person: ${phase}, ${name}`),
    record === null ? `not recorded: ${why ?? 'no step of it can be drilled'}` : `recorded, signed by ${record.author}`,
  ].join('\n');
  const data = { ...report, commit: source.commit, digest, recorded: record !== null };
  return { data, text, exitCode: report.passed ? 0 : EXIT_FAILED };
}

function whyNot({ record, file }: DrillCommandOptions, hasNoGate: boolean): string {
  if (!record) return 'as --no-record says';
  return hasNoGate ? `there is no ${file} here` : 'the gate file is not frozen yet: `holdfast gate freeze`';
}

const notOfOneCommit = (reason: string): HoldfastError =>
  refused('the drill is not recorded', [{ rule: 'R-08', reason }], 'commit and drill again, or give --no-record');

/** @throws `ERR_GATE_RULE` when the tree is another one than was drilled */
async function put(
  report: DrillReport,
  { source, digest }: { readonly source: Source; readonly digest: string },
  options: SigningOptions,
  signal: AbortSignal,
): Promise<PredicateOf<'runbook-drill'>> {
  const { decided } = await appendDecided(options, signal, (now, _identity, header) => {
    if (now.source.tree !== source.tree || now.source.dirtyFiles > 0)
      throw notOfOneCommit('the sources changed while the runbook was drilled');
    const steps = report.steps.map(recordOfStep);
    const predicate = { ...header, runbook: report.runbook, digest, source, steps, simulated: false };
    const batch: readonly NewRecord[] = [{ kind: 'runbook-drill', predicate }];
    return { batch, predicate };
  });
  return decided.predicate;
}

type Step = PredicateOf<'runbook-drill'>['steps'][number];
const recordOfStep = ({ name, phase, expected, observed, withinMs, tookMs, passed }: Step): Step => ({
  name: name.slice(0, MAX_NAME_CHARS),
  phase,
  expected,
  observed,
  withinMs,
  tookMs,
  passed,
});

async function digestOf(root: string, file: string, signal: AbortSignal): Promise<string> {
  const { runbooks } = await verifyRunbooks(
    { candidate: await candidateIn(root, signal) },
    {
      runbooks: [file],
      documents: [],
      people: null,
      tools: TOOLS,
      drilled: null,
      maxDrillAgeDays: 0,
      nowMs: Date.now(),
    },
    signal,
  );
  const [verified] = runbooks;
  if (verified !== undefined) return verified.digest;
  throw new HoldfastError('the runbook is no regular file of the commit', { code: 'ERR_RUNBOOK', fields: { file } });
}

function shown({ steps }: DrillReport): string[] {
  const rows = steps.map(({ phase, name, passed, expected, observed, tookMs, withinMs }) => [
    passed ? '✔' : '✘',
    phase,
    name,
    expected,
    observed,
    `${Math.round(tookMs)} of ${withinMs} ms`,
  ]);
  return [formatTable(['', 'phase', 'step', 'expected', 'observed', 'took'], rows), ''];
}

function readRunbook(root: string, path: string): Runbook {
  let text: string;
  try {
    text = readFileSync(join(root, path), 'utf8');
  } catch (cause) {
    throw new HoldfastError('the commit has no such runbook', { code: 'ERR_RUNBOOK', fields: { path }, cause });
  }
  const { runbook, problems } = parseRunbook(text, path);
  if (runbook !== null) return runbook;
  const reason = problems.map(({ line, message }) => `\n    line ${line}: ${message}`).join('');
  throw new HoldfastError('the runbook is not valid', { code: 'ERR_RUNBOOK', fields: { path, reason } });
}

function toolPaths(): ReadonlyMap<string, string> {
  return new Map(
    TOOLS.flatMap((name): [string, string][] => {
      const path = findProgram(name, null);
      return path === null ? [] : [[name, path]];
    }),
  );
}
