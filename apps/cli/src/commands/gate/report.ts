/** `holdfast gate report`: what the records come to, for people and for other tools. */
import { writeFileSync } from 'node:fs';
import { HoldfastError } from '@holdfast/core';
import { type Assessment, type Gate, verdictJunit, verdictSarif } from '@holdfast/gate';
import type { CommandResult } from '../../output.ts';
import { assessNow, momentOf } from './assess-now.ts';
import { type GateOptions, openGate } from './opened-gate.ts';
import { refused } from './refusal.ts';
import { reportHtml } from './report-html.ts';
import { packetTable, reasonLines } from './status.ts';

interface ReportOptions extends GateOptions {
  readonly format: string;
  readonly out?: string | undefined;
  readonly at?: string | undefined;
}

export async function report(options: ReportOptions, signal: AbortSignal): Promise<CommandResult> {
  const render = FORMATS.get(options.format);
  if (render === undefined)
    throw new HoldfastError(`--format takes ${[...FORMATS.keys()].join(', ')}`, { code: 'ERR_CLI_USAGE' });
  const nowMs = momentOf(options);
  const opened = await openGate(options, signal);
  const { freeze } = opened.board;
  if (freeze === null) {
    const reason = 'the gate file is not frozen: there is nothing to report on';
    throw refused('no report is written', [{ rule: 'R-03', reason }], '`holdfast gate freeze`');
  }
  const assessment = assessNow(opened, nowMs);
  const text = render(freeze.gate, assessment);
  if (options.out === undefined) return { data: assessment, text };
  write(options.out, text);
  return { data: { written: options.out }, text: `${options.out} is written` };
}

function write(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (cause) {
    throw new HoldfastError('the report cannot be written there', {
      code: 'ERR_INPUT_INVALID',
      fields: { file },
      cause,
    });
  }
}

type Render = (gate: Gate, assessment: Assessment) => string;

const FORMATS: ReadonlyMap<string, Render> = new Map<string, Render>([
  ['text', reportText],
  ['html', reportHtml],
  ['sarif', (_gate, assessment) => verdictSarif(assessment)],
  ['junit', (_gate, assessment) => verdictJunit(assessment)],
]);

function reportText(
  gate: Gate,
  { standing, standingReasons, verdict, reasons, packets, candidate }: Assessment,
): string {
  return [
    `${gate.title} (${gate.id}), release ${gate.release}, commit ${candidate.commit}`,
    '',
    `${standing}  is what the last verdict is worth`,
    ...reasonLines(standingReasons),
    `${verdict}  is what a verdict would be now`,
    ...reasonLines(reasons),
    '',
    packetTable(packets),
  ].join('\n');
}
