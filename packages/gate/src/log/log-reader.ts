/**
 * Reads the leaves of a gate's log in order and decides of each whether it counts: signed by a person of
 * the gate file that was frozen at that point, for this gate and this revision, of a known kind. What
 * the records mean together, and whether a step was legal, is `board/`.
 *
 * Trust begins at record 0: it must be the first freeze, signed by a person whom its own gate file
 * names. Whether that file is the right one is for whoever pins people and keys outside the log.
 */
import { GrowingTree, sha256Hex } from '@holdfast/crypto';
import { parseGate } from '../gate-file/parse-gate.ts';
import { type KeyRing, ringOf } from '../records/keys.ts';
import {
  decodeSealed,
  invalidRecord,
  parseRecord,
  requireAuthor,
  type SealedRecord,
  verifySealed,
} from '../records/open-record.ts';
import type { GateRecord, PredicateOf } from '../records/statements.ts';
import type { LogHead } from './gate-log.ts';

/** How many signatures the thread pool has before it while this thread parses. */
const VERIFY_AHEAD = 64;

interface Pending {
  readonly sealed: SealedRecord;
  readonly index: number;
  /** Rejects when the signature does not count. */
  readonly outcome: Promise<void>;
}

export class LogReader {
  readonly #gateId: string;
  readonly #records: GateRecord[] = [];
  /** Leaves so far: an envelope has one encoding, so what was recorded once is recognised. */
  readonly #leaves = new Set<string>();
  #tree = new GrowingTree();
  #revision = 0;
  #ring: KeyRing = new Map();

  constructor(gateId: string) {
    this.#gateId = gateId;
  }

  get head(): LogHead {
    return { size: this.#tree.size, root: Buffer.from(this.#tree.root()).toString('hex') };
  }

  get records(): readonly GateRecord[] {
    return this.#records;
  }

  /** Whose keys count for the next record, and for the signed head. Empty before the first freeze. */
  get ring(): KeyRing {
    return this.#ring;
  }

  /** One that reads on by itself from here. */
  copy(): LogReader {
    const copy = new LogReader(this.#gateId);
    for (const record of this.#records) {
      copy.#records.push(record);
      copy.#leaves.add(record.leaf);
    }
    copy.#tree = this.#tree.copy();
    copy.#revision = this.#revision;
    copy.#ring = this.#ring;
    return copy;
  }

  /**
   * Reads envelopes that follow what was read before. A reader that refused one is of no further use.
   *
   * @throws `ERR_GATE_LOG_INVALID` at the first record that does not count, with its index and the rule
   */
  async read(envelopes: Iterable<Uint8Array>): Promise<void> {
    const pending: Pending[] = [];
    let index = this.#tree.size;
    try {
      for (const bytes of envelopes) {
        const sealed = decodeSealed(bytes, index);
        // A key may be that of a freeze which is still on its way.
        if (!this.#ring.has(sealed.keyId)) while (pending.length > 0) await this.#takeFirst(pending);
        const ring = index === 0 ? ringOfFirst(sealed) : this.#ring;
        const outcome = verifySealed(sealed, index, ring);
        outcome.catch(() => undefined); // its turn comes
        pending.push({ sealed, index, outcome });
        index += 1;
        if (pending.length >= VERIFY_AHEAD) await this.#takeFirst(pending);
      }
      while (pending.length > 0) await this.#takeFirst(pending);
    } finally {
      await Promise.allSettled(pending.map(async ({ outcome }) => outcome));
    }
  }

  async #takeFirst(pending: Pending[]): Promise<void> {
    const first = pending.shift();
    if (first === undefined) return;
    const { sealed, index, outcome } = first;
    await outcome;
    const record = parseRecord(sealed, index);
    if (record.predicate.gate !== this.#gateId) throw invalidRecord(index, 'R-10', 'it belongs to another gate');
    if (record.kind === 'freeze') this.#takeFreeze(record, record.predicate);
    else if (this.#revision === 0) throw invalidRecord(index, 'R-03', 'nothing is recorded before the first freeze');
    else if (record.predicate.revision !== this.#revision)
      throw invalidRecord(index, 'R-03', `it was written under another revision than ${this.#revision}`);
    else requireAuthor(record, this.#ring);
    // anybody of the gate could say again what somebody else has said and taken back since.
    if (this.#leaves.has(record.leaf)) throw invalidRecord(index, 'R-10', 'it repeats an earlier record');
    this.#leaves.add(record.leaf);
    this.#records.push(record);
    this.#tree.append(sealed.leaf);
  }

  /** a revision is signed by a person of the one before, who is still a person of the new one. */
  #takeFreeze(record: GateRecord, { revision, gateFile }: PredicateOf<'freeze'>): void {
    const { index } = record;
    if (revision !== this.#revision + 1)
      throw invalidRecord(index, 'R-03', `it does not freeze revision ${this.#revision + 1}`);
    if (sha256Hex(gateFile.text) !== gateFile.digest)
      throw invalidRecord(index, 'R-03', 'its gate file is not the one of its digest');
    const { gate } = parseGate(gateFile.text);
    if (gate === null) throw invalidRecord(index, 'R-01', 'its gate file is not valid');
    if (gate.id !== this.#gateId) throw invalidRecord(index, 'R-01', 'its gate file is for another gate');
    const ring = ringOf(gate.people);
    if (this.#revision > 0) requireAuthor(record, this.#ring);
    requireAuthor(record, ring);
    this.#revision = revision;
    this.#ring = ring;
  }
}

/** The keys that the first freeze brings along. Nothing else is taken from it before they verified it. */
function ringOfFirst(sealed: SealedRecord): KeyRing {
  const record = parseRecord(sealed, 0);
  if (record.kind !== 'freeze') throw invalidRecord(0, 'R-03', 'nothing is recorded before the first freeze');
  const { gate } = parseGate(record.predicate.gateFile.text);
  if (gate === null) throw invalidRecord(0, 'R-01', 'its gate file is not valid');
  return ringOf(gate.people);
}
