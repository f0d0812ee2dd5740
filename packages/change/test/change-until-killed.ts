/** A process that carries out changes for ever, for tests that kill it. argv: directory, first number. */
import { writeSync } from 'node:fs';
import { formatUuidV7 } from '@holdfast/core';
import { openDirectoryWorld } from './directory-world.ts';
import { cellParams } from './killable-world.ts';

const [directory = '', first = '1'] = process.argv.slice(2);
const never = new AbortController().signal;
const { engine } = openDirectoryWorld(directory);
await engine.recover(never);
writeSync(1, 'ready\n');
for (let n = Number(first); ; n += 1) {
  const changeId = (): string => formatUuidV7(n, crypto.getRandomValues(new Uint8Array(10)));
  const value = String(n);
  const flaw = n % 3 === 0 ? 'verify-fails' : 'none';
  // One change over three cells, and one beside it.
  const [record] = await Promise.all([
    engine.request(
      {
        changeId: changeId(),
        operation: 'cells.set',
        params: cellParams({ a: value, b: value, c: value }, flaw),
        meta: {},
      },
      never,
    ),
    engine.request({ changeId: changeId(), operation: 'cells.set', params: cellParams({ d: value }), meta: {} }, never),
  ]);
  writeSync(1, `${record.changeId} ${record.outcome}\n`);
}
