import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDirectory } from '@holdfast/testing';
import { CONFORMANCE_TREE, describeGuestFileSystem } from '@holdfast/wasm/conformance';
import { openDirectoryBroker } from '../broker/directory-broker.ts';
import { brokerFileSystem } from './broker-file-system.ts';

describeGuestFileSystem(
  'brokered directory',
  async (t) => {
    const cleanups: (() => void)[] = [];
    t.after(() => cleanups.toReversed().forEach((cleanup) => cleanup()));
    const root = temporaryDirectory({ after: (fn) => cleanups.push(fn) });
    for (const path of CONFORMANCE_TREE.directories) mkdirSync(join(root, path), { recursive: true });
    for (const [path, text] of Object.entries(CONFORMANCE_TREE.files)) writeFileSync(join(root, path), text);
    const broker = openDirectoryBroker(root, { openFiles: 16, readBytes: 1e9, listEntries: 100 });
    cleanups.push(() => broker[Symbol.dispose]());
    return brokerFileSystem(broker);
  },
  { writable: false },
);
