/** The contract of `CommandRunner`, with programs that every Linux has. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { CommandOptions, CommandRunner } from '../ports.ts';
import { calm, honoursAbort, rejectsWith, type Scope, type SuiteOptions } from './scope.ts';

const LIMITS: CommandOptions = { timeoutMs: 10_000, maxOutputBytes: 10_000 };
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');

/** Whether the process still runs; a zombie does not. */
export type IsRunning = (pid: number) => boolean;

async function ends(isRunning: IsRunning, pid: number): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (isRunning(pid)) {
    assert.ok(performance.now() < deadline, 'a process outlived its command');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

export function describeCommands(
  name: string,
  open: (scope: Scope) => Promise<{ readonly commands: CommandRunner; readonly isRunning: IsRunning }>,
  options: SuiteOptions = {},
): void {
  describe(`CommandRunner: ${name}`, options, () => {
    it('C-01: passes arguments as they are: no shell looks at them', async (t) => {
      const { commands } = await open(t);
      const hostile = ['$(id)', '`id`', '; id', '"', '*', ''];
      const result = await commands.run(['/usr/bin/printf', '%s\\n', ...hostile], LIMITS, calm());
      assert.equal(text(result.stdout), `${hostile.join('\n')}\n`);
      assert.equal(result.exitCode, 0);
      assert.equal(result.truncated, false);
    });

    it('resolves with the exit code and standard error, whatever they are', async (t) => {
      const { commands } = await open(t);
      const result = await commands.run(['/bin/sh', '-c', 'echo no >&2; exit 7'], LIMITS, calm());
      assert.equal(result.exitCode, 7);
      assert.equal(text(result.stderr), 'no\n');
    });

    it('the environment is a fixed PATH and what was given', async (t) => {
      const { commands } = await open(t);
      const bare = await commands.run(['/usr/bin/env'], LIMITS, calm());
      assert.match(text(bare.stdout), /^PATH=[^\n]*\n$/);
      const given = await commands.run(['/usr/bin/env'], { ...LIMITS, env: { A: 'b' } }, calm());
      assert.match(text(given.stdout), /^A=b$/m);
    });

    it('gives standard input, also as /dev/stdin, and none when there is none', async (t) => {
      const { commands } = await open(t);
      const stdin = Buffer.from('line\n'.repeat(50_000));
      const count = await commands.run(['/usr/bin/wc', '-c', '/dev/stdin'], { ...LIMITS, stdin }, calm());
      assert.equal(text(count.stdout).split(' ')[0], String(stdin.length));
      const none = await commands.run(['/bin/cat'], LIMITS, calm());
      assert.equal(text(none.stdout), '');
    });

    it('keeps output up to the cap, drops the rest and says so', async (t) => {
      const { commands } = await open(t);
      const argv = ['/usr/bin/head', '-c', '100000', '/dev/zero'] as const;
      const cut = await commands.run(argv, { ...LIMITS, maxOutputBytes: 99_999 }, calm());
      assert.deepEqual([cut.stdout.length, cut.truncated, cut.exitCode], [99_999, true, 0]);
      const whole = await commands.run(argv, { ...LIMITS, maxOutputBytes: 100_000 }, calm());
      assert.deepEqual([whole.stdout.length, whole.truncated], [100_000, false]);
    });

    it('refuses a program without an absolute path as a mistake of ours', async (t) => {
      const { commands } = await open(t);
      for (const program of ['true', './true', '']) {
        await assert.rejects(commands.run([program], LIMITS, calm()), TypeError);
      }
    });

    it('says when a program could not start', async (t) => {
      const { commands } = await open(t);
      await rejectsWith('ERR_HOST_COMMAND_FAILED', commands.run(['/nonexistent/program'], LIMITS, calm()));
      await rejectsWith('ERR_HOST_COMMAND_FAILED', commands.run(['/etc/passwd'], LIMITS, calm()));
      await rejectsWith('ERR_HOST_COMMAND_FAILED', commands.run(['/usr/bin'], LIMITS, calm()));
    });

    it('kills the program and its children when the time is over', async (t) => {
      const { commands, isRunning } = await open(t);
      const pids = `/tmp/holdfast-conformance-${process.pid}-${Math.trunc(performance.now())}`;
      const argv = ['/bin/sh', '-c', 'sleep 60 & echo $! > "$0"; wait', pids] as const;
      await rejectsWith('ERR_HOST_COMMAND_TIMEOUT', commands.run(argv, { ...LIMITS, timeoutMs: 500 }, calm()));
      const child = await commands.run(['/bin/cat', pids], LIMITS, calm());
      await commands.run(['/bin/rm', '-f', pids], LIMITS, calm());
      await ends(isRunning, Number(text(child.stdout)));
    });

    it('does not wait for a child left behind that holds the output open', async (t) => {
      const { commands, isRunning } = await open(t);
      const result = await commands.run(['/bin/sh', '-c', 'sleep 60 & echo $!'], LIMITS, calm());
      assert.ok(result.durationMs < 9_000);
      await ends(isRunning, Number(text(result.stdout)));
    });

    it('kills the program when the signal is aborted, with the reason of the signal', async (t) => {
      const { commands } = await open(t);
      const controller = new AbortController();
      const reason = new Error('enough');
      const running = commands.run(['/bin/sleep', '60'], LIMITS, controller.signal);
      setImmediate(() => controller.abort(reason));
      await assert.rejects(running, (error: unknown) => error === reason);
      await honoursAbort((signal) => commands.run(['/bin/true'], LIMITS, signal));
    });
  });
}
