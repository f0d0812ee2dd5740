/**
 * Hands the events of each org to whoever listens on this server node. The table is the truth: a
 * NOTIFY only says that there is something to read, and a lost one is made good by the next.
 */
import type { LiveEvent } from '@holdfast/api';
import type { Store } from '@holdfast/store';
import { EVENT_CHANNEL, readEvents, readEventSequence } from './events.ts';

export interface Subscriber {
  deliver(event: LiveEvent): void;
}
interface Feed {
  readonly subscribers: Set<Subscriber>;
  lastSeq: number;
  reading: Promise<void> | undefined;
  again: boolean;
}
const BATCH = 500;

export class EventHub {
  readonly #store: Store;
  readonly #feeds = new Map<string, Feed>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Listens until `signal` aborts. */
  run(signal: AbortSignal): Promise<void> {
    const connect = (): void => {
      for (const orgId of this.#feeds.keys()) this.#wake(orgId);
    };
    return this.#store.listen(EVENT_CHANNEL, { notice: (orgId) => this.#wake(orgId), connect }, signal);
  }

  /** From the next event on, `subscriber` gets every event of the org once, in order. @returns the sequence it starts after */
  async subscribe(orgId: string, subscriber: Subscriber): Promise<number> {
    let feed = this.#feeds.get(orgId);
    if (feed === undefined) {
      const lastSeq = await this.#store.withOrg(orgId, readEventSequence);
      feed = this.#feeds.get(orgId) ?? { subscribers: new Set(), lastSeq, reading: undefined, again: false };
      this.#feeds.set(orgId, feed);
    }
    feed.subscribers.add(subscriber);
    return feed.lastSeq;
  }

  unsubscribe(orgId: string, subscriber: Subscriber): void {
    const feed = this.#feeds.get(orgId);
    feed?.subscribers.delete(subscriber);
    if (feed?.subscribers.size === 0) this.#feeds.delete(orgId);
  }

  #wake(orgId: string): void {
    const feed = this.#feeds.get(orgId);
    if (feed === undefined) return;
    if (feed.reading !== undefined) {
      feed.again = true;
      return;
    }
    feed.reading = this.#read(orgId, feed)
      .catch(() => undefined) // the database is away; its return wakes us
      .finally(() => {
        feed.reading = undefined;
        if (feed.again) {
          feed.again = false;
          this.#wake(orgId);
        }
      });
  }

  async #read(orgId: string, feed: Feed): Promise<void> {
    for (;;) {
      const events = await this.#store.withOrg(orgId, (tx) => readEvents(tx, feed.lastSeq, BATCH));
      for (const event of events) {
        feed.lastSeq = event.seq;
        for (const subscriber of feed.subscribers) subscriber.deliver(event);
      }
      if (events.length < BATCH) return;
    }
  }
}
