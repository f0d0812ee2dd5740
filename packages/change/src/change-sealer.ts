/**
 * Hands ended changes to whoever makes evidence of them, each exactly once in effect.
 *
 * The mark that a change is sealed is durable and comes after the hand-over: a crash in between
 * means that the same change, with the same bundle id, is handed over again.
 */
import type { ChangeJournal } from './change-journal.ts';
import type { ChangeEntry, ChangeRecord } from './change-record.ts';

/**
 * Takes an ended change over: audit record, evidence. When it resolves, both MUST be durable.
 *
 * It MUST be idempotent by `record.bundleId`: after a crash it is called again with an equal record.
 * When it throws the change stays unsealed and is offered again later. Calls come one at a time, in
 * the order in which changes ended.
 */
export type Seal = (record: ChangeRecord) => Promise<void>;

export class ChangeSealer {
  readonly #journal: ChangeJournal;
  readonly #seal: Seal;
  readonly #toRecord: (entry: ChangeEntry) => ChangeRecord;
  #last: Promise<unknown> = Promise.resolve();

  constructor(journal: ChangeJournal, seal: Seal, toRecord: (entry: ChangeEntry) => ChangeRecord) {
    this.#journal = journal;
    this.#seal = seal;
    this.#toRecord = toRecord;
  }

  /** Seals an ended change unless it is sealed; returns its entry as it is then. */
  async seal(changeId: string): Promise<ChangeEntry> {
    return this.#enqueue(async () => {
      const entry = await this.#read(changeId);
      if (entry.sealed) return entry;
      await this.#seal(this.#toRecord(entry));
      const sealed = { ...entry, sealed: true };
      await this.#journal.replace(sealed);
      return sealed;
    });
  }

  /** Changes an ended entry in turn with sealing, so that neither undoes the other. */
  async update(changeId: string, patch: Partial<ChangeEntry>): Promise<void> {
    await this.#enqueue(async () => this.#journal.replace({ ...(await this.#read(changeId)), ...patch }));
  }

  async whenIdle(): Promise<void> {
    await this.#last;
  }

  async #read(changeId: string): Promise<ChangeEntry> {
    const entry = await this.#journal.get(changeId);
    if (entry?.state !== 'ended') throw new TypeError('only an ended change is sealed');
    return entry;
  }

  async #enqueue<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#last.then(work);
    this.#last = next.catch(() => undefined); // its caller sees the failure; the next one must not
    return next;
  }
}
