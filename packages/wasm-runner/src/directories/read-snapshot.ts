/** Copies a granted directory through its broker, so that copying has the broker's guarantees. */
import type { SnapshotEntry } from '@holdfast/wasm';
import type { DirectoryBroker } from '../broker/directory-broker.ts';

export interface SnapshotBounds {
  readonly bytes: number;
  readonly files: number;
}

/** @returns `undefined` when there is more than the bounds allow, or something changed away meanwhile */
export function readSnapshot(broker: DirectoryBroker, bounds: SnapshotBounds): SnapshotEntry[] | undefined {
  const entries: SnapshotEntry[] = [];
  const pending: (readonly string[])[] = [[]];
  let bytesLeft = bounds.bytes;
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    const listed = broker.list(directory);
    if (!listed.ok) return undefined;
    for (const { name, kind } of listed.value) {
      if (entries.length === bounds.files) return undefined;
      const path = [...directory, name];
      if (kind === 'directory') {
        entries.push({ path, kind });
        pending.push(path);
        continue;
      }
      const file = readFile(broker, path, bytesLeft);
      if (file === undefined) return undefined;
      bytesLeft -= file.bytes.length;
      entries.push({ path, kind, ...file });
    }
  }
  return entries;
}

function readFile(broker: DirectoryBroker, path: readonly string[], maxBytes: number) {
  const opened = broker.open(path);
  if (!opened.ok) return undefined;
  try {
    const stat = broker.statFile(opened.value);
    if (!stat.ok || stat.value.sizeBytes > maxBytes) return undefined;
    const pieces: Uint8Array[] = [];
    let size = 0;
    for (;;) {
      const piece = broker.read(opened.value, size, maxBytes - size + 1);
      if (!piece.ok) return undefined;
      if (piece.value.length === 0) return { bytes: Buffer.concat(pieces), modifiedNs: stat.value.modifiedNs };
      pieces.push(piece.value);
      size += piece.value.length;
      if (size > maxBytes) return undefined; // grows while it is read
    }
  } finally {
    broker.close(opened.value);
  }
}
