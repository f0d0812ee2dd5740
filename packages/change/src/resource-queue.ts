/**
 * Who may run now: changes that share a resource run one at a time in the order they came, all
 * others side by side (P-14). In memory only; the journal's order is the queue that lasts.
 */
import type { Resource } from './operation.ts';

export interface Ticket {
  /** Resolves when no earlier ticket holds or waits for one of this ticket's resources. */
  readonly granted: Promise<void>;
  /** Gives the resources, or the place in the queue, back. Leaving twice is fine. */
  leave(): void;
}

interface Place {
  readonly resources: ReadonlySet<Resource>;
  readonly grant: () => void;
  granted: boolean;
}

export class ResourceQueue {
  readonly #places = new Set<Place>(); // a Set keeps the order of arrival

  /** Tickets that hold or wait. */
  get size(): number {
    return this.#places.size;
  }

  enter(resources: readonly Resource[]): Ticket {
    const { promise, resolve } = Promise.withResolvers<void>();
    const place: Place = { resources: new Set(resources), grant: resolve, granted: false };
    this.#places.add(place);
    this.#grantWhatIsFree();
    return {
      granted: promise,
      leave: () => {
        if (this.#places.delete(place)) this.#grantWhatIsFree();
      },
    };
  }

  #grantWhatIsFree(): void {
    // Resources of everyone ahead, waiting or not: nobody overtakes on a shared resource.
    const ahead = new Set<Resource>();
    for (const place of this.#places) {
      if (!place.granted && place.resources.isDisjointFrom(ahead)) {
        place.granted = true;
        place.grant();
      }
      for (const resource of place.resources) ahead.add(resource);
    }
  }
}
