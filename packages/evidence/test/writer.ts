/** A process that puts bundles into the store at argv[2] until it is killed or argv[3] are put; each is told when it is durable. */
import { openEvidenceStore } from '@holdfast/evidence';
import { writeSync } from 'node:fs';
import { sampleBundle, sampleId } from './sample.ts';

const [, , directory = '', count = '0', first = '0'] = process.argv;
const store = openEvidenceStore(directory);
for (let number = Number(first); number < Number(first) + Number(count); number += 1) {
  const sealed = sampleBundle({ bundleId: sampleId(number) });
  await store.put(sealed);
  writeSync(1, `${sealed.bundleId}\n`);
}
