/**
 * A process that takes an endless outbox into a queue and drains it, until it is killed. Each upload
 * is told on standard output before it is settled, as a server would see it.
 */
import { writeSync } from 'node:fs';
import { formatUuidV7 } from '@holdfast/core';
import { openQueue } from '../src/queue.ts';

const [path = ''] = process.argv.slice(2);
const PAGE = 7;
const idOf = (seq: number): string => {
  const random = new Uint8Array(10);
  new DataView(random.buffer).setUint32(4, seq);
  return formatUuidV7(1_767_000_000_000, random);
};

const queue = openQueue(path, { wallMs: () => Date.now(), random: Math.random });
writeSync(1, 'open\n');
for (;;) {
  const cursor = queue.cursor();
  const items = Array.from({ length: PAGE }, (_, index) => cursor + 1 + index).map((seq) => ({
    seq,
    bundleId: idOf(seq),
    path: `/${seq}`,
  }));
  queue.enqueue(items, cursor + PAGE);
  const claimed = queue.claim(5);
  for (const { path: name } of claimed) writeSync(1, `up ${name.slice(1)}\n`);
  queue.settle(
    claimed.map(({ bundleId }) => ({
      bundleId,
      kind: 'uploaded',
      receipt: { index: 1, leafHash: null, promise: null },
    })),
  );
}
