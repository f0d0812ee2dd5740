/**
 * the nine classic benchmarks of a runtime for agents, each beside its target. Modules are tiny:
 * what is measured is what the runner adds.
 */
import { costOf, median, milliseconds, percentile } from '@holdfast/testing';
import { HoldfastError } from '@holdfast/core';
import { readFileSync } from 'node:fs';
import {
  createTaskScheduler,
  decideRetry,
  DEFAULT_WASM_RUNNER_OPTIONS,
  openWasmRunner,
  type WasmRunner,
} from '../src/index.ts';
import { decodeParts, encodeParts } from '../src/protocol/frames.ts';
import { parseMessage } from '../src/protocol/messages.ts';
import { TaskQueue } from '../src/scheduler/task-queue.ts';
import { HELLO, openTestHost, runnerPids, taskOf, testClock } from '../test/wat-task.ts';

const AGENTS = 100;
const SPAWNS = 20;
const TASKS = 4_000;
const QUEUED = 100_000;
const MS_PER_MINUTE = 60_000;
const signal = new AbortController().signal;
const task = taskOf(HELLO);

interface Row {
  readonly name: string;
  readonly measured: string;
  /** Below 1 is better than the target asks for. */
  readonly ratio: number;
  readonly target: string;
}

const atMost = (name: string, value: number, limit: number, show: (value: number) => string): Row => ({
  name,
  measured: show(value),
  ratio: value / limit,
  target: show(limit),
});
const atLeast = (name: string, value: number, wanted: number, show: (value: number) => string): Row => ({
  name,
  measured: show(value),
  ratio: wanted / value,
  target: show(wanted),
});

/** Behind the wall, as agents run. */
const host = await openTestHost();

const open = (more: { maxProcesses: number; warmProcesses: number; tasksPerProcess?: number }): WasmRunner => {
  const options = { ...DEFAULT_WASM_RUNNER_OPTIONS, ...more };
  return openWasmRunner({ host, clock: testClock }, options);
};

async function timeMs(work: () => unknown): Promise<number> {
  return (await costOf(work)).wallS * 1_000;
}

async function settled(runner: WasmRunner, processes: number): Promise<void> {
  while (runner.statistics().processes < processes) await new Promise((resolve) => setTimeout(resolve, 20));
  await new Promise((resolve) => setTimeout(resolve, 1_500)); // until the warm ones have finished starting
}

/** A new agent from a warm pool until its first task has ended. */
async function spawnMs(): Promise<number[]> {
  await using runner = open({ maxProcesses: SPAWNS + 2, warmProcesses: 1 });
  const times: number[] = [];
  for (let n = 0; n < SPAWNS; n++) {
    await settled(runner, n + 1);
    times.push(await timeMs(() => runner.run({ ...task, tenant: `agent-${n}` }, signal)));
  }
  return times;
}

async function tasksPerMinute(): Promise<number> {
  await using runner = open({ maxProcesses: 2, warmProcesses: 2, tasksPerProcess: TASKS });
  const lane = async (tenant: string, count: number): Promise<void> => {
    for (let n = 0; n < count; n++) await runner.run({ ...task, tenant }, signal);
  };
  await Promise.all([lane('a', 200), lane('b', 200)]);
  const ms = await timeMs(() => Promise.all([lane('a', TASKS / 2), lane('b', TASKS / 2)]));
  return (TASKS / ms) * MS_PER_MINUTE;
}

function proportionalMib(pid: number): number {
  const [, kib = ''] = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')) ?? [];
  return Number(kib) / 1_024;
}

/** All of them with a process of their own at once. */
async function agentsAtOnce(): Promise<{ agents: number; mib: number }> {
  await using runner = open({ maxProcesses: AGENTS, warmProcesses: 0 });
  const tenants = Array.from({ length: AGENTS }, (_, n) => `agent-${n}`);
  await Promise.all(tenants.map((tenant) => runner.run({ ...task, tenant, deadlineMs: 120_000 }, signal)));
  return { agents: runner.statistics().processes, mib: median(runnerPids().map(proportionalMib)) };
}

const clock = testClock;
const after = (delayMs: number, then: () => void): (() => void) => {
  const timer = setTimeout(then, delayMs);
  return () => clearTimeout(timer);
};

