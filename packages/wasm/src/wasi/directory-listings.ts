/**
 * Listings of open directories, taken when reading starts, so that the cookies of one reading stay valid
 * while entries come and go. Bounded: a guest that starts to read many large directories at once makes
 * the oldest listing be taken anew.
 */
import type { FileKind } from './capabilities.ts';
import type { OpenDirectory } from './descriptors.ts';

export type Listing = readonly { readonly name: Uint8Array; readonly kind: FileKind; readonly inode: bigint }[];

/** Some 200 bytes each: about 13 MiB, and one larger directory if there is one. */
const MAX_ENTRIES = 65_536;

export class DirectoryListings {
  /** Oldest first. */
  readonly #taken = new Map<OpenDirectory, Listing>();
  #entries = 0;

  get(directory: OpenDirectory): Listing | undefined {
    return this.#taken.get(directory);
  }

  keep(directory: OpenDirectory, listing: Listing): Listing {
    this.drop(directory);
    for (const oldest of this.#taken.keys()) {
      if (this.#entries + listing.length <= MAX_ENTRIES) break;
      this.drop(oldest);
    }
    this.#taken.set(directory, listing);
    this.#entries += listing.length;
    return listing;
  }

  drop(directory: OpenDirectory): void {
    this.#entries -= this.#taken.get(directory)?.length ?? 0;
    this.#taken.delete(directory);
  }
}
