/** How a scan ends, whichever scanner it was: as text, SARIF or the report a gate reads, and an exit code. */
import { HoldfastError } from '@holdfast/core';
import type { ScanFinding, ScanSummary } from '@holdfast/scan';
import { type CommandResult, formatTable } from '../../output.ts';
import { scanSarif } from './scan-sarif.ts';

export interface ScanOptions {
  readonly directory: string;
  readonly out: string;
  readonly report?: boolean | undefined;
  readonly fail?: boolean | undefined;
  readonly json?: boolean | undefined;
}

const EXIT_FOUND = 20;
/** what could not be looked at is never clean. */
const EXIT_INCONCLUSIVE = 30;
const MAX_SHOWN = 200;

export function scanResult(summary: ScanSummary, { out, report, fail }: ScanOptions): CommandResult {
  const open = summary.findings.filter(({ suppressed }) => suppressed === null);
  const found = fail === true && open.length > 0 ? EXIT_FOUND : 0;
  const exitCode = summary.state === 'complete' ? found : EXIT_INCONCLUSIVE;
  return { data: summary, text: render(summary, open, report === true ? 'json' : out), exitCode };
}

function render(summary: ScanSummary, open: readonly ScanFinding[], format: string): string {
  if (format === 'json') return JSON.stringify(summary);
  if (format === 'sarif') return JSON.stringify(scanSarif(summary), undefined, 2);
  if (format === 'text') return renderText(summary, open);
  throw new HoldfastError('--out takes text, sarif or json', { code: 'ERR_CLI_USAGE' });
}

function renderText(
  { state, reasons, coverage, findings, database, rules }: ScanSummary,
  open: readonly ScanFinding[],
): string {
  const rows = open
    .toSorted((one, other) => one.severity.localeCompare(other.severity))
    .slice(0, MAX_SHOWN)
    .map(({ severity, rule, location, line, reachability, message }) => [
      severity,
      rule,
      line === null ? location : `${location}:${line}`,
      reachability ?? '',
      message,
    ]);
  const { files, bytes, commits, tags, packages, skipped } = coverage;
  const counted: readonly (readonly [number | null, string])[] = [
    [files, 'files'],
    [bytes, 'bytes'],
    [commits, 'commits'],
    [tags, 'tags'],
    [packages, 'packages'],
  ];
  const looked = counted.flatMap(([count, what]) => (count === null ? [] : [`${count} ${what}`])).join(', ');
  const suppressed = findings.length - open.length;
  return [
    ...(rows.length === 0 ? [] : [formatTable(['', 'rule', 'where', 'reached', 'what'], rows), '']),
    `${state === 'complete' ? '' : 'INCONCLUSIVE: '}${open.length} found, ${suppressed} suppressed`,
    ...(open.length > MAX_SHOWN ? [`  only the first ${MAX_SHOWN} are shown: --out json has them all`] : []),
    ...reasons.map((reason) => `  ${reason}`),
    `looked at ${looked}, with ${rules.count} rules of ${rules.name} ${rules.version}`,
    ...(database === null ? [] : [`advisories as of ${database.exportedAt}, ${database.entries} of them`]),
    ...(skipped.length === 0
      ? []
      : [
          `${skipped.length} files could not be looked at, first ${skipped[0]?.path ?? ''}: ${skipped[0]?.reason ?? ''}`,
        ]),
  ].join('\n');
}
