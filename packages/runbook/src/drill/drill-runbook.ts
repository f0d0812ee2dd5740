/**
 * Drills a runbook: runs its steps, phase by phase, against an ephemeral instance in a copy of
 * the tree that the caller made and throws away, and says whether the documented status came within
 * the documented time. Every phase begins with a fresh instance: `enable` and `probe` with the
 * program's own defaults, the others in the state that `enable` left. Nothing of it runs afterwards.
 *
 * It runs programs of the tree with the rights of whoever calls it; isolation is the caller's.
 */
import { realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, HoldfastError } from '@holdfast/core';
import type { Runbook } from '../document/parse-runbook.ts';
import { type Instance, nameStep, type Phase, PHASES, type Step } from '../document/step-schema.ts';
import {
  fileInside,
  type Observation,
  probe,
  queryMetric,
  readTreeFile,
  resolveArgv,
  runCommand,
  type Workplace,
} from './drill-steps.ts';
import { RunningInstance } from './instance.ts';

export interface DrillOptions {
  /** Absolute path of a copy of the tree, this drill's alone. */
  readonly root: string;
  /** Absolute paths of the programs that may start a file of the tree, by name: `node`. */
  readonly tools: ReadonlyMap<string, string>;
  /** Variables that the instance and commands get besides those of the runbook. They get no others. */
  readonly env: Readonly<Record<string, string>>;
  /** No step is begun later than this after the start. */
  readonly timeoutMs: number;
}

export interface DrilledStep extends Observation {
  readonly name: string;
  readonly phase: Phase;
  readonly line: number;
}

export interface DrillReport {
  readonly runbook: string;
  readonly steps: readonly DrilledStep[];
  /** Steps in a phase that no machine can run, or that only verification looks at. Never passed. */
  readonly notDrilled: readonly { readonly name: string; readonly phase: Phase; readonly line: number }[];
  /** At least one step was drilled for the kill switch and for the rollback, and all that were passed. */
  readonly passed: boolean;
}

interface DrillDeps {
  readonly clock: Clock;
  /** What instance and commands print, for people who look on. It may hold secrets of theirs. */
  readonly onOutput: (bytes: Uint8Array) => void;
}

type Flags = Readonly<Record<string, string>>;
const CANNOT_RUN: ReadonlySet<Step['type']> = new Set(['manual', 'owner', 'symbol']);

/**
 * @throws `ERR_RUNBOOK` when the runbook has no instance block, or one that starts no file of the tree;
 * what fails in a drill is a result, not an error
 */
export async function drillRunbook(
  deps: DrillDeps,
  runbook: Runbook,
  options: DrillOptions,
  signal: AbortSignal,
): Promise<DrillReport> {
  const { instance } = runbook;
  if (instance === null) throw invalid(runbook, 'it has no `yaml instance` block');
  const root = await realpath(options.root);
  const directory = await fileInside(root, join(root, instance.directory));
  if (directory === null || !(await stat(directory)).isDirectory()) {
    throw invalid(runbook, 'the directory of the instance is not in the tree');
  }
  const { tools, env } = options;
  const workplace: Workplace = { root, directory, tools, env: { ...env, ...instance.env }, onOutput: deps.onOutput };
  const argv = await resolveArgv(instance.start, workplace);
  if (argv === null) throw invalid(runbook, 'the instance does not start a file of the tree');

  const endMs = deps.clock.monotonicMs() + options.timeoutMs;
  const steps: DrilledStep[] = [];
  const notDrilled: { name: string; phase: Phase; line: number }[] = [];
  let enabled: Flags = {};
  for (const phase of PHASES) {
    const inPhase = runbook.steps.filter((step) => step.phase === phase);
    const runnable = inPhase.filter(({ type }) => !CANNOT_RUN.has(type));
    for (const step of inPhase.filter(({ type }) => CANNOT_RUN.has(type))) {
      notDrilled.push({ name: nameStep(step), phase, line: step.line });
    }
    if (runnable.length === 0) continue;
    const flags = phase === 'enable' || phase === 'probe' ? {} : enabled;
    await using stage = new Stage(deps, runbook, instance, workplace, argv, flags);
    await stage.restart(signal);
    for (const step of runnable) {
      const late = deps.clock.monotonicMs() > endMs;
      const observation = late
        ? skipped(step, 'not run: the time of the whole drill is over')
        : await stage.run(step, signal);
      steps.push({ name: nameStep(step), phase, line: step.line, ...observation });
    }
    if (phase === 'enable') enabled = stage.flags;
  }
  // Without these two, nobody knows that there is a way back.
  const drilled = (phase: Phase): boolean => steps.some((step) => step.phase === phase);
  const passed = drilled('kill-switch') && drilled('rollback') && steps.every((step) => step.passed);
  return { runbook: runbook.path, steps, notDrilled, passed };
}

