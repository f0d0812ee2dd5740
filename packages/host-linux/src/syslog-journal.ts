/**
 * The canary's way: in through the syslog socket with logger(1), as any program logs, and out of the
 * journal with journalctl(1).
 */
import { type Clock, HoldfastError } from '@holdfast/core';
import { type CommandRunner, hasToken, type Journal, parseLogLine, parseLogToken } from '@holdfast/host';

const LOGGER = '/usr/bin/logger';
const JOURNALCTL = '/usr/bin/journalctl';
export const CANARY_TAG = 'holdfast-canary';
/** A canary a cycle, at most one each 10 s: far less than this in any time that is asked about. */
const MAX_LINES = 2_000;

export class SyslogJournal implements Journal {
  readonly #commands: CommandRunner;
  readonly #clock: Clock;

  constructor(commands: CommandRunner, clock: Clock) {
    this.#commands = commands;
    this.#clock = clock;
  }

  async write(line: string, signal: AbortSignal): Promise<void> {
    // Without `--socket-errors=on` logger(1) may succeed although nobody listens.
    const argv = [LOGGER, '--socket-errors=on', '--tag', CANARY_TAG, '--', parseLogLine(line)] as const;
    const result = await this.#commands.run(argv, { timeoutMs: 5_000, maxOutputBytes: 4_096 }, signal);
    if (result.exitCode === 0) return;
    throw new HoldfastError('the syslog socket took no line', {
      code: 'ERR_HOST_JOURNAL_UNWRITABLE',
      fields: { exitCode: result.exitCode },
    });
  }

  async contains(token: string, withinMs: number, signal: AbortSignal): Promise<boolean> {
    parseLogToken(token);
    const sinceS = Math.max(0, Math.floor((this.#clock.wallMs() - withinMs) / 1_000));
    const argv = [
      JOURNALCTL,
      '--quiet',
      '--no-pager',
      '--output=cat',
      `--identifier=${CANARY_TAG}`,
      `--since=@${sinceS}`,
      `--lines=${MAX_LINES}`,
    ] as const;
    const result = await this.#commands.run(argv, { timeoutMs: 10_000, maxOutputBytes: 4 * 1024 * 1024 }, signal);
    const lines = Buffer.from(result.stdout).toString('utf8').split('\n');
    if (result.exitCode === 0 && lines.some((line) => hasToken(line, token))) return true;
    // journalctl ends with 0 although it was not let in to any journal, and says so on standard error.
    if (result.exitCode === 0 && !result.truncated && result.stderr.length === 0) return false;
    throw new HoldfastError('the journal cannot be searched', {
      code: 'ERR_HOST_JOURNAL_UNREADABLE',
      fields: { exitCode: result.exitCode },
    });
  }
}
