/** `holdfast gate runbooks verify`: whether runbooks hold at this commit, and were drilled as they are. */
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { HoldfastError } from '@holdfast/core';
import { openSourceTree } from '@holdfast/gate';
import { RUNBOOK_RULES, type RunbookReport, verifyRunbooks } from '@holdfast/runbook';
import { SCAN_REPORT_FORMAT, type ScanFinding, type ScanSummary } from '@holdfast/scan';
import type { CommandResult } from '../../output.ts';
import { candidateIn, drillsOnRecord, gateHere, pathInTree, TOOLS } from './runbook-files.ts';
import { type ScanOptions, scanResult } from './scan-result.ts';

/** Below it, every Markdown file is a runbook. */
const RUNBOOKS = 'docs/runbooks/';
const MAX_REASONS = 100;

interface VerifyCommandOptions extends ScanOptions {
  readonly file: string;
  readonly maxDrillAge: number;
}

/** With a gate file, people are those of the gate and only drills on record count; without one, runbooks speak for themselves. */
export async function verify(
  paths: readonly string[],
  options: VerifyCommandOptions,
  signal: AbortSignal,
): Promise<CommandResult> {
  const { directory, maxDrillAge } = options;
  if (!Number.isInteger(maxDrillAge) || maxDrillAge < 1)
    throw new HoldfastError('--max-drill-age takes a number of days', { code: 'ERR_CLI_USAGE' });
  const opened = await gateHere(options, signal);
  const { root } = opened?.tree ?? (await openSourceTree(resolve(directory)));
  const candidate = await candidateIn(root, signal);
  const markdown = candidate.paths.filter((path) => path.endsWith('.md'));
  const named = paths.map((path) => pathInTree(root, directory, path));
  const runbooks = named.length > 0 ? named : markdown.filter((path) => path.startsWith(RUNBOOKS));
  const verified = await verifyRunbooks(
    { candidate },
    {
      runbooks,
      documents: markdown.filter((path) => !runbooks.includes(path)),
      people: opened === null ? null : (opened.board.freeze?.gate ?? opened.gate).people,
      tools: TOOLS,
      drilled: opened === null ? null : await drillsOnRecord(opened, signal),
      maxDrillAgeDays: maxDrillAge,
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
    rules: { name: 'holdfast-runbooks', version: '2', count: RUNBOOK_RULES.length },
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