const invalid = (runbook: Runbook, reason: string): HoldfastError =>
  new HoldfastError(`The runbook cannot be drilled: ${reason}`, {
    code: 'ERR_RUNBOOK',
    fields: { file: runbook.path, reason },
  });

const skipped = (step: Step, observed: string): Observation => ({
  expected: 'the step is run',
  observed,
  withinMs: ('within' in step ? step.within : null) ?? 1_000,
  tookMs: 0,
  passed: false,
});

/** One phase: its instance, which is started again whenever a switch is set, and the switches set so far. */
class Stage implements AsyncDisposable {
  readonly #deps: DrillDeps;
  readonly #runbook: Runbook;
  readonly #block: Instance;
  readonly #workplace: Workplace;
  readonly #argv: readonly [string, ...string[]];
  #flags: Flags;
  #instance: RunningInstance | string = 'the instance was not started';

  constructor(
    deps: DrillDeps,
    runbook: Runbook,
    block: Instance,
    workplace: Workplace,
    argv: readonly [string, ...string[]],
    flags: Flags,
  ) {
    this.#deps = deps;
    this.#runbook = runbook;
    this.#block = block;
    this.#workplace = workplace;
    this.#argv = argv;
    this.#flags = flags;
  }

  get flags(): Flags {
    return this.#flags;
  }

  /** @returns why the instance is not there, or `null` */
  async restart(signal: AbortSignal): Promise<string | null> {
    await this[Symbol.asyncDispose]();
    const { directory, env } = this.#workplace;
    const program = { argv: this.#argv, cwd: directory, env: { ...env, ...this.#flags } };
    this.#instance = await RunningInstance.start(this.#deps, this.#block, program, signal);
    return typeof this.#instance === 'string' ? this.#instance : null;
  }

  // oxlint-disable-next-line typescript/consistent-return -- the switch is exhaustive, and the compiler says so when it is not
  async run(step: Step, signal: AbortSignal): Promise<Observation> {
    const { clock } = this.#deps;
    if (step.type === 'env-flag') return this.#set(step['env-flag'], step.set, step.within, signal);
    const instance = this.#instance;
    if (typeof instance === 'string') return skipped(step, `not run: ${instance}`);
    if (instance.failure !== null) return skipped(step, `not run: ${instance.failure}`);
    switch (step.type) {
      case 'http-probe':
        return probe(step, instance, clock, signal);
      case 'metric-query':
        return queryMetric(step, this.#block.metrics, instance, clock, signal);
      case 'command':
        return runCommand(step, this.#workplace, instance, this.#block.port, clock, signal);
      case 'file':
        return readTreeFile(step, this.#workplace);
      case 'manual':
      case 'owner':
      case 'symbol':
        throw new TypeError(`a step of type ${step.type} is not drilled`);
    }
  }

  async #set(name: string, to: 'on' | 'off', withinMs: number, signal: AbortSignal): Promise<Observation> {
    const known = this.#runbook.switches.find((one) => one.switch === name);
    if (known === undefined) throw new TypeError('a parsed runbook describes every switch it sets');
    this.#flags = { ...this.#flags, [name]: known[to].value };
    const startedMs = this.#deps.clock.monotonicMs();
    const failure = await this.restart(signal);
    const tookMs = this.#deps.clock.monotonicMs() - startedMs;
    return {
      expected: 'the instance is ready again',
      observed: failure ?? 'the instance is ready again',
      withinMs,
      tookMs,
      passed: failure === null && tookMs <= withinMs,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (typeof this.#instance !== 'string') await this.#instance[Symbol.asyncDispose]();
    this.#instance = 'the instance was not started';
  }
}
