import { HoldfastError } from '@holdfast/core';
import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, it } from 'node:test';
import { decideRetry } from './decide-retry.ts';
import { createTaskScheduler, MAX_DRAIN_MS, type SchedulerOptions } from './task-scheduler.ts';

const passing = (): HoldfastError => new HoldfastError('gone', { code: 'ERR_WASM_RUNNER' });
const OPTIONS: SchedulerOptions = { concurrency: 1, maxWaiting: 3, maxDeadLetters: 2 };

/** Time that moves only when told. */
function world(run: (task: string, signal: AbortSignal) => Promise<string>, options = OPTIONS) {
  let nowMs = 0;
  const timers = new Map<() => void, number>();
  const scheduler = createTaskScheduler<string, string>(
    {
      run,
      clock: { wallMs: () => nowMs, monotonicMs: () => nowMs },
      after: (delayMs, then) => {
        timers.set(then, nowMs + delayMs);
        return () => timers.delete(then);
      },
    },
    options,
  );
  const pass = async (ms: number): Promise<void> => {
    await turn();
    nowMs += ms;
    for (const [then, atMs] of timers) {
      if (atMs > nowMs) continue;
      timers.delete(then);
      then();
    }
    await turn();
  };
  return { scheduler, pass, timers };
}

/** Runs that end when the test says so. */
function held() {
  const started: { task: string; end: (error?: unknown) => void; signal: AbortSignal }[] = [];
  const run = (task: string, signal: AbortSignal): Promise<string> => {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    signal.addEventListener('abort', () => reject(signal.reason));
    started.push({ task, signal, end: (error) => (error === undefined ? resolve(`${task} done`) : reject(error)) });
    return promise;
  };
  return { started, run };
}

describe('task scheduler', () => {
  it('X-19: so many at once, the rest in order of priority', async () => {
    const { started, run } = held();
    const { scheduler } = world(run);
    const results = [scheduler.submit('a', 'low'), scheduler.submit('b', 'low'), scheduler.submit('c', 'critical')];
    assert.deepEqual([scheduler.running, scheduler.waiting], [1, 2]);
    for (let n = 0; n < 3; n++) {
      started[n]?.end();
      await turn();
    }
    assert.deepEqual(
      started.map(({ task }) => task),
      ['a', 'c', 'b'],
    );
    assert.deepEqual(await Promise.all(results), ['a done', 'b done', 'c done']);
  });

  it('X-19: a full queue refuses and takes again when there is room', async () => {
    const { started, run } = held();
    const { scheduler } = world(run);
    const taken = ['a', 'b', 'c', 'd'].map((task) => scheduler.submit(task, 'normal'));
    await assert.rejects(scheduler.submit('e', 'critical'), { code: 'ERR_TASK_QUEUE_FULL' });
    started[0]?.end();
    await turn();
    taken.push(scheduler.submit('e', 'critical'));
    assert.equal(scheduler.waiting, 3);
    for (let n = 1; n < 5; n++) {
      started[n]?.end();
      await turn();
    }
    assert.equal((await Promise.all(taken)).length, 5);
  });

  it('X-19: three tries, one and two seconds apart, then a dead letter that can be queued again', async () => {
    let [tries, broken] = [0, true];
    const { scheduler, pass } = world(async (task) => {
      tries += 1;
      if (broken) throw passing();
      return `${task} done`;
    });
    const failed = assert.rejects(scheduler.submit('a', 'high'), { code: 'ERR_WASM_RUNNER' });
    const seen: number[] = [];
    for (const ms of [999, 1, 1_999, 1]) {
      await pass(ms);
      seen.push(tries);
    }
    assert.deepEqual(seen, [1, 2, 2, 3]);
    await failed;
    const [letter] = scheduler.deadLetters();
    assert.deepEqual([letter?.task, letter?.priority, letter?.tries], ['a', 'high', 3]);
    broken = false;
    assert.equal(await scheduler.requeue(letter?.id ?? 0), 'a done');
    assert.deepEqual(scheduler.deadLetters(), []);
    await assert.rejects(scheduler.requeue(letter?.id ?? 0), RangeError);
  });

  it('X-19: a guest’s own fault is never tried again', async () => {
    let tries = 0;
    const { scheduler } = world(async () => {
      tries += 1;
      throw new HoldfastError('no', { code: 'ERR_WASM_IMPORT' });
    });
    await assert.rejects(scheduler.submit('a', 'high'), { code: 'ERR_WASM_IMPORT' });
    assert.deepEqual([tries, scheduler.deadLetters().length, scheduler.waiting], [1, 0, 0]);
  });

  it('X-19: delays double to at most 300 s', () => {
    const delays = [1, 2].map((tries) => decideRetry(passing(), tries));
    assert.deepEqual(delays, [
      { kind: 'retry', delayMs: 1_000 },
      { kind: 'retry', delayMs: 2_000 },
    ]);
    assert.deepEqual(decideRetry(passing(), 3), { kind: 'bury' });
    assert.deepEqual(decideRetry(new Error('bug'), 1), { kind: 'fail' });
    assert.deepEqual(decideRetry(undefined, 1), { kind: 'fail' });
  });

  it('keeps only the newest dead letters', async () => {
    const { scheduler, pass } = world(async () => {
      throw passing();
    });
    for (const task of ['a', 'b', 'c']) {
      const failed = assert.rejects(scheduler.submit(task, 'normal'));
      await pass(1_000);
      await pass(2_000);
      await failed;
    }
    assert.deepEqual(
      scheduler.deadLetters().map(({ task }) => task),
      ['b', 'c'],
    );
  });

  it('X-19: draining takes no more and finishes what there is', async () => {
    const { started, run } = held();
    const { scheduler, timers } = world(run);
    const results = [scheduler.submit('a', 'low'), scheduler.submit('b', 'low')];
    const drained = scheduler.drain();
    await assert.rejects(scheduler.submit('c', 'critical'), { code: 'ERR_TASK_DRAINED' });
    for (let n = 0; n < 2; n++) {
      started[n]?.end();
      await turn();
    }
    await drained;
    assert.deepEqual(await Promise.all(results), ['a done', 'b done']);
    assert.equal(timers.size, 0);
  });

  it('X-19: after 30 s of draining what runs is aborted and everything left is a dead letter', async () => {
    const { started, run } = held();
    const { scheduler, pass } = world(run);
    const left = ['a', 'b'].map((task) => assert.rejects(scheduler.submit(task, 'low'), { code: 'ERR_TASK_DRAINED' }));
    const drained = scheduler.drain(10 * MAX_DRAIN_MS);
    await pass(MAX_DRAIN_MS - 1);
    assert.equal(started[0]?.signal.aborted, false);
    await pass(1);
    await drained;
    await Promise.all(left);
    assert.equal(started.length, 1);
    assert.deepEqual(
      scheduler
        .deadLetters()
        .map(({ task }) => task)
        .toSorted(),
      ['a', 'b'],
    );
  });
});
