/**
 * How every command ends: with one result, shown as text or as JSON, and an exit code; or with one
 * error line, what to do about it, and an exit code of sysexits(3).
 */
import { ERROR_CODES, isHoldfastError, type Remedy } from '@holdfast/core';

/** What a command came to. `data` goes to `--json`, `text` to a person. */
export interface CommandResult {
  readonly data: unknown;
  readonly text: string;
  /** 0 unless the answer itself is bad news, such as drift or a log that does not verify. */
  readonly exitCode?: number;
}

/** sysexits(3): 65 data error, 70 internal error, 75 try again, 77 not permitted. */
const EXIT_CODE_OF_REMEDY: Readonly<Record<Remedy, number>> = {
  'fix-input': 65,
  retry: 75,
  reauthenticate: 77,
  'give-up': 70,
};
const EXIT_INTERNAL = 70;
/** sysexits(3): the command line itself is wrong, whether the parser or a command says so. */
export const EXIT_USAGE = 64;

const ADVICE_OF_REMEDY: Readonly<Record<Remedy, string>> = {
  'fix-input': 'correct the input and run it again',
  retry: 'try again later',
  reauthenticate: 'sign in or enrol again',
  'give-up': 'trying again will not help',
};

export function printResult(result: CommandResult, asJson: boolean): void {
  const text = asJson ? `${JSON.stringify(result.data, undefined, 2)}\n` : ensureNewline(result.text);
  process.stdout.write(forTerminal(text));
  process.exitCode = result.exitCode ?? 0;
}

export function printError(error: unknown, asJson: boolean): void {
  if (!isHoldfastError(error)) {
    // Our own bug: the one place where a stack trace is worth more than a tidy line.
    process.stderr.write(`holdfast: internal error\n${error instanceof Error ? error.stack : String(error)}\n`);
    process.exitCode = EXIT_INTERNAL;
    return;
  }
  const { code, message, remedy, fields } = error;
  if (asJson) {
    process.stderr.write(`${JSON.stringify({ error: { code, message, remedy, fields } })}\n`);
  } else {
    const details = Object.entries(fields).map(([name, value]) => `\n  ${name}: ${String(value)}`);
    const lines = [`holdfast: ${message} [${code}]`, ...details.map((line) => line.slice(1))];
    const advice = `${ERROR_CODES[code].title.replace(/\.$/, '')}: ${ADVICE_OF_REMEDY[remedy]}; see docs/errors.md`;
    process.stderr.write(forTerminal(`${lines.join('\n')}\n  ${advice}\n`));
  }
  process.exitCode = code === 'ERR_CLI_USAGE' ? EXIT_USAGE : EXIT_CODE_OF_REMEDY[remedy];
}

/** Control characters but tab and newline, of both sets, and those that turn the direction of text around. */
// oxlint-disable-next-line no-control-regex -- control characters are what this shows
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/** What strangers wrote (a title, a path) is shown as it is: it must not move the cursor and write another verdict over ours. */
export const forTerminal = (text: string): string =>
  text.replaceAll(CONTROL, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** Columns as wide as their widest cell; the last one is not padded. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const format = (row: readonly string[]): string =>
    row
      .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd();
  return [header, ...rows].map(format).join('\n');
}

function ensureNewline(text: string): string {
  return text === '' || text.endsWith('\n') ? text : `${text}\n`;
}
