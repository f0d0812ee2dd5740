import { array, assert as assertProperty, boolean, constantFrom, integer, property, record } from 'fast-check';
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AGEING_MS, TASK_PRIORITIES, type TaskPriority, TaskQueue } from './task-queue.ts';

const priorities = Object.keys(TASK_PRIORITIES) as TaskPriority[];

describe('task queue', () => {
  it('X-19: higher priorities first, first come first served inside one', () => {
    const queue = new TaskQueue<string>();
    for (const priority of priorities.toReversed()) {
      queue.push(`${priority} 1`, priority, 0);
      queue.push(`${priority} 2`, priority, 0);
    }
    const order = Array.from({ length: 10 }, () => queue.shift(0));
    assert.deepEqual(
      order,
      priorities.flatMap((priority) => [`${priority} 1`, `${priority} 2`]),
    );
    assert.equal(queue.shift(0), undefined);
  });

  it('X-19: a background task goes before a critical one that came 99 points later, not before', () => {
    for (const [laterMs, first] of [
      [99 * AGEING_MS - 1, 'critical'],
      [99 * AGEING_MS, 'critical'], // equals: the higher priority
      [99 * AGEING_MS + 1, 'background'],
    ] as const) {
      const queue = new TaskQueue<string>();
      queue.push('background', 'background', 0);
      queue.push('critical', 'critical', laterMs);
      assert.equal(queue.shift(laterMs), first, `${laterMs} ms`);
    }
  });

  it('X-19: nothing starves: a task only waits for those that came at most 99 points after it', () => {
    const arrivals = array(
      record({
        priority: constantFrom(...priorities),
        gapMs: integer({ min: 0, max: 20_000 }),
        take: boolean(),
      }),
      { maxLength: 200 },
    );
    assertProperty(
      property(arrivals, (steps) => {
        const queue = new TaskQueue<{ priority: TaskPriority; atMs: number; n: number }>();
        const waiting = new Set<{ priority: TaskPriority; atMs: number; n: number }>();
        const take = (nowMs: number): void => {
          const next = queue.shift(nowMs);
          assert.equal(next === undefined, waiting.size === 0);
          if (next === undefined) return;
          assert.ok(waiting.delete(next));
          for (const other of waiting) {
            assert.ok(next.atMs - other.atMs <= 99 * AGEING_MS);
            if (other.priority === next.priority) assert.ok(next.n < other.n);
            if (TASK_PRIORITIES[other.priority] > TASK_PRIORITIES[next.priority]) assert.ok(next.atMs < other.atMs);
          }
        };
        let nowMs = 0;
        steps.forEach(({ priority, gapMs, take: alsoTake }, n) => {
          nowMs += gapMs;
          const task = { priority, atMs: nowMs, n };
          queue.push(task, priority, nowMs);
          waiting.add(task);
          assert.equal(queue.size, waiting.size);
          if (alsoTake) take(nowMs);
        });
        while (waiting.size > 0) take(nowMs);
        assert.equal(queue.size, 0);
      }),
    );
  });
});
