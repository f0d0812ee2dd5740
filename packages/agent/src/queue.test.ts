import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it, type TestContext } from 'node:test';
import { formatUuidV7 } from '@holdfast/core';
import { temporaryDirectory } from '@holdfast/testing';
import * as fc from 'fast-check';
import type { OutboxItem } from './ports.ts';
import { backoffMs, MAX_REFUSALS, openQueue, type Queue } from './queue.ts';

const MINUTE = 60_000;
const DAY = 86_400_000;
const RECEIPT = { index: 7, leafHash: 'ab'.repeat(32), promise: 'cHJvbWlzZQ==' };

const idOf = (seq: number): string => formatUuidV7(1_767_000_000_000 + seq, new Uint8Array(10));
const itemOf = (seq: number): OutboxItem => ({ seq, bundleId: idOf(seq), path: `/evidence/${seq}` });
const itemsOf = (from: number, to: number): OutboxItem[] =>
  Array.from({ length: to - from + 1 }, (_, index) => itemOf(from + index));

function open(t: TestContext): { queue: Queue; time: { nowMs: number }; path: string } {
  const time = { nowMs: Date.UTC(2026, 0, 1) };
  const path = join(temporaryDirectory(t), 'queue.sqlite');
  const queue = openQueue(path, { wallMs: () => time.nowMs, random: () => 0.5 });
  t.after(() => {
    try {
      queue.close();
    } catch {
      // closed by the test itself
    }
  });
  return { queue, time, path };
}

