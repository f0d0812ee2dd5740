/**
 * The board as data: what the records say about freezes and packets. `derive-board.ts` makes
 * it; whether a packet's evidence is good is `evidence/`.
 */
import type { Gate } from '../gate-file/gate-schema.ts';
import type { Source } from '../records/run-record.ts';
import type { RecordOf } from '../records/statements.ts';
import type { PacketState, Review } from './states.ts';

/** One revision of the gate file. */
export interface Freeze {
  readonly revision: number;
  readonly index: number;
  readonly at: string;
  /** The tree that it was frozen in. */
  readonly source: Source;
  readonly gate: Gate;
  readonly policyDigest: string;
  /** By packet id: of everything that defines it. */
  readonly packetDigests: ReadonlyMap<string, string>;
  /** By command id. */
  readonly commandDigests: ReadonlyMap<string, string>;
}

/** A gate file as it would be frozen. */
export type FreezableFile = Omit<Freeze, 'index' | 'at' | 'source'>;

export interface PacketStanding {
  readonly id: string;
  readonly state: PacketState;
  readonly review: Review;
  /** Where its work first began, also when it started again since: a review is about all that changed from there. */
  readonly startedSource: Source | null;
  readonly startedAt: string | null;
  /** What was submitted: the source its evidence is judged at. `null` unless DONE. */
  readonly submittedSource: Source | null;
  readonly submittedIndex: number | null;
  /** The newest start, submission, review or invalidation. */
  readonly changedAt: string | null;
  /** Since it was last submitted, in order; different people. */
  readonly approvals: readonly RecordOf<'packet-review'>[];
  /** While PENDING: the predecessors that are not approved. */
  readonly waitsFor: readonly string[];
  /** Why it was sent back, blocked or started again; for people. */
  readonly note: string | null;
}

/** A record that is well signed but was not legal when it was appended; it moves nothing, and no verdict is good while it stands. */
export interface IllegalRecord {
  readonly index: number;
  /** `R-05` */
  readonly rule: string;
  readonly text: string;
}

export interface Board {
  /** `null` before the first freeze: nothing is decided by a file that is not frozen. */
  readonly freeze: Freeze | null;
  readonly freezes: readonly Freeze[];
  /** In the order of the frozen gate file. */
  readonly packets: ReadonlyMap<string, PacketStanding>;
  /** Packets for which a P0 was recorded as found or accepted: they take two reviewers. */
  readonly withP0: ReadonlySet<string>;
  readonly illegal: readonly IllegalRecord[];
}
