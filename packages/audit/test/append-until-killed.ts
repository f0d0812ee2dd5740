/**
 * A process that appends for ever and prints each acknowledged record, for tests that kill it.
 * argv: directory, first number.
 */
import { writeSync } from 'node:fs';
import { entry, openLog } from './log-fixture.ts';

const [directory = '', first = '1'] = process.argv.slice(2);
const log = await openLog(directory, { segmentBytes: 20_000, headEveryRecords: 50 });
writeSync(1, 'ready\n');
for (let n = Number(first); ; n += 8) {
  const numbers = Array.from({ length: 8 }, (_, at) => n + at);
  await Promise.all(
    numbers.map(async (number) => {
      const { seq } = await log.append(entry(number));
      // Synchronous: what was printed was acknowledged before the kill.
      writeSync(1, `${number} ${seq}\n`);
    }),
  );
}