describe('the queue', () => {
  it('C-33: hands out the oldest first, whatever the order they came in', (t) => {
    const { queue } = open(t);
    queue.enqueue([itemOf(3), itemOf(1), itemOf(2)], 3);
    assert.deepEqual(
      queue.claim(2).map(({ bundleId }) => bundleId),
      [idOf(1), idOf(2)],
    );
    assert.deepEqual(
      queue.claim(2).map(({ bundleId }) => bundleId),
      [idOf(3)],
    );
    assert.deepEqual(queue.claim(2), [], 'what is being uploaded is not handed out twice');
  });

  it('C-33: the same page twice changes nothing', (t) => {
    const { queue } = open(t);
    assert.equal(queue.enqueue(itemsOf(1, 5), 5), 5);
    assert.equal(queue.enqueue(itemsOf(1, 5), 5), 0);
    assert.equal(queue.stats().totalPending, 5);
    assert.equal(queue.cursor(), 5);
  });

  it('C-32: a page that cannot be inserted whole moves no cursor', (t) => {
    const { queue } = open(t);
    queue.enqueue(itemsOf(1, 2), 2);
    const broken = { ...itemOf(4), path: null as unknown as string };
    assert.throws(() => queue.enqueue([itemOf(3), broken], 4));
    assert.equal(queue.cursor(), 2);
    assert.equal(queue.stats().totalPending, 2);
  });

  it('C-33: what was being uploaded when the process ended is pending after a restart', (t) => {
    const { queue, path } = open(t);
    queue.enqueue(itemsOf(1, 3), 3);
    assert.equal(queue.claim(2).length, 2);
    queue.close();
    const again = openQueue(path, { wallMs: () => 0, random: () => 0 });
    t.after(() => again.close());
    assert.equal(again.cursor(), 3);
    assert.equal(again.claim(10).length, 3);
  });

  it('C-32: a refusal backs off 1, 2, 4 … 60 minutes and the tenth is death', (t) => {
    const { queue, time } = open(t);
    queue.enqueue([itemOf(1)], 1);
    const waits: number[] = [];
    for (let refusal = 1; refusal <= MAX_REFUSALS; refusal++) {
      const since = time.nowMs;
      while (queue.claim(1).length === 0) time.nowMs += MINUTE;
      waits.push((time.nowMs - since) / MINUTE);
      queue.settle([{ bundleId: idOf(1), kind: 'refused', code: 'ERR_X', final: false }]);
      assert.equal(queue.stats().dead, refusal === MAX_REFUSALS ? 1 : 0, `after ${refusal} refusals`);
    }
    assert.deepEqual(waits, [0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
    time.nowMs += 365 * DAY;
    assert.deepEqual(queue.claim(1), [], 'the dead stay dead');
  });

  it('C-32: being asked to retry, or finding no server, never kills', (t) => {
    const { queue, time } = open(t);
    queue.enqueue([itemOf(1)], 1);
    for (let round = 0; round < 50; round++) {
      time.nowMs += 2 * 60 * MINUTE;
      assert.equal(queue.claim(1).length, 1);
      queue.settle([{ bundleId: idOf(1), kind: 'retry', code: null }]);
    }
    for (let round = 0; round < 50; round++) {
      time.nowMs += round === 0 ? 2 * 60 * MINUTE : 0;
      assert.equal(queue.claim(1).length, 1, 'a released bundle is due at once');
      queue.settle([{ bundleId: idOf(1), kind: 'released' }]);
    }
    assert.equal(queue.stats().dead, 0);
    assert.equal(queue.stats().totalPending, 1);
  });

  it('C-32: a final refusal is death at once, and others go on', (t) => {
    const { queue } = open(t);
    queue.enqueue(itemsOf(1, 2), 2);
    queue.claim(2);
    queue.settle([
      { bundleId: idOf(1), kind: 'refused', code: 'conflict', final: true },
      { bundleId: idOf(2), kind: 'uploaded', receipt: RECEIPT },
    ]);
    const { dead, totalUploaded, totalPending } = queue.stats();
    assert.deepEqual({ dead, totalUploaded, totalPending }, { dead: 1, totalUploaded: 1, totalPending: 0 });
  });

  it('P-09: a wall clock that was set back does not hold a bundle for longer than the backoff', (t) => {
    const { queue, time } = open(t);
    queue.enqueue([itemOf(1)], 1);
    queue.claim(1);
    queue.settle([{ bundleId: idOf(1), kind: 'retry', code: null }]);
    time.nowMs -= 30 * DAY;
    assert.equal(queue.claim(1).length, 1);
  });

  it('P-33: the receipt is stored, and a second one does not count twice', (t) => {
    const { queue } = open(t);
    queue.enqueue([itemOf(1)], 1);
    queue.claim(1);
    for (let i = 0; i < 2; i++) queue.settle([{ bundleId: idOf(1), kind: 'uploaded', receipt: RECEIPT }]);
    assert.deepEqual({ ...queue.receipt(idOf(1)) }, RECEIPT);
    assert.equal(queue.receipt(idOf(2)), null);
    assert.equal(queue.stats().totalUploaded, 1);
  });

  it('C-32: receipts are pruned after their days, and the total remembers', (t) => {
    const { queue, time } = open(t);
    queue.enqueue(itemsOf(1, 2), 2);
    queue.claim(1);
    queue.settle([{ bundleId: idOf(1), kind: 'uploaded', receipt: RECEIPT }]);
    time.nowMs += 7 * DAY;
    assert.equal(queue.prune(7), 0, 'not before the seventh day is over');
    time.nowMs += 1;
    assert.equal(queue.prune(7), 1);
    assert.equal(queue.stats().totalUploaded, 1);
    assert.equal(queue.stats().totalPending, 1, 'what is pending is never pruned');
    queue.enqueue([itemOf(1)], 2);
  });

  it('C-32: statistics tell the oldest pending and what is due', (t) => {
    const { queue, time } = open(t);
    assert.equal(queue.stats().oldestPendingMs, null);
    const first = time.nowMs;
    queue.enqueue([itemOf(1)], 1);
    time.nowMs += MINUTE;
    queue.enqueue([itemOf(2)], 2);
    queue.claim(1);
    queue.settle([{ bundleId: idOf(1), kind: 'retry', code: null }]);
    const { oldestPendingMs, readyForRetry, totalPending } = queue.stats();
    assert.deepEqual(
      { oldestPendingMs, readyForRetry, totalPending },
      { oldestPendingMs: first, readyForRetry: 1, totalPending: 2 },
    );
  });

  it('C-32: a lost bundle is lost, never uploaded', (t) => {
    const { queue } = open(t);
    queue.enqueue([itemOf(1)], 1);
    queue.claim(1);
    queue.settle([{ bundleId: idOf(1), kind: 'lost' }]);
    assert.equal(queue.stats().lost, 1);
    assert.equal(queue.stats().totalUploaded, 0);
    assert.equal(queue.receipt(idOf(1)), null);
  });

  it('C-32: the file is in WAL mode with strict tables', (t) => {
    const { path, queue } = open(t);
    queue.enqueue([itemOf(1)], 1);
    const db = new DatabaseSync(path);
    t.after(() => db.close());
    assert.equal(db.prepare('PRAGMA journal_mode').get()?.['journal_mode'], 'wal');
    const strict = db
      .prepare(`SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND name IN ('bundle', 'number')`)
      .all();
    assert.deepEqual(
      strict.map((row) => row['strict']),
      [1, 1],
    );
    assert.throws(() => db.exec(`UPDATE bundle SET state = 'gone'`));
  });

  it('C-32: the backoff stays within a tenth of its nominal value', () => {
    fc.assert(
      fc.property(fc.nat(1_000), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (tries, random) => {
        const nominal = Math.min(2 ** tries, 60) * MINUTE;
        const actual = backoffMs(tries, random);
        return actual >= 0.9 * nominal - 1 && actual <= 1.1 * nominal + 1;
      }),
    );
  });
});
