/** What a person sees of a session while it runs: whole lines on standard error, each behind its command's id. */
import type { CommandRun, SessionObserver } from '@holdfast/gate';

export type Run = CommandRun['runs'][number];

/** @param isSilent for `--json`: whoever reads that does not watch */
export const observe = (isSilent: boolean): SessionObserver => (isSilent ? SILENT : shown());

const SILENT: SessionObserver = { onStart: () => {}, onOutput: () => {}, onEnd: () => {} };

/** Standard output is for the result. */
function shown(): SessionObserver {
  let prefix = '';
  let rest = '';
  let reportsOnOutput = false;
  const decoder = new TextDecoder();
  const print = (line: string): void => void process.stderr.write(`${prefix} │ ${printable(line)}\n`);
  return {
    onStart: ({ id, argv, report }) => {
      prefix = id;
      reportsOnOutput = report?.from === 'stdout';
      process.stderr.write(`${id} ▶ ${printable(argv.join(' '))}\n`);
    },
    onOutput: (bytes, stream) => {
      // A report is for the gate, thousands of lines long, and kept whole in the pack; what it says stands in the table.
      if (reportsOnOutput && stream === 'stdout') return;
      const lines = `${rest}${decoder.decode(bytes, { stream: true })}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) print(line);
    },
    onEnd: ({ id, exit }, run) => {
      if (rest !== '') print(rest);
      rest = '';
      process.stderr.write(`${id} ${isExpected(exit, run) ? '✔' : '✘'} ${endingOf(run)}, ${seconds(run)}\n`);
    },
  };
}

/** What a command prints must not move the cursor of whoever watches it. Tabs may stay. */
// oxlint-disable-next-line no-control-regex -- control characters are what this removes
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;
/** Of one line. The pack keeps all of it. */
const MAX_SHOWN_CHARS = 400;

function printable(text: string): string {
  const shown = text.length > MAX_SHOWN_CHARS ? `${text.slice(0, MAX_SHOWN_CHARS)}…` : text;
  return shown.replaceAll(CONTROL, '');
}

export const seconds = ({ durationMs }: Run): string => `${(durationMs / 1_000).toFixed(1)} s`;
export const isExpected = (exit: readonly number[], { exitCode }: Run): boolean =>
  exitCode !== null && exit.includes(exitCode);

export function endingOf({ ending, exitCode, signal }: Run): string {
  if (exitCode !== null) return `exit ${exitCode}`;
  return signal === null ? ending : `${ending} ${signal}`;
}
