/** `holdfast gate runbooks verify|drill`: whether runbooks hold at this commit, and whether they work. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { HoldfastError } from '@holdfast/core';
import { openSourceTree } from '@holdfast/gate';
import { SpawnCommandRunner, systemClock } from '@holdfast/host-linux';
import {
  drillRunbook,
  openCandidate,
  parseRunbook,
  RUNBOOK_RULES,
  type Runbook,
  type RunbookReport,
  verifyRunbooks,
} from '@holdfast/runbook';
import { SCAN_REPORT_FORMAT, type ScanFinding, type ScanSummary } from '@holdfast/scan';
import { type CommandResult, formatTable } from '../../output.ts';
import { findProgram } from './find-program.ts';
import { type ScanOptions, scanResult } from './scan-result.ts';

/** Below it, every Markdown file is a runbook. */
const RUNBOOKS = 'docs/runbooks/';
/** Programs that a runbook may start a file of the tree with. */
const TOOLS = ['node', 'python3', 'sh', 'bash'] as const;
/** Four times a year. */
const MAX_DRILL_AGE_DAYS = 92;
const DRILL_TIMEOUT_MS = 600_000;
const MAX_REASONS = 100;
const EXIT_FAILED = 20;

export async function verify(
  paths: readonly string[],
  options: ScanOptions,
  signal: AbortSignal,
): Promise<CommandResult> {
  const { root } = await openSourceTree(resolve(options.directory));
  const candidate = await openCandidate(
    { commands: new SpawnCommandRunner() },
    { git: findProgram('git'), root },
    signal,
  );
  const markdown = candidate.paths.filter((path) => path.endsWith('.md'));
  const runbooks = paths.length > 0 ? paths : markdown.filter((path) => path.startsWith(RUNBOOKS));
  const verified = await verifyRunbooks(
    { candidate },
    {
      runbooks,
      documents: markdown.filter((path) => !runbooks.includes(path)),
      people: null,
      tools: TOOLS,
      drilled: new Map(),
      maxDrillAgeDays: MAX_DRILL_AGE_DAYS,
      nowMs: Date.now(),
    },
    signal,
  );
  return scanResult(summaryOf(verified), options);
}

/** The report that a gate reads, as scanners write it. */
function summaryOf({ runbooks, findings, files, bytes, skipped }: RunbookReport): ScanSummary {
  return {
    format: SCAN_REPORT_FORMAT,
    scanner: 'runbooks',
    rules: { name: 'holdfast-runbooks', version: '1', count: RUNBOOK_RULES.length },
    state: 'complete',
    reasons: runbooks.map(({ path, digest }) => `${path} ${digest}`).slice(0, MAX_REASONS),
    coverage: { files, bytes, commits: null, tags: null, packages: null, skipped: [...skipped] },
    database: null,
    findings: findings.map(({ rule, path, line, message }): ScanFinding => ({
      // Without the line: it moves with every edit above it.
      fingerprint: createHash('sha256')
        .update(JSON.stringify([rule, path, message]))
        .digest('hex'),
      rule,
      aliases: [],
      severity: 'P1',
      message,
      location: path,
      line,
      reachability: null,
      suppressed: null,
    })),
  };
}

interface DrillCommandOptions {
  readonly directory: string;
  readonly json?: boolean | undefined;
}

/** In a copy of the committed tree, which is gone afterwards. */
export async function drill(path: string, options: DrillCommandOptions, signal: AbortSignal): Promise<CommandResult> {
  const tree = await openSourceTree(resolve(options.directory));
  const { commit } = await tree.read('.gate', signal);
  await using copy = await tree.checkout(commit, signal);
  const runbook = readRunbook(copy.path, path);
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
  const rows = report.steps.map(({ phase, name, passed, expected, observed, tookMs, withinMs }) => [
    passed ? '✔' : '✘',
    phase,
    name,
    expected,
    observed,
    `${Math.round(tookMs)} of ${withinMs} ms`,
  ]);
  const text = [
    formatTable(['', 'phase', 'step', 'expected', 'observed', 'took'], rows),
    '',
    `${report.passed ? 'passed' : 'FAILED'}: ${path} at ${commit.slice(0, 12)}`,
    ...report.notDrilled.map(({ phase, name }) => `  not drilled, for a person: ${phase}, ${name}`),
  ].join('\n');
  return { data: { ...report, commit }, text, exitCode: report.passed ? 0 : EXIT_FAILED };
}

function readRunbook(root: string, path: string): Runbook {
  let text: string;
  try {
    text = readFileSync(resolve(root, path), 'utf8');
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
