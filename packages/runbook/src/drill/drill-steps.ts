/** The steps that a drill can run, each against one running instance. */
import { readFile, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { Clock } from '@holdfast/core';
import type { StepOf } from '../document/step-schema.ts';
import type { RunningInstance } from './instance.ts';
import { type Polled, pollUntil } from './poll.ts';
import { ProcessTree } from './process-tree.ts';
import { readMetric } from './prometheus-text.ts';

/** A file step reads no more. */
const MAX_FILE_BYTES = 4 * 1_024 * 1_024;

/** What came of one step: what was seen at last, and whether it was the documented thing in the documented time. */
export interface Observation {
  readonly expected: string;
  readonly observed: string;
  readonly withinMs: number;
  readonly tookMs: number;
  readonly passed: boolean;
}

export interface Workplace {
  /** Real path of the copy of the tree. */
  readonly root: string;
  /** Real path in it where the instance and commands run. */
  readonly directory: string;
  /** Absolute paths of the programs that may start a file of the tree, by name. */
  readonly tools: ReadonlyMap<string, string>;
  readonly env: Readonly<Record<string, string>>;
  readonly onOutput: (bytes: Uint8Array) => void;
}

/**
 * Turns a command of a runbook into what is started.
 *
 * @returns `null` unless it runs a regular file of the tree, by itself or by a tool
 */
export async function resolveArgv(argv: readonly string[], at: Workplace): Promise<[string, ...string[]] | null> {
  const tool = at.tools.get(argv[0]!);
  const named = tool === undefined ? argv[0]! : argv[1];
  // `node -e …` would run what is in no file of the tree.
  if (named === undefined || named.startsWith('-')) return null;
  const file = await fileInside(at.root, join(at.directory, named));
  if (file === null) return null;
  return tool === undefined ? [file, ...argv.slice(1)] : [tool, file, ...argv.slice(2)];
}

/** Its real path, or `null` when it is not there or a link leads out of the tree. */
export async function fileInside(root: string, path: string): Promise<string | null> {
  const real = await realpath(path).catch(() => null);
  return real !== null && (real === root || real.startsWith(root + sep)) ? real : null;
}

const result = (expected: string, withinMs: number, polled: Polled<string>): Observation => ({
  expected: expected.slice(0, 1_000),
  observed: polled.value.slice(0, 1_000),
  withinMs,
  tookMs: polled.tookMs,
  passed: polled.inTime,
});

export async function probe(
  step: StepOf<'http-probe'>,
  instance: RunningInstance,
  clock: Clock,
  signal: AbortSignal,
): Promise<Observation> {
  // The last request may be cut off by the end of the time; the answer before it says more.
  let seen = 'no answer';
  const polled = await pollUntil(
    clock,
    step.within,
    async (leftMs) => {
      const answer = await instance.ask(step['http-probe'], leftMs, signal);
      if (answer === null) return { done: false, value: instance.failure ?? seen };
      const fits = step.contains === null || answer.body.includes(step.contains);
      const note = step.contains === null ? '' : fits ? ' with the text' : ' without the text';
      seen = `status ${answer.status}${note}`;
      return { done: answer.status === step.status && fits, value: seen };
    },
    signal,
  );
  const text = step.contains === null ? '' : ` with the text ${JSON.stringify(step.contains)}`;
  return result(`status ${step.status}${text}`, step.within, polled);
}

export async function queryMetric(
  step: StepOf<'metric-query'>,
  metricsPath: string,
  instance: RunningInstance,
  clock: Clock,
  signal: AbortSignal,
): Promise<Observation> {
  const { equals, atLeast, atMost } = step;
  let seen = 'no metrics';
  const polled = await pollUntil(
    clock,
    step.within,
    async (leftMs) => {
      const answer = await instance.ask({ method: 'GET', path: metricsPath }, leftMs, signal);
      if (answer?.status !== 200) return { done: false, value: instance.failure ?? seen };
      const value = readMetric(answer.body, step['metric-query'], step.labels);
      seen = value === null ? 'no such sample' : `value ${value}`;
      if (value === null) return { done: false, value: seen };
      const done =
        (equals === undefined || value === equals) &&
        (atLeast === undefined || value >= atLeast) &&
        (atMost === undefined || value <= atMost);
      return { done, value: seen };
    },
    signal,
  );
  const wanted = [
    equals === undefined ? [] : [`= ${equals}`],
    atLeast === undefined ? [] : [`>= ${atLeast}`],
    atMost === undefined ? [] : [`<= ${atMost}`],
  ].flat();
  return result(`value ${wanted.join(' and ')}`, step.within, polled);
}

/** The command runs once; a second try would hide that the first one failed. */
export async function runCommand(
  step: StepOf<'command'>,
  at: Workplace,
  instance: RunningInstance,
  portVariable: string,
  clock: Clock,
  signal: AbortSignal,
): Promise<Observation> {
  const expected = `exit code ${step.exit}`;
  const argv = await resolveArgv(step.command, at);
  if (argv === null) {
    const observed = 'refused: it does not run a file of the tree';
    return { expected, observed, withinMs: step.within, tookMs: 0, passed: false };
  }
  const startedMs = clock.monotonicMs();
  const env = { ...at.env, [portVariable]: String(instance.port) };
  const { promise: interrupted, resolve } = Promise.withResolvers<null>();
  const ends = AbortSignal.any([signal, AbortSignal.timeout(step.within)]);
  ends.addEventListener('abort', () => resolve(null), { once: true });
  await using command = new ProcessTree(argv, { cwd: at.directory, env, onOutput: at.onOutput });
  const ending = await Promise.race([command.ended, interrupted]);
  signal.throwIfAborted();
  const tookMs = clock.monotonicMs() - startedMs;
  return {
    expected,
    observed: ending === null ? 'it did not end in time and was killed' : ending.text,
    withinMs: step.within,
    tookMs,
    passed: ending !== null && ending.exitCode === step.exit && tookMs <= step.within,
  };
}

export async function readTreeFile(step: StepOf<'file'>, at: Workplace): Promise<Observation> {
  const expected = step.contains === null ? 'a file' : `a file with the text ${JSON.stringify(step.contains)}`;
  const path = await fileInside(at.root, join(at.root, step.file));
  const content = path === null ? null : await readFile(path).catch(() => null);
  const readable = content !== null && content.length <= MAX_FILE_BYTES;
  const passed = readable && (step.contains === null || content.includes(step.contains));
  const observed = !readable ? 'no file of the tree that can be read' : passed ? expected : 'a file without the text';
  return { expected: expected.slice(0, 1_000), observed: observed.slice(0, 1_000), withinMs: 1_000, tookMs: 0, passed };
}
