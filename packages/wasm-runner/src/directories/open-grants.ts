/**
 * What becomes of the directories of a task: content to send, or a broker that answers questions. A
 * guest that may write gets a copy, always; one that reads gets a copy when that is small.
 */
import { HoldfastError } from '@holdfast/core';
import { type DirectoryBroker, openDirectoryBroker } from '../broker/directory-broker.ts';
import type { SentDirectory } from '../protocol/messages.ts';
import type { DirectoryGrant } from '../runner.ts';
import { readSnapshot, type SnapshotBounds } from './read-snapshot.ts';

/** A copy costs memory twice and a few milliseconds; above this, questions are cheaper for most. */
const SMALL: SnapshotBounds = { bytes: 8_388_608, files: 1_000 };
/** Of a directory: a list is one answer. */
const MAX_LIST_ENTRIES = 10_000;

export interface OpenGrants extends Disposable {
  readonly sent: readonly SentDirectory[];
  readonly brokers: readonly (DirectoryBroker | undefined)[];
}

/** @throws `ERR_WASM_DIRECTORY` */
export function openGrants(grants: readonly DirectoryGrant[], openFiles: number): OpenGrants {
  using opened = new DisposableStack();
  const sent: SentDirectory[] = [];
  const brokers: (DirectoryBroker | undefined)[] = [];
  for (const { hostPath, guestPath, mode, quotaBytes, quotaFiles } of grants) {
    const writable = mode === 'copy-on-write';
    const bounds = writable ? { bytes: quotaBytes, files: quotaFiles } : SMALL;
    const limits = { openFiles, listEntries: MAX_LIST_ENTRIES };
    const copying = openDirectoryBroker(hostPath, { ...limits, readBytes: bounds.bytes + 1 });
    const entries = readSnapshot(copying, bounds);
    copying[Symbol.dispose]();
    if (entries !== undefined) {
      sent.push({ guestPath, kind: 'snapshot', writable, quotaBytes, quotaFiles, entries });
      brokers.push(undefined);
      continue;
    }
    if (writable) {
      throw new HoldfastError('the directory does not fit its quota', {
        code: 'ERR_WASM_DIRECTORY',
        fields: { quotaBytes, quotaFiles },
      });
    }
    sent.push({ guestPath, kind: 'broker' });
    brokers.push(opened.use(openDirectoryBroker(hostPath, { ...limits, readBytes: quotaBytes })));
  }
  const keep = opened.move();
  return { sent, brokers, [Symbol.dispose]: () => keep.dispose() };
}
