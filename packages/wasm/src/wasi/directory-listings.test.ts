import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { OpenDirectory } from './descriptors.ts';
import { DirectoryListings, type Listing } from './directory-listings.ts';
import { snapshotFileSystem } from './snapshot-file-system.ts';

const files = snapshotFileSystem([], { writable: false, quotaBytes: 0, quotaFiles: 0 });
const directory = (): OpenDirectory => ({ kind: 'directory', files, device: 1n, names: [], preopen: null, flags: 0 });
const listing = (length: number): Listing =>
  Array.from({ length }, () => ({ name: Buffer.from('n'), kind: 'file' as const, inode: 1n }));

describe('directory listings', () => {
  it('X-12: keeps at most 65,536 entries, dropping the oldest listing, but always the last', () => {
    const listings = new DirectoryListings();
    const [first, second, third, huge] = [directory(), directory(), directory(), directory()];
    listings.keep(first, listing(30_000));
    listings.keep(second, listing(35_536));
    assert.equal(listings.get(first)?.length, 30_000);
    listings.keep(third, listing(1));
    assert.deepEqual(
      [first, second, third].map((one) => listings.get(one)?.length),
      [undefined, 35_536, 1],
    );
    listings.keep(huge, listing(100_000));
    assert.deepEqual(
      [second, third, huge].map((one) => listings.get(one)?.length),
      [undefined, undefined, 100_000],
    );
    listings.drop(huge);
    listings.keep(first, listing(65_536));
    assert.equal(listings.get(first)?.length, 65_536);
  });
});