/** From submitting until it runs, while a thousand others wait. */
async function schedulerMs(): Promise<number[]> {
  const latencies: number[] = [];
  const run = async (submittedMs: number): Promise<void> => void latencies.push(performance.now() - submittedMs);
  const scheduler = createTaskScheduler(
    { run, clock, after },
    { concurrency: 64, maxWaiting: 2_000, maxDeadLetters: 1 },
  );
  for (let round = 0; round < 200; round++) {
    await Promise.all(Array.from({ length: 64 }, () => scheduler.submit(performance.now(), 'normal')));
  }
  return latencies;
}

async function queueOperationMs(): Promise<number> {
  const queue = new TaskQueue<number>();
  const ms = await timeMs(() => {
    for (let n = 0; n < QUEUED; n++) queue.push(n, n % 3 === 0 ? 'high' : 'background', n);
    for (let n = 0; n < QUEUED; n++) queue.shift(QUEUED + n);
  });
  return ms / (2 * QUEUED);
}

async function retryMs(): Promise<number> {
  const error = new HoldfastError('gone', { code: 'ERR_WASM_RUNNER' });
  const rounds = 100_000;
  return (await timeMs(() => Array.from({ length: rounds }, (_, n) => decideRetry(error, (n % 3) + 1)))) / rounds;
}

/** Of this process, when everything there is to tell is asked for ten times a second. */
async function metricsPercent(): Promise<number> {
  await using runner = open({ maxProcesses: 2, warmProcesses: 2 });
  const rounds = 10_000;
  const { cpuS } = await costOf(() => {
    for (let n = 0; n < rounds; n++) JSON.stringify(runner.statistics());
  });
  return (cpuS / rounds) * 10 * 100;
}

/** A result with 64 KiB of output, to bytes and back, parsed strictly. */
async function serialisationMs(): Promise<number> {
  const usage = {
    fuel: '1',
    peakMemoryBytes: 1,
    wallMs: 1,
    cpuMs: 1,
    io: { reads: 1, writes: 1, readBytes: 1, writtenBytes: 1, opens: 1 },
  };
  const result = {
    exitCode: 0,
    error: null,
    truncated: false,
    fuelLeft: '1',
    memorySha256: null,
    usage,
    changes: [],
    residentBytes: 1,
  };
  const message = { message: { type: 'result', result } };
  const output = Buffer.alloc(65_536, 97);
  const times: number[] = [];
  for (let n = 0; n < 1_000; n++) {
    times.push(
      await timeMs(() => {
        const bytes = Buffer.from(encodeParts(message, [output, output]));
        decodeParts(bytes);
        parseMessage(bytes);
      }),
    );
  }
  return percentile(times, 95);
}

const microseconds = (ms: number): string => `${(ms * 1_000).toFixed(2)} µs`;

export async function bench() {
  await using measured = host; // its spawner ends with the last figure
  const layers = measured.layers.length;
  const { agents, mib } = await agentsAtOnce();
  const rows: Row[] = [
    atMost('agent spawn from the warm pool, p95', percentile(await spawnMs(), 95), 50, milliseconds),
    atLeast(
      'tasks a minute, two processes',
      await tasksPerMinute(),
      1_000,
      (value) => `${Math.round(value).toLocaleString('en')} a minute`,
    ),
    atMost('scheduler latency, 64 at once, p95', percentile(await schedulerMs(), 95), 5, milliseconds),
    atLeast(`agents at once, a process and ${layers} layers each`, agents, 10, String),
    atMost('memory of an agent (PSS), median', mib, 64, (value) => `${value.toFixed(1)} MiB`),
    atMost('retry decision', await retryMs(), 1, microseconds),
    atMost('metrics, ten times a second', await metricsPercent(), 2, (value) => `${value.toFixed(4)} % of a core`),
    atMost('serialisation of a result with 128 KiB, p95', await serialisationMs(), 1, milliseconds),
    atMost('queue operation, 100,000 waiting', await queueOperationMs(), 0.1, microseconds),
  ];
  return rows.map(({ name, measured, ratio, target }) => ({
    row: 'X-18',
    name,
    measured,
    against: `of the target, ${target}`,
    ratio,
    wanted: { atMost: 1 },
  }));
}
